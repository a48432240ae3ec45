"""Breaks the project on purpose, many times, and reports what no test notices.

    npm run mutants -- --seed 7 --count 60

Every mutant is the project with one small fault in it: an argument dropped, a boolean or a
comparison flipped, a number or a text changed, a statement removed, a check skipped. They are made
from the syntax trees of all files in `constructs/` and `scripts/`, and drawn by the seed, so that a
run can be repeated. For each, the quick tests that execute the changed line run (and, for a line
that runs when its module is imported, those that execute anything of the file). One that they let
pass has survived; the exit status is 1 if more than 5 % do.
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from coverage import CoverageData

PROJECT = Path(__file__).resolve().parents[1]
SOURCES = ("constructs", "scripts")
MOST_SURVIVORS_PERCENT = 5
TIMEOUT_SECONDS = 300
TESTS = (
    "tests/unit",
    "tests/synthesis",
    "tests/programs",
    "tests/embedded/test_embedded_aws.py",
    "tests/commands/test_ecr.py",
    "tests/embedded/test_ecr_password.py",
)

_OPPOSITES: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One fault: `before`, which begins at an offset (in bytes) of a file, becomes `after`."""

    file: str
    line: int
    at_import: bool
    offset: int
    before: str
    after: str

    def __str__(self) -> str:
        """One line for people."""
        before, after = (" ".join(text.split()) or "nothing" for text in (self.before, self.after))
        return f"{self.file}:{self.line}: {before[:60]} -> {after[:60]}"

    def apply(self, text: bytes) -> bytes:
        """The file with the fault."""
        end = self.offset + len(self.before.encode())
        return text[: self.offset] + self.after.encode() + text[end:]


class _Finder(ast.NodeVisitor):
    """Finds every mutant of a file."""

    def __init__(self, file: str, text: str) -> None:
        self.found: list[Mutant] = []
        self._file = file
        self._text = text
        self._starts = [0]
        for line in text.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._depth = 0

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def _span(self, start: ast.expr | ast.stmt, end: ast.expr | ast.stmt | None = None) -> str:
        last = end or start
        assert last.end_lineno is not None
        assert last.end_col_offset is not None
        begins = self._offset(start.lineno, start.col_offset)
        ends = self._offset(last.end_lineno, last.end_col_offset)
        return self._text.encode()[begins:ends].decode()

    def _add(self, node: ast.expr | ast.stmt, after: str, before: str | None = None) -> None:
        self.found.append(
            Mutant(
                file=self._file,
                line=node.lineno,
                at_import=self._depth == 0,
                offset=self._offset(node.lineno, node.col_offset),
                before=self._span(node) if before is None else before,
                after=after,
            )
        )

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        for part in (*node.decorator_list, *defaults):
            self.visit(part)
        self._depth += 1
        for statement in node.body:
            self.visit(statement)
        self._depth -= 1

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._add(node.test, "False")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1:
            (right,) = node.comparators
            opposite = _OPPOSITES[type(node.ops[0])]
            self._add(node, f"{self._span(node.left)} {opposite} {self._span(right)}")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool():
                self._add(node, str(not node.value))
            case int() | float():
                self._add(node, repr(node.value + 1))
            case str() if node.value and self._span(node)[0] in "\"'":
                self._add(node, repr(f"{node.value}x"))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """The texts between the braces have no place of their own before Python 3.12."""

    def visit_Call(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg and len(node.args) + len(node.keywords) > 1:
                others = [self._span(each) for each in node.args]
                others += [
                    f"{each.arg}={self._span(each.value)}"
                    if each.arg
                    else f"**{self._span(each.value)}"
                    for each in node.keywords
                    if each is not keyword
                ]
                self._add(node, f"{self._span(node.func)}({', '.join(others)})")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # Documentation.
        self._add(node, "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add(node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add(node, "pass")
        self.generic_visit(node)


def mutants_of(file: Path) -> Sequence[Mutant]:
    """Every mutant of a file, in the order of its lines."""
    text = file.read_text("utf-8")
    finder = _Finder(file.relative_to(PROJECT).as_posix(), text)
    finder.visit(ast.parse(text))
    return finder.found


def _draw(seed: int, count: int) -> Sequence[Mutant]:
    files = sorted(file for source in SOURCES for file in (PROJECT / source).rglob("*.py"))
    everything = [mutant for file in files for mutant in mutants_of(file)]
    return random.Random(seed).sample(everything, min(count, len(everything)))


# --- Tests ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coverage:
    """Which tests execute which lines."""

    data: CoverageData

    def tests(self, mutant: Mutant) -> Sequence[str]:
        """The tests that should notice a mutant, those that execute its line first."""
        by_line = self.data.contexts_by_lineno(str(PROJECT / mutant.file))
        near = _tests_in(by_line.get(mutant.line, ()))
        if near and not mutant.at_import:
            return near
        return list(
            dict.fromkeys([*near, *_tests_in(c for each in by_line.values() for c in each)])
        )


def _tests_in(contexts: Iterable[str]) -> Sequence[str]:
    return sorted({context.partition("|")[0] for context in contexts} - {""})


def _measure(file: Path) -> Coverage:
    """Runs the quick tests once and notes what each executes."""
    print("Running the quick tests once, to see which lines each executes.", file=sys.stderr)
    subprocess.run(
        [sys.executable, "-m", "pytest", *TESTS, "-q", "-n", "2", "-m", "not slow",
         "-p", "no:cacheprovider",
         "--cov", "--cov-context=test", "--cov-report="],
        cwd=PROJECT,
        env={**os.environ, "COVERAGE_FILE": str(file)},
        check=True,
        stdout=sys.stderr,
    )  # fmt: skip
    data = CoverageData(str(file))
    data.read()
    return Coverage(data)


def _survives(mutant: Mutant, *, coverage: Coverage, copies: "SimpleQueue[Path]") -> bool:
    """Whether no test fails with the mutant in place of its file."""
    tests = coverage.tests(mutant)
    if not tests:
        return True
    copy = copies.get()
    target = copy / mutant.file
    original = target.read_bytes()
    target.write_bytes(mutant.apply(original))
    try:
        finished = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(str(copy / s) for s in SOURCES)},
            timeout=TIMEOUT_SECONDS,
            capture_output=True,
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        target.write_bytes(original)
        copies.put(copy)
    return finished.returncode == 0


def _copy_project(folder: Path) -> Path:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target)
    for name in (".venv", "node_modules"):
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
    parser.add_argument("--json", action="store_true", help="print the survivors as JSON")
    options = parser.parse_args()
    mutants = _draw(options.seed, options.count)
    with tempfile.TemporaryDirectory(prefix="prod-e-mutants-") as scratch:
        coverage = _measure(Path(scratch) / "coverage")
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.jobs):
            copies.put(_copy_project(Path(scratch) / str(number)))
        survivors = []
        with ThreadPoolExecutor(options.jobs) as pool:
            outcomes = pool.map(partial(_survives, coverage=coverage, copies=copies), mutants)
            for mutant, survived in zip(mutants, outcomes, strict=True):
                print(f"{'survived' if survived else 'noticed '}  {mutant}", file=sys.stderr)
                survivors += [mutant] if survived else []
    percent = 100 * len(survivors) / len(mutants)
    if options.json:
        print(json.dumps([str(mutant) for mutant in survivors], indent=2))
    else:
        print(
            f"{len(survivors)} of {len(mutants)} survived ({percent:.0f} %), seed {options.seed}."
        )
    return int(percent > MOST_SURVIVORS_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
