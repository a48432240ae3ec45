"""What the terminal shows: clocks first, and lines that fit."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from prod_e_ops.service.model import Deployment, Revision, ServiceStatus
from prod_e_ops.terminal.terminal import Terminal

NOW = datetime(2026, 1, 31, 12, 30, 15, tzinfo=UTC)

UNDER_WAY = ServiceStatus(
    key="api",
    service="tiny-e-api",
    cluster="tiny-e-cluster",
    task_definition="tiny-e-api:2",
    desired=2,
    running=2,
    pending=2,
    old_running=2,
    digests=(),
    targets={"healthy": 2, "initial": 2, "draining": 1},
    deployment=Deployment(
        id="d1",
        status="IN_PROGRESS",
        reason="",
        created_at=NOW,
        finished_at=None,
        revision=Revision(id="r1", task_definition="tiny-e-api:2"),
    ),
    events=(),
)


def test_progress_is_one_line_of_80_columns() -> None:
    assert UNDER_WAY.progress == "new 0/2  pending 2  old 2  healthy 2  initial 2  draining 1"
    assert replace(UNDER_WAY, pending=0, targets={}).progress == "new 0/2  old 2"


def on_terminal(terminal: Terminal, *, width: int) -> io.StringIO:
    shown = io.StringIO()
    console = Console(
        file=shown, force_terminal=True, width=width, highlight=False, soft_wrap=True, no_color=True
    )
    terminal.results = terminal.progress = console
    return shown


def test_a_step_begins_with_its_clock() -> None:
    terminal = Terminal()
    shown = on_terminal(terminal, width=80)
    with terminal.step("Deploy tiny-e-api") as step:
        assert step.line == "0s  Deploy tiny-e-api ..."
        step.update(UNDER_WAY.progress)
        assert step.line.startswith("0s  Deploy tiny-e-api: new 0/2  pending 2")
        step.outcome = "done"
    assert "✓ 0.0s  Deploy tiny-e-api: done" in shown.getvalue()


@pytest.mark.parametrize(("width", "lines"), [(80, 4), (200, 2)])
def test_a_table_that_is_too_wide_has_its_last_cell_below(width: int, lines: int) -> None:
    terminal = Terminal()
    shown = on_terminal(terminal, width=width)
    terminal.table([("DIGEST", "TAGS"), ("sha256:0123456789ab", "content-0123456789abcdef, " * 3)])
    found = shown.getvalue().splitlines()
    assert len(found) == lines
    assert max(map(len, found)) <= width


def test_a_table_for_a_program_has_a_line_for_each_row() -> None:
    terminal = Terminal()
    shown = io.StringIO()
    terminal.results = Console(file=shown, width=40, soft_wrap=True)
    terminal.table([("DIGEST", "TAGS"), ("sha256:0123456789ab", "content-0123456789abcdef, " * 3)])
    assert len(shown.getvalue().splitlines()) == 2
