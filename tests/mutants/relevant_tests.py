"""The tests that should notice a fault: those that execute its line, also in other processes."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from coverage import CoverageData

from tests.mutants.faults import PROJECT, SOURCES, Mutant

QUICKEST_FIRST = (
    "tests/unit", "tests/synthesis", "tests/programs", "tests/commands", "tests/embedded",
)  # fmt: skip
"""The folders of the tests, all but those that need a Docker daemon."""

READ_EVERY_FILE = ("tests/unit/test_conventions.py",)
"""Tests of the sources' own text: they execute nothing of it and may notice any fault."""

_SETTINGS = """\
[run]
source_pkgs = prod_e, prod_e_ops, embedded_aws, reference
patch = subprocess
parallel = true
sigterm = true
disable_warnings = no-data-collected, module-not-measured, module-not-imported
context = {context}
"""


@dataclass(frozen=True, kw_only=True)
class RelevantTests:
    """Which tests execute which lines."""

    data: CoverageData = field(repr=False)

    def of(self, mutant: Mutant) -> Sequence[str]:
        """The tests that should notice a mutant, those that execute its line first.

        A line that runs when its module is imported is everybody's who executes anything of it.
        """
        by_line = self.data.contexts_by_lineno(str(PROJECT / mutant.file))
        near = _tests_in(by_line.get(mutant.line, ()))
        if mutant.at_import or not near:
            far = _tests_in(context for each in by_line.values() for context in each)
            near = [*near, *(test for test in far if test not in near)]
        # A whole file, named because of a process that it starts, has its single tests in it.
        files = {test for test in near if "::" not in test}
        return [
            *READ_EVERY_FILE,
            *(test for test in near if test in files or test.partition("::")[0] not in files),
        ]


def _tests_in(contexts: Iterable[str]) -> list[str]:
    """The tests of coverage's contexts: `file|test|run` in pytest, `file` in what it starts."""
    tests = set()
    for context in contexts:
        file, _, rest = context.partition("|")
        tests.add(rest.partition("|")[0] or file)
    return sorted(tests - {""}, key=lambda test: (_place(test), test))


def _place(test: str) -> int:
    return next(i for i, folder in enumerate(QUICKEST_FIRST) if test.startswith(folder))


def search_path(project: Path) -> str:
    """PYTHONPATH for that copy of the sources, in place of the installed ones."""
    return os.pathsep.join(str(project / source) for source in SOURCES)


def measure(folder: Path, *, jobs: int) -> RelevantTests:
    """Runs each file of tests once, and notes in `folder` what it executes.

    What is there of an earlier run is taken as it is. A file of tests that fails is told, and left
    out: it would notice any fault.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [
        file.relative_to(PROJECT).as_posix()
        for tests in QUICKEST_FIRST
        for file in sorted((PROJECT / tests).rglob("test_*.py"))
    ]
    together = CoverageData(no_disk=True)
    with ThreadPoolExecutor(jobs) as pool:
        for file, measured in zip(files, pool.map(partial(_measure, folder), files), strict=True):
            if measured is None:
                print(f"{file} fails without any fault; it is left out.", file=sys.stderr)
            elif measured.exists():
                data = CoverageData(str(measured))
                data.read()
                together.update(data)
    return RelevantTests(data=together)


def _measure(folder: Path, file: str) -> Path | None:
    name = file.replace("/", "-").removesuffix(".py")
    measured, settings = folder / name, folder / f"{name}.ini"
    if settings.exists() and not (folder / f"{name}.failed").exists():
        return measured
    settings.write_text(_SETTINGS.format(context=file), "utf-8")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", file, "-q", "-m", "not slow", "-p", "no:cacheprovider",
         "--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report="],
        cwd=PROJECT,
        env={**os.environ, "COVERAGE_FILE": str(measured), "PYTHONPATH": search_path(PROJECT)},
        capture_output=True,
        text=True,
    )  # fmt: skip
    print(f"measured  {file}", file=sys.stderr)
    if finished.returncode not in (0, 5):  # 5: all its tests are slow.
        (folder / f"{name}.failed").write_text(finished.stdout, "utf-8")
        return None
    (folder / f"{name}.failed").unlink(missing_ok=True)
    return measured
