"""The tests that should notice a fault: those that execute its line, also in other processes."""

import ast
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import DataError

from tests.mutants.faults import PROJECT, SOURCES, Mutant
from tests.mutants.measured_sources import MeasuredSources, content_of
from tests.mutants.watched_run import REPORT_VARIABLE, WatchedTest

TOGETHER = ("tests/unit", "tests/synthesis")
"""Folders whose tests need no process of their own, and run in one."""

ONE_BY_ONE = ("tests/programs", "tests/embedded", "tests/commands", "tests/docker")
"""Folders each of whose files is run in a process of its own."""

READ_EVERY_FILE = tuple(
    f"tests/unit/sources/test_{name}.py"
    for name in ("conventions", "hints", "imports", "next_commands", "package")
)
"""Tests of the sources' own text: they execute nothing of it and may notice any fault."""

SHARE_WHAT_IS_MADE = "tests/synthesis"
"""Tests that look at what the first of them that asked for it has synthesised."""

STARTED_BY = {
    "scripts/embedded_aws/data_plane/keeper.py": "scripts/embedded_aws/data_plane/kept_process.py"
}
"""Scripts that run with nothing of the environment, coverage's included: who starts them."""

_SETTINGS = f"""\
[run]
# Not the packages: what is run by `python -m` has another name than its package's.
source =
{"".join(f"    {PROJECT / source}{os.linesep}" for source in SOURCES)}\
parallel = true
sigterm = true
# The embedded AWS ends by os._exit.
patch = _exit
disable_warnings = no-data-collected, module-not-measured, module-not-imported, dynamic-conflict
# What a test starts is measured as that test's; pytest itself says which test runs.
context = ${{PYTEST_CURRENT_TEST-}}
"""

_REPORT = "report.json"

