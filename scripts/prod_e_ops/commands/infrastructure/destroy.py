"""`prod-e destroy`: an environment is destroyed by the plan that is shown."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prod_e_ops.commands.arguments import (
    EnvironmentArgument,
    EnvironmentOption,
    Json,
    Yes,
    named_environment,
)
from prod_e_ops.context import Context, run
from prod_e_ops.stacks.apply import apply_plan
from prod_e_ops.stacks.images.repository_images import delete_images, images_lost
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks, prepare_stacks
from prod_e_ops.stacks.refusals import refuse_protected
from prod_e_ops.stacks.render import show_plans
from prod_e_ops.stacks.results import DestroyResult, StackPlanResult
from prod_e_ops.stacks.take_over.orphans import tell_orphans
from prod_e_ops.terminal.json_output import to_json
from prod_e_ops.terraform.parallel import for_each

if TYPE_CHECKING:
    from prod_e.settings import Environment


def destroy(
    environment: EnvironmentArgument = None,
    named: EnvironmentOption = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Destroy an environment, unless its settings protect it.

    It shows what exists, asks, and destroys it.

    Example: ./prod-e destroy staging-e
    """
    run(
        lambda context: destroy_environment(
            context, named_environment(environment, named), yes=yes, as_json=json
        )
    )


async def destroy_environment(
    context: Context, environment_name: str | None, *, yes: bool, as_json: bool
) -> None:
    """Shows what exists, says what is protected, asks, and applies what was shown.

    `as_json`: stdout is for the result alone.

    Raises `DestroyRefused` if the settings protect something of it.
    """
    async with prepare_stacks(context, environment_name) as prepared:
        environment = prepared.environment
        stacks = list(reversed(prepared.stacks))
        existing = await for_each(stacks, prepared.terraform.resources)
        stacks = [stack for stack, found in zip(stacks, existing, strict=True) if found]
        if not stacks:
            context.terminal.say(f"Nothing of {environment.name} exists.")
            await tell_orphans(prepared)
            if as_json:
                context.terminal.result(to_json(_result(environment, [])))
            return
        refuse_protected(environment)

        async def agree(plan: StackPlan) -> None:
            await _ask(
                prepared,
                [plan],
                yes=yes,
                as_json=as_json,
                declined=f"{plan.stack.name} is as it was.",
            )

        plans = await prepared.plan_stacks(stacks, destroy=True)
        await _ask(prepared, plans, yes=yes, as_json=as_json, declined="Nothing was changed.")
        for plan in plans:
            if not plan.is_empty:
                await delete_images(prepared, plan)
                await apply_plan(prepared, plan, agree=agree)
        context.terminal.say(f"{environment.name} is gone.")
        await tell_orphans(prepared)
        if as_json:
            context.terminal.result(to_json(_result(environment, plans)))


def _result(environment: "Environment", plans: Sequence[StackPlan]) -> DestroyResult:
    return DestroyResult(
        environment=environment.name, stacks=[StackPlanResult.of(plan) for plan in plans]
    )


async def _ask(
    prepared: PreparedStacks,
    plans: Sequence[StackPlan],
    *,
    yes: bool,
    as_json: bool,
    declined: str,
) -> None:
    """Shows plans, says what stays, and has the environment's name typed, unless `yes`.

    `declined`: what then holds.
    """
    environment, terminal = prepared.environment, prepared.context.terminal
    if not as_json:
        show_plans(prepared.context, plans, saved_by=None if yes else prepared.terraform)
        terminal.result("")
    for line in (*_what_stays(environment), *await images_lost(prepared, plans)):
        terminal.say(line)
    if not yes:
        await terminal.confirm(
            f"Destroy {environment.name} in the account {prepared.account}?"
            " Type its name to go on:",
            expected=environment.name,
            declined=declined,
        )


def _what_stays(environment: "Environment") -> Iterator[str]:
    database, load_balancer = environment.database, environment.load_balancer
    if database and database.is_made:
        yield (
            "The database leaves a final snapshot, which you pay for until you delete it."
            if database.final_snapshot
            else "The database leaves no final snapshot: its data is lost."
        )
    if load_balancer.is_made and load_balancer.access_logs:
        # With deletion protection, S3 would refuse to delete a bucket that holds any; but then the
        # environment is not destroyed.
        yield "The load balancer's access logs are deleted with their bucket; copy what you need."
