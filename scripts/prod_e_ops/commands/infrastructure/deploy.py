"""`prod-e deploy` and `prod-e destroy`: through cdktf, after a look at what it will do."""

import json
from collections.abc import Iterator, Sequence

from prod_e_ops.commands.infrastructure.plan import show_plans
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.images.image_apply import apply_images
from prod_e_ops.images.image_plan import ImageOptions
from prod_e_ops.project.project import Project
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.follow import service_statuses
from prod_e_ops.terminal.console import Terminal
from prod_e_ops.terminal.processes import Supervisor
from prod_e_ops.terraform.cdktf import run_cdktf
from prod_e_ops.terraform.diagnostics import untaint
from prod_e_ops.terraform.plan_changes import Change
from prod_e_ops.terraform.prepared import StackPlan, Workspace, open_workspace


async def deploy(
    project: Project,
    environment_name: str | None,
    *,
    yes: bool,
    allow_data_loss: bool,
    images: ImageOptions,
    as_json: bool,
    supervisor: Supervisor,
    terminal: Terminal,
) -> None:
    """Plans, asks, applies, and looks whether ECS kept what was deployed.

    Images are built by Terraform itself, which is given the plan that was shown; the other stacks
    are applied through cdktf.
    """
    async with open_workspace(
        project, environment_name, supervisor=supervisor, terminal=terminal
    ) as workspace:
        name = workspace.environment.name
        planned = await workspace.plan(images)
        for skip in workspace.skipped_besides(planned):
            raise UserMistake(
                f"The stack {skip.stack.name} cannot be deployed: {skip.reason}.",
                next_step='Put that right, or set build = "external" for its services and push'
                " their images yourself.",
            )
        plans = [plan for plan in planned if not plan.is_empty]
        if plans:
            if not as_json:
                shown = [plan for plan in planned if plan.images or not plan.is_empty]
                show_plans(project, shown, (), terminal=terminal)
            if not allow_data_loss:
                _refuse_data_loss(plans)
            if not yes:
                await terminal.confirm(f"Deploy {name} to the account {workspace.account}?")
            for plan in plans:
                if plan.images:
                    await apply_images(workspace, plan, images, yes=yes)
                else:
                    await run_cdktf(workspace, "deploy", [plan])
            await _verify_services(workspace)
        else:
            terminal.say(f"{name} is up to date.")
            for line in _what_is_not_followed(planned):
                terminal.say(line)
        outputs: dict[str, str] = {}
        for stack in workspace.stacks:
            outputs |= await workspace.terraform.outputs(stack)
        if as_json:
            done = {
                "environment": name,
                "outputs": outputs,
                "images": [image.as_json() for plan in planned for image in plan.images],
            }
            terminal.result(json.dumps(done, indent=2))
        else:
            terminal.result("")
            terminal.table(sorted(outputs.items()))


async def destroy(
    project: Project,
    environment_name: str | None,
    *,
    yes: bool,
    supervisor: Supervisor,
    terminal: Terminal,
) -> None:
    """Shows what exists, says what is protected, asks, and destroys it through cdktf."""
    async with open_workspace(
        project, environment_name, supervisor=supervisor, terminal=terminal
    ) as workspace:
        environment = workspace.environment
        plans = []
        for stack in reversed(workspace.stacks):
            if not await workspace.terraform.resources(stack):
                continue
            _refuse_protected(workspace)
            with terminal.step(f"Plan {stack.name}") as step:
                summary = await workspace.terraform.plan(stack, destroy=True)
                step.outcome = summary.counts
            plans.append(StackPlan(stack=stack, summary=summary))
        if not plans:
            terminal.say(f"Nothing of {environment.name} exists.")
            return
        show_plans(project, plans, (), terminal=terminal)
        terminal.result("")
        for line in _what_stays(workspace):
            terminal.say(line)
        if not yes:
            await terminal.confirm(
                f"Destroy {environment.name} in the account {workspace.account}?"
                " Type its name to go on:",
                expected=environment.name,
            )
        await run_cdktf(workspace, "destroy", plans)
        terminal.say(f"{environment.name} is gone.")


def _what_is_not_followed(plans: Sequence[StackPlan]) -> Iterator[str]:
    """What keeps services of an environment without changes from running this source."""
    for plan in plans:
        for image in plan.images:
            yield from image.lines()


def _refuse_data_loss(plans: Sequence[StackPlan]) -> None:
    lost = [
        change.address + (_how_to_keep(plan, change) if change.is_unfinished else "")
        for plan in plans
        for change in plan.summary.loses_data
    ]
    if lost:
        raise UserMistake(
            "This deployment would destroy resources that hold data:",
            details=lost,
            next_step="Nothing was changed. Take the setting back that asks for it, or repeat the"
            " command with --allow-data-loss.",
        )


def _how_to_keep(plan: StackPlan, change: Change) -> str:
    return f" ({change.reason}; to keep it: {untaint(plan.stack.name, change.address)})"


def _refuse_protected(workspace: Workspace) -> None:
    environment = workspace.environment
    protected = []
    if environment.database and environment.database.deletion_protection:
        protected.append("[database] deletion_protection = true keeps the database and its data")
    if environment.load_balancer.deletion_protection:
        protected.append("[load_balancer] deletion_protection = true keeps the load balancer")
    if protected:
        raise UserMistake(
            f"{environment.name} is protected against deletion:",
            details=protected,
            next_step="Nothing was destroyed. Set these to false in"
            f" environments/{environment.name}.toml, deploy, and run the command again.",
        )


def _what_stays(workspace: Workspace) -> list[str]:
    environment = workspace.environment
    database = environment.database
    lines = []
    if database:
        lines.append(
            "The database leaves a final snapshot, which you pay for until you delete it."
            if database.final_snapshot
            else "The database leaves no final snapshot: its data is lost."
        )
    lines.append("ECR refuses to delete a repository with images in it; delete those first.")
    if environment.load_balancer.access_logs:
        lines.append("S3 refuses to delete the bucket of the access logs while it holds any.")
    return lines


async def _verify_services(workspace: Workspace) -> None:
    """Terraform's wait ends when a service is steady, even if ECS has rolled it back."""
    with workspace.terminal.step("Verify the services") as step:
        statuses = await service_statuses(
            [Deployments(workspace.environment, key) for key in workspace.environment.services]
        )
        step.outcome = ", ".join(status.summary for status in statuses)
        failed = [status.summary for status in statuses if status.deployment.failed]
        if failed:
            raise OpsError(
                "ECS did not keep what was deployed:",
                details=failed,
                next_step="The service runs its previous task definition. `prod-e deploy-status"
                f" --environment {workspace.environment.name}` says why.",
            )
