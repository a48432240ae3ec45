"""A plugin of pytest that notes what each test executes, how long it takes and whether it passes.

It is loaded by `-p tests.mutants.watched_run`, in a process in which coverage is started already.
Processes that a test starts are measured too; pytest's own variable tells them whose they are.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from coverage import Coverage

REPORT_VARIABLE = "PROD_E_WATCHED_RUN"
"""The environment variable that names the file for the report."""


@dataclass(frozen=True, kw_only=True)
class WatchedTest:
    """What became of a test: how long it took, its fixtures included, and how it ended."""

    name: str
    seconds: float
    passed: bool


class _Watch:
    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._not_passed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        measuring = Coverage.current()
        assert measuring is not None, "coverage has not started"
        measuring.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid
        self._seconds[name] = self._seconds.get(name, 0.0) + report.duration
        if not report.passed:
            self._not_passed.add(name)

    def pytest_sessionfinish(self) -> None:
        tests = [
            WatchedTest(name=name, seconds=round(seconds, 2), passed=name not in self._not_passed)
            for name, seconds in self._seconds.items()
        ]
        Path(os.environ[REPORT_VARIABLE]).write_text(json.dumps([asdict(each) for each in tests]))


def pytest_configure(config: pytest.Config) -> None:
    """Watches the tests of this run."""
    config.pluginmanager.register(_Watch())
