"""The repositories of an environment, made before there is anything else of it."""

from typing import TYPE_CHECKING

from prod_e_ops import next_commands
from prod_e_ops.errors import UserMistake
from prod_e_ops.project.project import Project
from prod_e_ops.stacks.apply import apply_plan
from prod_e_ops.stacks.prepared import StackPlan, prepare_stacks
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terminal.terminal import Terminal

if TYPE_CHECKING:
    from prod_e.settings import Environment


async def create_repositories(
    project: Project, environment: "Environment", *, processes: ChildProcesses, terminal: Terminal
) -> None:
    """Deploys the registry stack of an environment, as `deploy` would, and no other stack.

    It is not asked about: it changes and destroys nothing.

    Raises `UserMistake` if that would do more than create, and `OpsError` if Terraform fails.
    """
    stack = f"{environment.name}-registry"
    async with prepare_stacks(
        project, environment.name, processes=processes, terminal=terminal, only=stack
    ) as prepared:
        for plan in await prepared.plan():
            if not plan.is_empty:
                await _refuse_more_than_create(plan)
                await apply_plan(prepared, plan, agree=_refuse_more_than_create)


async def _refuse_more_than_create(plan: StackPlan) -> None:
    summary = plan.summary
    others = (*summary.changed, *summary.replaced, *summary.destroyed)
    if others:
        raise UserMistake(
            f"Deploying {plan.stack.name} would do more than create what is missing:"
            f" {summary.counts}.",
            details=[change.address for change in others],
            next_step="Nothing was changed. Look at it and deploy it yourself:"
            f" {next_commands.deploy(plan.stack.name.removesuffix('-registry'))}",
        )