_Lines = Mapping[int, frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class RelevantTests:
    """Which tests execute which lines, and how many seconds each takes."""

    lines: Mapping[str, _Lines]
    seconds: Mapping[str, float]

    def of(self, mutant: Mutant, *, seconds: float) -> Sequence[str]:
        """The tests that should notice a mutant, the quickest files first.

        A line that runs when its module is imported is everybody's who executes anything of it.
        No more tests than take that many seconds, and one at least.
        """
        by_line = self.lines.get(mutant.file, {})
        if starter := STARTED_BY.get(mutant.file):
            starting = self.lines.get(starter, {}).values()
            by_line = {mutant.line: frozenset(test for tests in starting for test in tests)}
        statement = _statements(PROJECT / mutant.file).get(mutant.line, range(0))
        of_line = {
            test
            for lines in ([mutant.line], statement)
            for line in lines
            for test in by_line.get(line, ())
        }
        if mutant.at_import or not of_line:
            bodies = _lines_of_bodies(PROJECT / mutant.file)
            of_line |= {test for line in bodies for test in by_line.get(line, ())}
            # What pytest imports before the first test is no test's, and so maybe each one's.
            of_line |= {test for test in self.seconds if test.startswith(TOGETHER)}
        if any(test.startswith(SHARE_WHAT_IS_MADE) for test in of_line):
            of_line |= {test for test in self.seconds if test.startswith(SHARE_WHAT_IS_MADE)}
        chosen: list[str] = []
        left = seconds
        for test in self._quickest_first(of_line):
            if chosen and self.seconds[test] > left:
                continue
            chosen.append(test)
            left -= self.seconds[test]
        return [*chosen, *READ_EVERY_FILE]

    def _quickest_first(self, tests: Iterable[str]) -> Sequence[str]:
        """Tests of one file stay together, for they share what they begin with."""
        files: dict[str, list[str]] = defaultdict(list)
        for test in tests:
            files[test.partition("::")[0]].append(test)
        total = {file: sum(self.seconds[test] for test in of) for file, of in files.items()}
        return [
            test
            for file in sorted(files, key=lambda file: (total[file], file))
            for test in sorted(files[file], key=lambda test: (self.seconds[test], test))
        ]


@cache
def _statements(file: Path) -> Mapping[int, range]:
    """The lines of the innermost statement that each line is of, for which one line may stand."""
    found: dict[int, range] = {}
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        # Outer statements come before the inner ones.
        if isinstance(node, ast.stmt):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            found.update(dict.fromkeys(lines, lines))
    return found


@cache
def _lines_of_bodies(file: Path) -> frozenset[int]:
    """The lines of a file that run later than its import."""
    return frozenset(
        line
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
        for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    )


def search_path(project: Path) -> str:
    """PYTHONPATH for that copy of the sources, in place of the installed ones."""
    return os.pathsep.join(str(project / source) for source in SOURCES)


def measure(folder: Path, tests_of: Sequence[str], *, jobs: int) -> RelevantTests:
    """Runs every test of some places once, and notes in `folder` what each executes, how long.

    What is there of an earlier run is taken, unless the file of the test has changed since then:
    lines of the sources that have moved are found again, and what executes changed ones is not
    known. A test that fails is told, and left out: it would notice any fault.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "coverage.ini").write_text(_SETTINGS, "utf-8")
    sources = MeasuredSources.keep(folder / "sources")
    together = [tests for tests in tests_of if tests.startswith(TOGETHER)]
    files = [
        file.relative_to(PROJECT).as_posix()
        for tests in tests_of
        if tests not in together
        for file in (
            [PROJECT / tests]
            if tests.endswith(".py")
            else sorted((PROJECT / tests).rglob("test_*.py"))
        )
    ]
    seconds: dict[str, float] = {}
    lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    with ThreadPoolExecutor(jobs) as pool:
        for measured in pool.map(partial(_measure, folder, sources), [*together, *files]):
            report = json.loads((measured / _REPORT).read_text())
            tests = [WatchedTest(**each) for each in report["tests"]]
            for test in tests:
                if test.passed:
                    seconds[test.name] = test.seconds
                else:
                    print(f"left out, for it does not pass: {test.name}", file=sys.stderr)
            of = MeasuredSources(folder=folder / "sources" / report["sources"])
            _read(measured, {test.name for test in tests if test.passed}, of, lines)
    return RelevantTests(
        lines={
            file: {line: frozenset(tests) for line, tests in of.items()}
            for file, of in lines.items()
        },
        seconds=seconds,
    )


def _measure(folder: Path, sources: MeasuredSources, tests: str) -> Path:
    measured = folder / tests.replace("/", "-").removesuffix(".py")
    content = content_of([PROJECT / tests])
    report = measured / _REPORT
    if report.exists() and json.loads(report.read_text())["content"] == content:
        return measured
    measured.mkdir(exist_ok=True)
    for left in measured.iterdir():
        left.unlink()
    watched = measured / "watched.json"
    subprocess.run(
        [sys.executable, "-m", "pytest", tests, "-q", "-m", "not slow", "-p", "no:cacheprovider",
         "-p", "tests.mutants.watched_run"],
        cwd=PROJECT,
        env={
            **os.environ,
            "COVERAGE_FILE": str(measured / "data"),
            "COVERAGE_PROCESS_START": str(folder / "coverage.ini"),
            "PYTHONPATH": search_path(PROJECT),
            REPORT_VARIABLE: str(watched),
        },
        stdout=(measured / "output.txt").open("wb"),
        stderr=subprocess.STDOUT,
        check=False,
    )  # fmt: skip
    if not watched.exists():
        raise SystemExit(f"pytest did not end; see {measured / 'output.txt'}")
    found = json.loads(watched.read_text())
    report.write_text(
        json.dumps({"content": content, "sources": sources.folder.name, "tests": found})
    )
    print(f"measured  {tests}", file=sys.stderr)
    return measured


def _read(
    folder: Path, tests: set[str], sources: MeasuredSources, lines: dict[str, dict[int, set[str]]]
) -> None:
    """Adds what these tests execute to `lines`; `sources`: as they were."""
    by_file: dict[str, set[str]] = defaultdict(set)
    for test in tests:
        by_file[test.partition("::")[0]].add(test)
    for data_file in folder.glob("data.*"):
        data = CoverageData(str(data_file))
        try:
            data.read()
        except DataError:
            # A process that was killed had not written it yet.
            print(f"left out, for it is not whole: {data_file}", file=sys.stderr)
            continue
        for file in data.measured_files():
            name = Path(file).relative_to(PROJECT).as_posix()
            today = sources.lines_today(name)
            for line, contexts in data.contexts_by_lineno(file).items():
                if line in today:
                    for context in contexts:
                        lines[name][today[line]] |= _tests_of(context, by_file)


def _tests_of(context: str, by_file: Mapping[str, set[str]]) -> set[str]:
    """The tests of a context: a test, `test (call)` in what it starts, `test (setup)` in a fixture.

    What is started by a fixture may be there for any test of the file.
    """
    test, _, phase = context.rpartition(" (")
    if phase not in ("setup)", "teardown)", "call)"):
        test, phase = context, ""
    tests = by_file.get(test.partition("::")[0], set())
    return set(tests) if phase in ("setup)", "teardown)") else tests & {test}
