"""`prod-e deploy`: the plan that is shown is the one that is applied."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from prod_e_ops.analysis.database_changes import waiting_changes
from prod_e_ops.commands.arguments import (
    EnvironmentArgument,
    EnvironmentOption,
    Json,
    Rebuild,
    Yes,
    named_environment,
)
from prod_e_ops.context import Context, run
from prod_e_ops.images.image_plan import ImageOptions
from prod_e_ops.images.results import ImagePlanResult
from prod_e_ops.service.follow import verify_services
from prod_e_ops.stacks.apply import apply_plan
from prod_e_ops.stacks.images.image_apply import apply_images
from prod_e_ops.stacks.images.missing_images import (
    first_pushes,
    missing_images,
    refuse_missing_images,
)
from prod_e_ops.stacks.images.repository_images import delete_images, images_lost
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks, prepare_stacks
from prod_e_ops.stacks.refusals import (
    loses_data,
    refuse_data_loss,
    refuse_late_upgrades,
    refuse_skipped,
)
from prod_e_ops.stacks.render import show_plans, total_counts
from prod_e_ops.stacks.results import DeployResult
from prod_e_ops.stacks.take_over.orphans import tell_orphans
from prod_e_ops.stacks.take_over.take_over import take_over
from prod_e_ops.terminal.json_output import to_json
from prod_e_ops.terraform.parallel import for_each


@dataclass(frozen=True, kw_only=True)
class DeployOptions:
    """What the user asks of a deployment; see `prod-e deploy --help`.

    `yes`: asks nothing but whether to take over what is there, which `takes_over` answers.
    `may_lose`: the addresses of resources that hold data and may be destroyed or replaced.
    `as_json`: stdout is for the result alone.
    """

    images: ImageOptions
    yes: bool = False
    takes_over: bool = False
    may_lose: Collection[str] = ()
    as_json: bool = False


def deploy(
    environment: EnvironmentArgument = None,
    named: EnvironmentOption = None,
    yes: Yes = False,
    json: Json = False,
    allow_data_loss: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-data-loss",
            metavar="ADDRESS",
            help="Let the plan replace or destroy this resource, which holds data; repeatable.",
            show_default=False,
        ),
    ] = None,
    rebuild: Rebuild = False,
    move_latest: Annotated[
        bool,
        typer.Option(
            "--move-latest",
            help="Move latest, or the tag that the settings follow, to this source's image even if"
            " ECR has it already: after a rollback, or someone else's push.",
        ),
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Let Terraform import what AWS has of the environment and no state names, left by"
            " a run that was interrupted; --yes alone does not.",
        ),
    ] = False,
) -> None:
    """Deploy an environment: plan, ask, apply that plan, verify.

    Stacks without changes are left alone. What ECR has is not built again. A deployment that ECS
    rolls back fails.

    Example: ./prod-e deploy staging-e
    """
    options = DeployOptions(
        yes=yes,
        takes_over=take_over,
        may_lose=frozenset(allow_data_loss or ()),
        images=ImageOptions(rebuild=rebuild, move_followed=move_latest),
        as_json=json,
    )
    run(
        lambda context: deploy_environment(
            context, named_environment(environment, named), options=options
        )
    )


async def deploy_environment(
    context: Context, environment_name: str | None, *, options: DeployOptions
) -> None:
    """Plans, asks, applies what was shown, and looks whether ECS kept what was deployed.

    Raises `PlanRefused` for a plan that loses data, `StackNotDeployable` for images that cannot be
    built here, `LeftOver` for what AWS has and nobody takes over, and `DeploymentFailed` if ECS
    does not keep what was deployed.
    """
    terminal = context.terminal
    async with prepare_stacks(context, environment_name) as prepared:
        name = prepared.environment.name
        plans = await prepared.plan(options.images)
        refuse_skipped(prepared.skipped_besides(plans))
        plans = await take_over(prepared, plans, agreed=options.takes_over, yes=options.yes)
        if any(not plan.is_empty for plan in plans):
            pushed = await _Deployment(prepared=prepared, options=options).make(plans)
            await verify_services(prepared.environment, context.terminal, pushed=pushed)
            for waiting in _what_waits(plans):
                terminal.say(waiting)
        else:
            terminal.say(f"{name} is up to date.")
            for line in _what_is_not_followed(plans):
                terminal.say(line)
            # A job that is run again must not turn green because there was nothing to deploy.
            await verify_services(prepared.environment, terminal)
        await tell_orphans(prepared)
        outputs: dict[str, str] = {}
        for of_stack in await for_each(prepared.stacks, prepared.terraform.outputs):
            outputs |= of_stack
        if options.as_json:
            result = DeployResult(
                environment=name,
                outputs=outputs,
                images=[ImagePlanResult.of(image) for plan in plans for image in plan.images],
            )
            terminal.result(to_json(result))
        else:
            terminal.result("")
            terminal.table(sorted(outputs.items()))


@dataclass(frozen=True, kw_only=True)
class _Deployment:
    """Plans of one environment on their way to AWS."""

    prepared: PreparedStacks
    options: DeployOptions

    async def make(self, plans: Sequence[StackPlan]) -> Mapping[str, datetime]:
        """Shows the plans, asks once for all of them, and applies them in their order.

        What the main stack may still hold is removed after that, by a plan with a question of its
        own: the repository of a service that is taken away, say. Stacks that imported something are
        planned again too.

        Gives the services whose followed tag was pushed; see `apply_images`.
        """
        prepared = self.prepared
        is_refused = loses_data(plans, may_lose=self.options.may_lose)
        now, later = (plans, []) if is_refused else await self._split(plans)
        self._show([plan for plan in now if plan.images or not plan.is_empty])
        name = prepared.environment.name
        missing = await missing_images(prepared, plans)
        refuse_missing_images(missing, environment=name)
        self._judge(plans, left="Nothing was changed.")
        for line in first_pushes(missing, environment=name):
            prepared.context.terminal.say(line)
        for plan in later:
            prepared.context.terminal.say(
                f"{plan.stack.name} will lose what {prepared.environment.name} may still use: that"
                f" is planned, and asked about, once {prepared.environment.name} is deployed."
            )
        await self._ask(
            f"Deploy {prepared.environment.name} to the account {prepared.account},"
            f" {prepared.environment.region}: {total_counts(now)}?",
            declined="Nothing was changed.",
        )
        pushed: dict[str, datetime] = {}
        for plan in now:
            pushed |= await self._apply(plan)
        # A listener's rule that was imported is read otherwise afterwards, and changes once more:
        # https://github.com/hashicorp/terraform-provider-aws/pull/39413
        again = [plan.stack for plan in plans if plan in later or plan.summary.imported]
        for plan in await prepared.plan_stacks(again):
            if not plan.is_empty:
                await self._agree(plan)
                await self._apply(plan)
        return pushed

    async def _split(
        self, plans: Sequence[StackPlan]
    ) -> tuple[Sequence[StackPlan], Sequence[StackPlan]]:
        """The plans to apply now, and those to make again once these are applied."""
        *others, main = plans
        # What a service runs from is in ECR: the local images of the image stack may go at once.
        later = (
            []
            if main.is_empty
            else [plan for plan in others if plan.summary.destroyed and not plan.images]
        )
        now = []
        for plan in plans:
            if plan not in later:
                now.append(plan)
            elif kept := plan.summary.kept_addresses:
                now += await self.prepared.plan_stacks([plan.stack], targets=kept)
        return now, later

    async def _apply(self, plan: StackPlan) -> Mapping[str, datetime]:
        """Gives the services whose followed tag was pushed."""
        if plan.is_empty:
            return {}
        if plan.images:
            return await apply_images(
                self.prepared, plan, self.options.images, yes=self.options.yes
            )
        await delete_images(self.prepared, plan)
        await apply_plan(self.prepared, plan, agree=self._agree)
        return {}

    async def _agree(self, plan: StackPlan) -> None:
        """Shows, judges and asks about a plan that is made after others were applied."""
        left = f"{plan.stack.name} is as it was; what was deployed before it stays."
        self._show([plan])
        self._judge([plan], left=left)
        for line in await images_lost(self.prepared, [plan]):
            self.prepared.context.terminal.say(line)
        await self._ask(
            f"Apply this plan of {plan.stack.name}: {total_counts([plan])}?", declined=left
        )

    def _show(self, plans: Sequence[StackPlan]) -> None:
        if not self.options.as_json:
            show_plans(
                self.prepared.context,
                plans,
                saved_by=None if self.options.yes else self.prepared.terraform,
            )

    def _judge(self, plans: Sequence[StackPlan], *, left: str) -> None:
        refuse_late_upgrades(plans, left=left)
        refuse_data_loss(
            plans,
            may_lose=self.options.may_lose,
            left=left,
            environment=self.prepared.environment.name,
        )

    async def _ask(self, question: str, *, declined: str) -> None:
        if not self.options.yes:
            await self.prepared.context.terminal.confirm(question, declined=declined)


def _what_waits(plans: Sequence[StackPlan]) -> Iterator[str]:
    """What was asked for and is not done yet."""
    for plan in plans:
        for change in waiting_changes(plan.summary, now=datetime.now(UTC)):
            yield change.sentence


def _what_is_not_followed(plans: Sequence[StackPlan]) -> Iterator[str]:
    """What keeps services of an environment without changes from running this source."""
    for plan in plans:
        for image in plan.images:
            yield from image.lines()
