"""`prod-e deploy` and `prod-e destroy`: the plan that is shown is the one that is applied."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prod_e_ops import next_commands
from prod_e_ops.commands.infrastructure.plan import show_plans
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.images.image_plan import ImageOptions
from prod_e_ops.project.project import Project
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.follow import service_statuses
from prod_e_ops.stacks.apply import apply_plan
from prod_e_ops.stacks.image_apply import apply_images
from prod_e_ops.stacks.prepared import PreparedStacks, StackPlan, prepare_stacks
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terminal.terminal import Terminal
from prod_e_ops.terraform.diagnostics import untaint
from prod_e_ops.terraform.parallel import for_each
from prod_e_ops.terraform.plan_changes import Change


async def deploy(
    project: Project,
    environment_name: str | None,
    *,
    yes: bool,
    allow_data_loss: bool,
    images: ImageOptions,
    as_json: bool,
    processes: ChildProcesses,
    terminal: Terminal,
) -> None:
    """Plans, asks, applies what was shown, and looks whether ECS kept what was deployed."""
    async with prepare_stacks(
        project, environment_name, processes=processes, terminal=terminal
    ) as prepared:
        name = prepared.environment.name
        planned = await prepared.plan(images)
        for skip in prepared.skipped_besides(planned):
            raise UserMistake(
                f"The stack {skip.stack.name} cannot be deployed: {skip.reason}.",
                next_step='Put that right, or set build = "external" for its services and push'
                " their images yourself.",
            )
        if any(not plan.is_empty for plan in planned):
            deployment = _Deployment(
                prepared=prepared,
                images=images,
                yes=yes,
                allow_data_loss=allow_data_loss,
                quiet=as_json,
            )
            await deployment.make(planned)
            await _verify_services(prepared)
        else:
            terminal.say(f"{name} is up to date.")
            for line in _what_is_not_followed(planned):
                terminal.say(line)
        outputs: dict[str, str] = {}
        for stack in prepared.stacks:
            outputs |= await prepared.terraform.outputs(stack)
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


@dataclass(frozen=True, kw_only=True)
class _Deployment:
    """What the user wants of a deployment. `quiet`: stdout is for the result alone."""

    prepared: PreparedStacks
    images: ImageOptions
    yes: bool
    allow_data_loss: bool
    quiet: bool

    async def make(self, planned: Sequence[StackPlan]) -> None:
        """Shows the plans, asks once for all of them, and applies them in their order.

        What the main stack may still hold is removed after that, by a plan with a question of its
        own: the repository of a service that is taken away, say.
        """
        lost = [] if self.allow_data_loss else _lost_data(planned)
        now, later = (planned, []) if lost else await self._split(planned)
        self._show([plan for plan in now if plan.images or not plan.is_empty])
        _refuse_data_loss(lost, left="Nothing was changed.")
        for plan in later:
            self.prepared.terminal.say(
                f"{plan.stack.name} is to lose what {self.prepared.environment.name} may still"
                " use: its removal is planned, and asked about, after that is deployed."
            )
        await self._ask(
            f"Deploy {self.prepared.environment.name} to the account {self.prepared.account}?",
            declined="Nothing was changed.",
        )
        for plan in now:
            await self._apply(plan)
        for plan in await self.prepared.plan_stacks([plan.stack for plan in later]):
            if not plan.is_empty:
                await self._agree(plan)
                await self._apply(plan)

    async def _split(
        self, planned: Sequence[StackPlan]
    ) -> tuple[Sequence[StackPlan], Sequence[StackPlan]]:
        """The plans to apply now, and those to make again once these are applied."""
        *others, main = planned
        # What a service runs from is in ECR: the local images of the image stack may go at once.
        later = (
            []
            if main.is_empty
            else [plan for plan in others if plan.summary.destroyed and not plan.images]
        )
        now = []
        for plan in planned:
            if plan not in later:
                now.append(plan)
            elif kept := plan.summary.kept_addresses:
                now += await self.prepared.plan_stacks([plan.stack], targets=kept)
        return now, later

    async def _apply(self, plan: StackPlan) -> None:
        if plan.is_empty:
            return
        if plan.images:
            await apply_images(self.prepared, plan, self.images, yes=self.yes)
        else:
            await apply_plan(self.prepared, plan, agree=self._agree)

    async def _agree(self, plan: StackPlan) -> None:
        """Shows, judges and asks about a plan that is made after others were applied."""
        left = f"{plan.stack.name} is as it was; what was deployed before it stays."
        self._show([plan])
        _refuse_data_loss([] if self.allow_data_loss else _lost_data([plan]), left=left)
        await self._ask(f"Apply this plan of {plan.stack.name}?", declined=left)

    def _show(self, plans: Sequence[StackPlan]) -> None:
        prepared = self.prepared
        if not self.quiet:
            show_plans(
                prepared.project,
                plans,
                (),
                terminal=prepared.terminal,
                terraform=None if self.yes else prepared.terraform,
            )

    async def _ask(self, question: str, *, declined: str) -> None:
        if not self.yes:
            await self.prepared.terminal.confirm(question, declined=declined)


async def destroy(
    project: Project,
    environment_name: str | None,
    *,
    yes: bool,
    processes: ChildProcesses,
    terminal: Terminal,
) -> None:
    """Shows what exists, says what is protected, asks, and applies what was shown."""
    async with prepare_stacks(
        project, environment_name, processes=processes, terminal=terminal
    ) as prepared:
        environment = prepared.environment
        stacks = list(reversed(prepared.stacks))
        existing = await for_each(stacks, prepared.terraform.resources)
        stacks = [stack for stack, found in zip(stacks, existing, strict=True) if found]
        if not stacks:
            terminal.say(f"Nothing of {environment.name} exists.")
            return
        _refuse_protected(prepared)

        async def ask(plans: Sequence[StackPlan], *, declined: str) -> None:
            show_plans(
                project,
                plans,
                (),
                terminal=terminal,
                terraform=None if yes else prepared.terraform,
            )
            terminal.result("")
            for line in _what_stays(prepared):
                terminal.say(line)
            if not yes:
                await terminal.confirm(
                    f"Destroy {environment.name} in the account {prepared.account}?"
                    " Type its name to go on:",
                    expected=environment.name,
                    declined=declined,
                )

        async def agree(plan: StackPlan) -> None:
            await ask([plan], declined=f"{plan.stack.name} is as it was.")

        plans = await prepared.plan_stacks(stacks, destroy=True)
        await ask(plans, declined="Nothing was changed.")
        for plan in plans:
            if not plan.is_empty:
                await apply_plan(prepared, plan, agree=agree)
        terminal.say(f"{environment.name} is gone.")


def _what_is_not_followed(plans: Sequence[StackPlan]) -> Iterator[str]:
    """What keeps services of an environment without changes from running this source."""
    for plan in plans:
        for image in plan.images:
            yield from image.lines()


def _lost_data(plans: Sequence[StackPlan]) -> list[str]:
    return [
        change.address + (_how_to_keep(plan, change) if change.is_unfinished else "")
        for plan in plans
        for change in plan.summary.loses_data
    ]


def _refuse_data_loss(lost: Sequence[str], *, left: str) -> None:
    if lost:
        raise UserMistake(
            "This deployment would destroy resources that hold data:",
            details=lost,
            next_step=f"{left} Take the setting back that asks for it, or repeat the command with"
            " --allow-data-loss.",
        )


def _how_to_keep(plan: StackPlan, change: Change) -> str:
    return f" ({change.reason}; to keep it: {untaint(plan.stack.name, change.address)})"


def _refuse_protected(prepared: PreparedStacks) -> None:
    environment = prepared.environment
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


def _what_stays(prepared: PreparedStacks) -> list[str]:
    environment = prepared.environment
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


async def _verify_services(prepared: PreparedStacks) -> None:
    """Terraform's wait ends when a service is steady, even if ECS has rolled it back."""
    with prepared.terminal.step("Verify the services") as step:
        statuses = await service_statuses(
            [Deployments(prepared.environment, key) for key in prepared.environment.services]
        )
        step.outcome = ", ".join(status.summary for status in statuses)
        failed = [status.summary for status in statuses if status.deployment.failed]
        if failed:
            raise OpsError(
                "ECS did not keep what was deployed:",
                details=failed,
                next_step="The service runs its previous task definition."
                f" `{next_commands.status(environment=prepared.environment.name)}` says why.",
            )
