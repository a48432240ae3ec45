"""One environment made ready for Terraform: synthesised, its account checked, initialised."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from prod_e_ops.account import check_account
from prod_e_ops.console import Step, Terminal
from prod_e_ops.dependency_lock import DependencyLock
from prod_e_ops.docker import why_no_docker
from prod_e_ops.errors import ProviderUnavailable
from prod_e_ops.plan_summary import PlanSummary
from prod_e_ops.project import Project, Stack
from prod_e_ops.provider_versions import InstalledVersions, installed_versions, shown, warnings
from prod_e_ops.supervisor import Supervisor
from prod_e_ops.synth import synthesise
from prod_e_ops.terraform import PLAN_FILE, PLAN_JSON_FILE, Event, Terraform, find_terraform

if TYPE_CHECKING:
    from prod_e.settings import Environment


@dataclass(frozen=True, kw_only=True)
class SkippedStack:
    """A stack that nothing can be done with here, and why."""

    stack: Stack
    reason: str


@dataclass(frozen=True, kw_only=True)
class StackPlan:
    """A stack's plan, which lies in its folder, and what it does."""

    stack: Stack
    summary: PlanSummary

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "stack": self.stack.name,
            **self.summary.as_json(),
            "plan_file": str(self.stack.folder / PLAN_FILE),
            "plan_json_file": str(self.stack.folder / PLAN_JSON_FILE),
        }


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """`stacks` in the order in which they are deployed, initialised; `skipped`: the others.

    `account`: the number of the AWS account that the credentials open.
    """

    project: Project
    environment: "Environment"
    account: str
    terraform: Terraform
    supervisor: Supervisor
    terminal: Terminal
    stacks: Sequence[Stack]
    skipped: Sequence[SkippedStack]

    async def plan(self) -> list[StackPlan]:
        """Plans every stack, one after the other."""
        plans = []
        for stack in self.stacks:
            with self.terminal.step(f"Plan {stack.name}") as step:
                summary = await self.terraform.plan(stack, on_event=partial(_show_message, step))
                step.outcome = summary.counts
            plans.append(StackPlan(stack=stack, summary=summary))
        return plans


def _show_message(step: Step, event: Event) -> None:
    step.update(event.message)


@asynccontextmanager
async def open_workspace(
    project: Project,
    environment_name: str | None,
    *,
    supervisor: Supervisor,
    terminal: Terminal,
    only: str | None = None,
) -> AsyncIterator[Workspace]:
    """Makes an environment ready; what concerns the user's mistakes is checked first.

    `only`: the name of the one stack that is wanted; default: all of them.

    Raises `UserMistake` for settings, credentials or a Terraform that will not do, and `OpsError`
    if AWS or Terraform fails.
    """
    environment = project.environment(environment_name)
    async with find_terraform(
        supervisor, cache_folder=project.folder / ".cache" / "terraform-providers"
    ) as terraform:
        with terminal.step("Synthesise") as step:
            await synthesise(project, supervisor, terminal)
            step.outcome = project.shown(project.output_folder)
        with terminal.step("Check the AWS account") as step:
            account = step.outcome = await check_account(environment)
        with terminal.step("Initialise Terraform") as step:
            stacks, skipped = await initialise(
                terraform,
                [s for s in project.stacks(environment.name) if only in (None, s.name)],
                supervisor=supervisor,
                on_stack=step.update,
                lock=DependencyLock(
                    folder=project.folder, registry=terraform.registry, tell=terminal.say
                ),
            )
            installed = installed_versions(stacks)
            step.outcome = describe(terraform, installed)
        for warning in warnings(installed):
            terminal.say(warning)
        for skip in skipped:
            terminal.say(f"- {skip.stack.name} is skipped: {skip.reason}.")
        yield Workspace(
            project=project,
            environment=environment,
            account=account,
            terraform=terraform,
            supervisor=supervisor,
            terminal=terminal,
            stacks=stacks,
            skipped=skipped,
        )


async def initialise(
    terraform: Terraform,
    stacks: Sequence[Stack],
    *,
    supervisor: Supervisor,
    on_stack: Callable[[str], object],
    lock: DependencyLock | None = None,
) -> tuple[list[Stack], list[SkippedStack]]:
    """Initialises the stacks; the ones that need a Docker that is not to be had are skipped.

    `lock`: see `Terraform.init`.
    """
    ready: list[Stack] = []
    skipped: list[SkippedStack] = []
    for stack in stacks:
        on_stack(stack.name)
        reason = await why_no_docker(supervisor) if stack.needs_docker else None
        if reason is None:
            try:
                await terraform.init(stack, lock=lock)
            except ProviderUnavailable as error:
                if not stack.needs_docker:
                    raise
                reason = error.reason
        if reason is None:
            ready.append(stack)
        else:
            skipped.append(SkippedStack(stack=stack, reason=reason))
    return ready, skipped


def describe(terraform: Terraform, installed: InstalledVersions) -> str:
    """For people: what plans, with which providers, and where they come from."""
    providers = shown(installed) or "providers"
    return f"{terraform.name} {terraform.version}, {providers} {terraform.providers.origin}"
