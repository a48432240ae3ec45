"""What is shown, and asked of Terraform, while stacks are planned."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prod_e.settings import load_environment
from prod_e_ops.context import Context
from prod_e_ops.project.project import Project, Stack
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terminal.terminal import Step, Terminal
from prod_e_ops.terraform.output.events import Event
from prod_e_ops.terraform.plans.plan_changes import PlanSummary


class Terraform:
    """Reads one resource of each stack that it plans, and counts what is to be done."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def plan(
        self, stack: Stack, *, on_event: Callable[[Event], None], **asked: Any
    ) -> PlanSummary:
        self.asked.append({"stack": stack.name, **asked})
        on_event(
            Event(
                stack=stack.name,
                kind="refresh_start",
                address="aws_vpc.a",
                message="aws_vpc.a: Refreshing state",
            )
        )
        on_event(Event(stack=stack.name, kind="change_summary", address="", message="Plan: 0"))
        return PlanSummary()


def test_what_terraform_reads_is_shown_with_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "tiny-e.toml"
    settings.write_text('name = "tiny-e"\n[services.backend]\n')
    shown: list[str] = []
    monkeypatch.setattr(Step, "update", lambda _, text: shown.append(text))
    terraform: Any = Terraform()
    stacks = [Stack(name, tmp_path / name) for name in ("tiny-e-registry", "tiny-e")]
    prepared = PreparedStacks(
        context=Context(
            project=Project(tmp_path, tmp_path),
            terminal=Terminal(),
            processes=ChildProcesses(lambda _: None),
        ),
        environment=load_environment(settings),
        account="123456789012",
        terraform=terraform,
        stacks=stacks,
        skipped=[],
    )
    planned = asyncio.run(prepared.plan_stacks(stacks, destroy=True, targets=("aws_vpc.a",)))
    assert [(plan.stack, plan.destroy) for plan in planned] == [(each, True) for each in stacks]
    assert sorted(shown) == [
        "tiny-e-registry: read aws_vpc.a",
        "tiny-e: read aws_vpc.a",
    ]
    nothing_built = {"replace": (), "variables": None}
    assert sorted(terraform.asked, key=lambda asked: str(asked["stack"])) == [
        {"stack": name, "destroy": True, "targets": ("aws_vpc.a",), **nothing_built}
        for name in ("tiny-e", "tiny-e-registry")
    ]
