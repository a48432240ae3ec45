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
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from tests.mutants.faults import PROJECT, SOURCES, Mutant, mutants_of
from tests.mutants.relevant_tests import RelevantTests, measure, search_path

MOST_SURVIVORS_PERCENT = 5
TIMEOUT_SECONDS = 1200

Outcome = Literal["noticed by a test", "did not end", "noticed by mypy", "survived"]


def _draw(seed: int, count: int) -> Sequence[Mutant]:
    files = sorted(file for source in SOURCES for file in (PROJECT / source).rglob("*.py"))
    everything = [mutant for file in files for mutant in mutants_of(file)]
    return random.Random(seed).sample(everything, min(count, len(everything)))


def _try(mutant: Mutant, *, tests: RelevantTests, copies: "SimpleQueue[Path]") -> Outcome:
    """What notices the mutant in place of its file."""
    copy = copies.get()
    target = copy / mutant.file
    original = target.read_bytes()
    target.write_bytes(mutant.apply(original))

    def fails(*command: str) -> bool:
        finished = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": search_path(copy)},
            timeout=TIMEOUT_SECONDS,
            capture_output=True,
        )
        return finished.returncode != 0

    try:
        if fails("pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider",
                 *tests.of(mutant)):  # fmt: skip
            return "noticed by a test"
        return "noticed by mypy" if fails("mypy") else "survived"
    except subprocess.TimeoutExpired:
        return "did not end"
    finally:
        target.write_bytes(original)
        copies.put(copy)


def _copy_project(folder: Path) -> Path:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target)
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
        "--measured",
        type=Path,
        help="a folder for what each test executes, which takes longest to find out; a later run"
        " of the same sources uses it again",
    )
    options = parser.parse_args()
    mutants = _draw(options.seed, options.count)
    survivors = []
    with tempfile.TemporaryDirectory(prefix="prod-e-mutants-") as scratch:
        tests = measure(options.measured or Path(scratch) / "measured", jobs=options.jobs)
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.jobs):
            copies.put(_copy_project(Path(scratch) / str(number)))
        with ThreadPoolExecutor(options.jobs) as pool:
            outcomes = pool.map(partial(_try, tests=tests, copies=copies), mutants)
            for mutant, outcome in zip(mutants, outcomes, strict=True):
                print(f"{outcome:17}  {mutant}", file=sys.stderr)
                survivors += [mutant] if outcome == "survived" else []
    percent = 100 * len(survivors) / len(mutants)
    print(f"{len(survivors)} of {len(mutants)} survived ({percent:.0f} %), seed {options.seed}.")
    for mutant in survivors:
        print(f"  {mutant}")
    return int(percent > MOST_SURVIVORS_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
