"""Breaks the project on purpose, many times, and reports what no test notices.

    npm run mutants -- --seed 7 --count 60

Every mutant is the project with one small fault in it: an argument dropped, a boolean or a
comparison flipped, a number or a text changed, a statement removed, a check skipped. They are made
from the syntax trees of all files in `constructs/` and `scripts/`, and drawn by the seed, so that a
run can be repeated. For each, the tests that execute the changed line run, here or in a process
that they start (and, for a line that runs when its module is imported, those that execute anything
of the file). What they let pass is shown to ruff and mypy, as whoever commits it would: to ruff for
what is not used any more, for its other rules are about how the text of a fault looks. One that
they let pass too has survived; the exit status is 1 if more than 5 % do.

The first run measures what each test executes, which takes as long as all tests do. With
`--tests tests/unit tests/synthesis` it takes minutes; what survives then may be noticed by others.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

import psutil

from tests.mutants.faults import PROJECT, SOURCES, Mutant, mutants_of
from tests.mutants.relevant_tests import (
    ONE_BY_ONE,
    TOGETHER,
    RelevantTests,
    measure,
    search_path,
)

MOST_SURVIVORS_PERCENT = 5
LINT_TIMEOUT_SECONDS = 1200

UNUSED = ("F401", "F811", "F841")
"""Ruff's rules about imports, definitions and variables that nothing uses."""

Outcome = Literal["noticed by a test", "did not end", "noticed by a linter", "survived"]


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """What became of a mutant, and which test noticed it, if one did."""

    mutant: Mutant
    outcome: Outcome
    test: str = ""

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.outcome:19}  {self.mutant}" + (f"  by {self.test}" if self.test else "")


def _draw(seed: int, count: int) -> Sequence[Mutant]:
    files = sorted(file for source in SOURCES for file in (PROJECT / source).rglob("*.py"))
    everything = [mutant for file in files for mutant in mutants_of(file)]
    return random.Random(seed).sample(everything, min(count, len(everything)))


class _Tries:
    """Puts mutants into copies of the project, as many at once as there are copies."""

    def __init__(self, copies: Sequence[Path], tests: RelevantTests, *, seconds: float) -> None:
        self._copies: SimpleQueue[Path] = SimpleQueue()
        for copy in copies:
            self._copies.put(copy)
        self._tests = tests
        self._seconds = seconds

    def attempt(self, mutant: Mutant) -> _Trial:
        """What notices the mutant in place of its file."""
        copy = self._copies.get()
        try:
            return self._attempt(mutant, copy)
        finally:
            self._copies.put(copy)

    def _attempt(self, mutant: Mutant, copy: Path) -> _Trial:
        tests = list(self._tests.of(mutant, seconds=self._seconds))
        timeout = _timeout(sum(self._tests.seconds.get(test, 0.0) for test in tests))
        is_last_try = False
        while True:
            with _fault(mutant, copy):
                run = _run_tests(tests, copy, timeout=timeout)
                if run == _TestRun():
                    noticed = _lint_notices(mutant, copy)
                    outcome: Outcome = "noticed by a linter" if noticed else "survived"
                    return _Trial(mutant=mutant, outcome=outcome)
            if not run.ended:
                if is_last_try:
                    return _Trial(mutant=mutant, outcome="did not end")
                # The machine may have other things to do than when the tests were measured.
                began = time.monotonic()
                _run_tests(tests, copy, timeout=10 * timeout)
                timeout = max(timeout, _timeout(time.monotonic() - began))
                is_last_try = True
                continue
            # A test that fails without the fault, too, has not noticed it.
            if run.failed not in tests or _run_tests([run.failed], copy, timeout=timeout) != run:
                return _Trial(mutant=mutant, outcome="noticed by a test", test=run.failed)
            print(f"fails without any fault: {run.failed}", file=sys.stderr)
            tests.remove(run.failed)


def _lint_notices(mutant: Mutant, copy: Path) -> bool:
    unused = _run(
        copy, "ruff", "check", f"--select={','.join(UNUSED)}", mutant.file,
        timeout=LINT_TIMEOUT_SECONDS,
    )  # fmt: skip
    return bool(unused.status or _run(copy, "mypy", timeout=LINT_TIMEOUT_SECONDS).status)


def _timeout(seconds: float) -> float:
    """After how long tests that take so many seconds are told not to end."""
    return 30 + 3 * seconds


