"""`prod-e plan`: what a deployment would do."""

from prod_e_ops import next_commands
from prod_e_ops.commands.arguments import (
    EnvironmentArgument,
    EnvironmentOption,
    Json,
    named_environment,
)
from prod_e_ops.context import Context, run
from prod_e_ops.stacks.images.missing_images import first_pushes, missing_images
from prod_e_ops.stacks.prepared import prepare_stacks
from prod_e_ops.stacks.refusals import expected_refusals
from prod_e_ops.stacks.render import show_plans, show_refusals
from prod_e_ops.stacks.results import (
    PlanResult,
    RefusalResult,
    SkippedStackResult,
    StackPlanResult,
)
from prod_e_ops.terminal.json_output import to_json


def plan(
    environment: EnvironmentArgument = None,
    named: EnvironmentOption = None,
    json: Json = False,
) -> None:
    """Show what a deployment would do, stack by stack.

    What it creates, changes, replaces and destroys. Nothing is changed. Needs AWS credentials that
    may read, and Terraform, or OpenTofu named in TERRAFORM_BINARY_NAME.

    Example: ./prod-e plan staging-e
    """
    run(lambda context: plan_stacks(context, named_environment(environment, named), as_json=json))


async def plan_stacks(
    context: Context,
    environment_name: str | None,
    *,
    as_json: bool,
) -> None:
    """Plans every stack of an environment and shows what each plan does."""
    terminal = context.terminal
    async with prepare_stacks(context, environment_name, keeps_plans=True) as prepared:
        name = prepared.environment.name
        plans = await prepared.plan()
        skipped = prepared.skipped_besides(plans)
        missing = await missing_images(prepared, plans)
        refused = expected_refusals(plans, skipped, missing, environment=name)
        if as_json:
            result = PlanResult(
                environment=name,
                stacks=[StackPlanResult.of(plan) for plan in plans],
                skipped=[SkippedStackResult.of(skip) for skip in skipped],
                refused=[RefusalResult.of(error) for error in refused],
            )
            terminal.result(to_json(result))
            return
        show_plans(context, plans, skipped, saved_by=prepared.terraform)
        for line in first_pushes(missing, environment=name):
            terminal.result("")
            terminal.result(f"! {line}", style="yellow")
        show_refusals(terminal, refused)
        if not refused and any(not plan.is_empty for plan in plans):
            terminal.hint(next_commands.deploy(name))
