"""Stacks that are ready for Terraform, with a Terraform whose plans are a test's."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.output.events import Event
from prod_e_ops.terraform.plans.plan_changes import Change, PlanSummary
from prod_e_ops.terraform.states.state import StateResource
from tests.support.project.demo_run import Screen, run_of

NOTHING = PlanSummary()


@dataclass(kw_only=True)
class PlannedTerraform:
    """`plans`: of each stack, one after the other; the last one stays.

    `ends`: how an application of a stack ends, one after the other; `says`: what it tells of its
    work before.
    """

    plans: dict[str, list[PlanSummary]] = field(default_factory=dict)
    ends: dict[str, list[BaseException | None]] = field(default_factory=dict)
    says: Sequence[Event] = ()
    state: Mapping[str, Sequence[StateResource]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    async def plan(self, stack: Stack, *, on_event: object, **options: Any) -> PlanSummary:
        how = {name: value for name, value in options.items() if value}
        self.done.append(f"plan {stack.name}" + (f" {how}" if how else ""))
        plans = self.plans.get(stack.name, [NOTHING])
        return plans.pop(0) if len(plans) > 1 else plans[0]

    async def apply(self, stack: Stack, *, on_event: Callable[[Event], None], **_: object) -> None:
        for event in self.says:
            on_event(event)
        await asyncio.sleep(0)
        ends = self.ends.get(stack.name, [])
        if ends and (error := ends.pop(0)):
            self.done.append(f"fail {stack.name}")
            raise error
        self.done.append(f"apply {stack.name}")

    async def outputs(self, stack: Stack) -> Mapping[str, str]:
        return {f"url_of_{stack.name}": "https://example.com"}

    async def resources(self, stack: Stack) -> Sequence[StateResource]:
        return self.state.get(stack.name, ())

    async def addresses(self, stack: Stack) -> Sequence[str]:
        if stack.name not in self.state:
            raise OpsError("there is no state")
        return [each.address for each in self.state[stack.name]]

    def keeps_plan(self, stack: Stack) -> bool:
        return False

    def plan_file(self, stack: Stack) -> Path:
        return Path(f"{stack.name}.tfplan")


def change(address: str, *keys: str, **after: Any) -> Change:
    """What a plan does to a resource."""
    return Change(address, address.partition(".")[0], changed_keys=keys, after=after)


def stacks_in(folder: Path, *names: str) -> list[Stack]:
    """Stacks with these names, none of which builds an image."""
    stacks = [Stack(name, folder / "cdktf.out" / "stacks" / name) for name in names]
    for stack in stacks:
        stack.folder.mkdir(parents=True)
        stack.json_file.write_text(json.dumps({"terraform": {}, "resource": {}}))
    return stacks


def prepared_in(
    folder: Path,
    terraform: PlannedTerraform,
    *names: str,
    settings: str = "[services.backend]\n",
    stopped_at_once: bool = False,
) -> PreparedStacks:
    """An environment with stacks of these names, in the order in which they are deployed."""
    run = run_of(folder, settings)
    stacks = stacks_in(folder, *names)
    project: Any = SimpleNamespace(
        folder=folder,
        stacks=lambda _: stacks,
        shown=lambda path: Path(path).relative_to(folder).as_posix(),
    )
    context: Any = SimpleNamespace(
        project=project,
        terminal=run.context.terminal,
        processes=SimpleNamespace(stopped_at_once=stopped_at_once),
    )
    any_terraform: Any = terraform
    return PreparedStacks(
        context=context,
        environment=run.environment,
        account="123456789012",
        terraform=any_terraform,
        stacks=stacks,
        skipped=[],
    )


def screen_of(prepared: PreparedStacks) -> Screen:
    """What is shown of it."""
    screen: Any = prepared.context.terminal
    assert isinstance(screen, Screen)
    return screen