@contextmanager
def _fault(mutant: Mutant, copy: Path) -> Iterator[None]:
    """The project has this fault for as long as the context lasts."""
    target = copy / mutant.file
    original = target.read_bytes()
    target.write_bytes(mutant.apply(original))
    try:
        yield
    finally:
        target.write_bytes(original)


@dataclass(frozen=True, kw_only=True)
class _Finished:
    """A process that has ended, or was ended, and what it wrote."""

    status: int
    output: str
    in_time: bool


def _run(copy: Path, *command: str, timeout: float) -> _Finished:
    """Runs a module; where it does not end in these seconds, it ends with all that it started."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = psutil.Popen(
            [sys.executable, "-m", *command],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": search_path(copy)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
        in_time = True
        try:
            process.wait(timeout)
        except psutil.TimeoutExpired:
            in_time = False
            for started in [*process.children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    started.kill()
            process.wait()
        output.seek(0)
        return _Finished(status=process.returncode, output=output.read(), in_time=in_time)


@dataclass(frozen=True, kw_only=True)
class _TestRun:
    """The first test that failed, if one did, and whether they came to their end."""

    failed: str = ""
    ended: bool = True


def _run_tests(tests: Sequence[str], copy: Path, *, timeout: float) -> _TestRun:
    finished = _run(
        copy, "pytest", "-x", "-q", "--tb=no", "-rfE", "--show-capture=no", "-m", "not slow",
        "-p", "no:cacheprovider", *tests, timeout=timeout,
    )  # fmt: skip
    if not finished.in_time:
        return _TestRun(ended=False)
    if finished.status in (0, 5):
        return _TestRun()
    told = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", finished.output, re.MULTILINE)
    return _TestRun(failed=told[1] if told else "pytest itself")


def _copy_project(folder: Path) -> Path:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target)
    if (PROJECT / ".mypy_cache").is_dir():
        shutil.copytree(PROJECT / ".mypy_cache", folder / ".mypy_cache")
    for name in (".venv", "node_modules", "backend/node_modules"):
        (folder / name).symlink_to(PROJECT / name)
    return folder


def main() -> int:
    """Draws the mutants, tries each, and reports; see this module's documentation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="which mutants are drawn")
    parser.add_argument("--count", type=int, default=60, help="how many are drawn")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried at once")
    parser.add_argument(
        "--seconds",
        type=float,
        default=300,
        help="how long all tests of a mutant take at most where none of them notices it",
    )
    parser.add_argument(
        "--measured",
        type=Path,
        default=PROJECT / ".cache" / "mutants",
        help="a folder for what each test executes, which takes longest to find out: it is kept,"
        "\nand a later run measures the tests alone whose files have changed",
    )
    parser.add_argument(
        "--tests",
        nargs="+",
        default=[*TOGETHER, *ONE_BY_ONE],
        help="which tests are to notice something: folders, or files of those that run one by one;"
        "\nall of them where none is given",
    )
    options = parser.parse_args()
    mutants = _draw(options.seed, options.count)
    survivors = []
    with tempfile.TemporaryDirectory(prefix="prod-e-mutants-") as scratch:
        tests = measure(options.measured, options.tests, jobs=options.jobs)
        # The copies have mypy's cache, without which each would take minutes.
        _run(PROJECT, "mypy", timeout=LINT_TIMEOUT_SECONDS)
        copies = [_copy_project(Path(scratch) / str(number)) for number in range(options.jobs)]
        tries = _Tries(copies, tests, seconds=options.seconds)
        began = time.monotonic()
        with ThreadPoolExecutor(options.jobs) as pool:
            trials = [pool.submit(tries.attempt, mutant) for mutant in mutants]
            for done, finished in enumerate(as_completed(trials), start=1):
                trial = finished.result()
                survivors += [trial.mutant] if trial.outcome == "survived" else []
                minutes = (time.monotonic() - began) / 60 / done * (len(trials) - done)
                told = f"{done} of {len(trials)}, {len(survivors)} survived, {minutes:.0f} min left"
                print(f"[{told}] {trial}", file=sys.stderr, flush=True)
    percent = 100 * len(survivors) / len(mutants)
    print(f"{len(survivors)} of {len(mutants)} survived ({percent:.0f} %), seed {options.seed}.")
    for mutant in survivors:
        print(f"  {mutant}")
    return int(percent > MOST_SURVIVORS_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
