"""What is read of a Terraform's output while it runs."""

import json
from types import SimpleNamespace

import pytest

from prod_e_ops.terraform import limits
from prod_e_ops.terraform.output.events import Event
from prod_e_ops.terraform.output.json_output import JsonOutput


class Run:
    """A run whose clock is the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.told: list[Event] = []
        self.output = JsonOutput("tiny-e", on_event=self.told.append, limit_seconds=60)

    def says(self, kind: str, *, address: str = "aws_lb.a", at: float = 0) -> None:
        self.now = at
        line = {"type": kind, "@message": kind, "hook": {"resource": {"addr": address}}}
        self.output.read(json.dumps(line))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(monkeypatch)


def test_what_is_no_json_says_nothing(run: Run) -> None:
    run.now = 50
    run.output.read("panic: runtime error")
    assert (run.told, run.output.errors, run.output.completed) == ([], [], 0)
    run.now = 61
    assert run.output.sign_of_life.is_missed


def test_events_are_told_and_ended_changes_are_counted(run: Run) -> None:
    run.says("apply_start")
    run.says("apply_complete")
    run.says("apply_complete", address="data.aws_lb.a")
    run.says("apply_complete", address="aws_lb.b")
    assert [event.kind for event in run.told] == ["apply_start", *["apply_complete"] * 3]
    assert {event.stack for event in run.told} == {"tiny-e"}
    assert run.output.completed == 2


@pytest.mark.parametrize(("severity", "count"), [("error", 1), ("warning", 0)])
def test_errors_are_kept_and_told_to_nobody(run: Run, severity: str, count: int) -> None:
    diagnostic = {"severity": severity, "summary": "It failed", "detail": "For a reason."}
    run.output.read(json.dumps({"type": "diagnostic", "diagnostic": diagnostic}))
    assert [error.summary for error in run.output.errors] == ["It failed"] * count
    assert run.told == []


@pytest.mark.parametrize(("kind", "is_missed"), [("apply_progress", True), ("apply_start", False)])
def test_that_it_still_waits_is_no_news(run: Run, kind: str, is_missed: bool) -> None:
    run.says(kind, at=50)
    assert run.told != []
    run.now = 61
    assert run.output.sign_of_life.is_missed is is_missed
