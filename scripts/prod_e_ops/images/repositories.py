"""The repositories of an environment, made before there is anything else of it."""

from typing import TYPE_CHECKING

from prod_e_ops.errors import UserMistake
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.console import Terminal
from prod_e_ops.terminal.processes import Supervisor
from prod_e_ops.terraform.cdktf import run_cdktf
from prod_e_ops.terraform.prepared import open_workspace

if TYPE_CHECKING:
    from prod_e.settings import Environment


async def create_repositories(
    project: Project, environment: "Environment", *, supervisor: Supervisor, terminal: Terminal
) -> None:
    """Deploys the registry stack of an environment, as `deploy` would, and no other stack.

    Raises `UserMistake` if that would do more than create, and `OpsError` if Terraform fails.
    """
    stack = f"{environment.name}-registry"
    async with open_workspace(
        project, environment.name, supervisor=supervisor, terminal=terminal, only=stack
    ) as workspace:
        plans = [plan for plan in await workspace.plan() if not plan.summary.is_empty]
        for plan in plans:
            summary = plan.summary
            others = (*summary.changed, *summary.replaced, *summary.destroyed)
            if others:
                raise UserMistake(
                    f"Deploying {stack} would do more than create what is missing:"
                    f" {summary.counts}.",
                    details=[change.address for change in others],
                    next_step="Nothing was changed. Look at it and deploy it yourself: npm run"
                    f" deploy -- {environment.name}",
                )
        await run_cdktf(workspace, "deploy", plans)
