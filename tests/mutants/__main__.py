"""Breaks the project on purpose, many times, and reports what no test notices.

    npm run mutants -- --seed 7 --count 60

Every mutant is the project with one small fault in it: an argument dropped, a boolean or a
comparison flipped, a number or a text changed, a statement removed, a check skipped. They are made
from the syntax trees of all files in `constructs/` and `scripts/`, and drawn by the seed, so that a
run can be repeated. For each, the tests that execute the changed line run, here or in a process
that they start (and, for a line that runs when its module is imported, those that execute anything
of the file). What they let pass is shown to mypy, as whoever commits it would. One that mypy lets
pass too has survived; the exit status is 1 if more than 5 % do.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from tests.mutants.faults import PROJECT, SOURCES, Mutant, mutants_of
from tests.mutants.relevant_tests import RelevantTests, measure, search_path

MOST_SURVIVORS_PERCENT = 5
TIMEOUT_SECONDS = 1200

Outcome = Literal["noticed by a test", "did not end", "noticed by mypy", "survived"]


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """What became of a mutant, and which test noticed it, if one did."""

    mutant: Mutant
    outcome: Outcome
    test: str = ""

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.outcome:17}  {self.mutant}" + (f"  by {self.test}" if self.test else "")


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
        target = copy / mutant.file
        original = target.read_bytes()
        while True:
            target.write_bytes(mutant.apply(original))
            try:
                failed = _first_failure(tests, copy)
                if not failed:
                    by_mypy = _run(copy, "mypy").returncode != 0
                    outcome: Outcome = "noticed by mypy" if by_mypy else "survived"
                    return _Trial(mutant=mutant, outcome=outcome)
            except subprocess.TimeoutExpired:
                return _Trial(mutant=mutant, outcome="did not end")
            finally:
                target.write_bytes(original)
            # A test that fails without the fault, too, has not noticed it.
            if failed not in tests or not _first_failure([failed], copy):
                return _Trial(mutant=mutant, outcome="noticed by a test", test=failed)
            print(f"fails without any fault: {failed}", file=sys.stderr)
            tests.remove(failed)


def _run(copy: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": search_path(copy)},
        timeout=TIMEOUT_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )


def _first_failure(tests: Sequence[str], copy: Path) -> str:
    """The first of these tests that fails; nothing if none does."""
    finished = _run(
        copy, "pytest", "-x", "-q", "--tb=no", "-rfE", "--show-capture=no", "-m", "not slow",
        "-p", "no:cacheprovider", *tests,
    )  # fmt: skip
    if finished.returncode in (0, 5):
        return ""
    told = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", finished.stdout, re.MULTILINE)
    return told[1] if told else "pytest itself"


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
    options = parser.parse_args()
    mutants = _draw(options.seed, options.count)
    survivors = []
    with tempfile.TemporaryDirectory(prefix="prod-e-mutants-") as scratch:
        tests = measure(options.measured, jobs=options.jobs)
        # The copies have mypy's cache, without which each would take minutes.
        _run(PROJECT, "mypy")
        copies = [_copy_project(Path(scratch) / str(number)) for number in range(options.jobs)]
        tries = _Tries(copies, tests, seconds=options.seconds)
        with ThreadPoolExecutor(options.jobs) as pool:
            for trial in pool.map(tries.attempt, mutants):
                print(trial, file=sys.stderr, flush=True)
                survivors += [trial.mutant] if trial.outcome == "survived" else []
    percent = 100 * len(survivors) / len(mutants)
    print(f"{len(survivors)} of {len(mutants)} survived ({percent:.0f} %), seed {options.seed}.")
    for mutant in survivors:
        print(f"  {mutant}")
    return int(percent > MOST_SURVIVORS_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
