"""What the terminal shows: clocks first, and lines that fit."""

import io
import re
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from prod_e_ops.terminal import terminal as terminal_module
from prod_e_ops.terminal.terminal import Terminal
from tests.support.service_status import UNDER_WAY


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


def test_a_step_begins_with_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: 100.0)
    monkeypatch.setattr(terminal_module, "time", clock)
    terminal = Terminal()
    shown = on_terminal(terminal, width=80)
    with terminal.step("Deploy tiny-e-api") as step:
        assert step.line == "0s  Deploy tiny-e-api ..."
        step.update(UNDER_WAY.progress)
        assert step.line.startswith("0s  Deploy tiny-e-api: new 0/2  pending 2")
        step.outcome = "done"
        clock.monotonic = lambda: 102.5
    assert "✓ 2.5s  Deploy tiny-e-api: done" in shown.getvalue()


RULE = "aws_vpc_security_group_ingress_rule.backend_security-group_from-load-balancer_7136E4A0"


@pytest.mark.parametrize(
    ("title", "doing", "kept"),
    [
        ("Deploy prod-e-service", UNDER_WAY.progress, UNDER_WAY.progress),
        ("Deploy prod-e", f"12 of 82: create {RULE}", "12 of 82: create aws_vpc_security_group"),
        (
            "Plan prod-e-registry, prod-e-image, prod-e",
            "prod-e: read aws_lb.load-balancer_alb_15AADC07",
            "prod-e: read aws_lb.load-balancer_alb_15AADC07",
        ),
        ("Initialise Terraform", "prod-e-registry", "Initialise Terraform: prod-e-registry"),
        ("Build backend for linux/amd64", f"Step 5/22 : RUN {RULE} {RULE}", "Step 5/22 : RUN aws"),
        ("Build and push the images of prod-e-image", "backend [build 3/5] RUN npm ci", "3/5"),
    ],
)
@pytest.mark.parametrize("is_watched", [True, False], ids=["terminal", "pipe"])
def test_progress_fits_80_columns_and_begins_with_the_clock(
    title: str, doing: str, kept: str, *, is_watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal_module, "_HEARTBEAT_SECONDS", 0)
    terminal = Terminal()
    shown = io.StringIO()
    terminal.progress = Console(
        file=shown, force_terminal=is_watched, width=80, soft_wrap=True, no_color=True
    )
    with terminal.step(title) as step:
        step.update(doing)
        if is_watched:
            wait_until(lambda: kept in shown.getvalue())
    lines = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue()))
    progress = [line for line in lines if kept in line]
    assert progress
    assert max(map(len, lines)) <= 80
    assert all(re.match(r"(. | {2})\d+s {2}", line) for line in progress), progress


def test_the_clock_ticks_while_nothing_happens() -> None:
    terminal = Terminal()
    shown = on_terminal(terminal, width=80)
    with terminal.step("Deploy tiny-e"):
        wait_until(lambda: "0s  Deploy tiny-e ..." in shown.getvalue())
        wait_until(lambda: "1s  Deploy tiny-e ..." in shown.getvalue())
        wait_until(lambda: "2s  Deploy tiny-e ..." in shown.getvalue())


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
