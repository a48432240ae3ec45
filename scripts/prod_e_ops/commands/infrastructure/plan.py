"""`prod-e plan`: what a deployment would do."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from prod_e_ops import next_commands
from prod_e_ops.commands.arguments import EnvironmentArgument, Json
from prod_e_ops.context import Context, run
from prod_e_ops.project.project import Project
from prod_e_ops.stacks.prepared import SkippedStack, StackPlan, prepare_stacks
from prod_e_ops.terminal.terminal import Terminal
from prod_e_ops.terraform.plan_changes import Change, PlanSummary
from prod_e_ops.terraform.runner import PLAN_FILE, PLAN_JSON_FILE, Terraform

_MOST_KEYS = 5


def plan(environment: EnvironmentArgument = None, json: Json = False) -> None:
    """Show what a deployment would do, stack by stack.

    What it creates, changes, replaces and destroys. Nothing is changed. Needs AWS credentials that
    may read, and Terraform, or OpenTofu named in TERRAFORM_BINARY_NAME.

    Example: npm run plan -- staging-e
    """
    run(lambda context: plan_stacks(context, environment, as_json=json))


async def plan_stacks(
    context: Context,
    environment_name: str | None,
    *,
    as_json: bool,
) -> None:
    """Plans every stack of an environment and shows what each plan does."""
    project, terminal = context.project, context.terminal
    async with prepare_stacks(
        project,
        environment_name,
        processes=context.processes,
        terminal=terminal,
        keeps_plans=True,
    ) as prepared:
        plans = await prepared.plan()
        skipped = prepared.skipped_besides(plans)
        if as_json:
            terminal.result(
                json.dumps(
                    {
                        "environment": prepared.environment.name,
                        "stacks": [plan.as_json() for plan in plans],
                        "skipped": [
                            {"stack": skip.stack.name, "reason": skip.reason} for skip in skipped
                        ],
                    },
                    indent=2,
                )
            )
            return
        show_plans(project, plans, skipped, terminal=terminal, terraform=prepared.terraform)
        if any(not plan.is_empty for plan in plans):
            terminal.hint(next_commands.deploy(prepared.environment.name))


def show_plans(
    project: Project,
    plans: Sequence[StackPlan],
    skipped: Sequence[SkippedStack],
    *,
    terminal: Terminal,
    terraform: Terraform | None,
) -> None:
    """Prints what each plan does, and where `terraform` has saved it.

    `terraform`: absent where nobody is given the time to read more of it.
    """
    stacks = [*(plan.stack for plan in plans), *(skip.stack for skip in skipped)]
    width = max((len(stack.name) for stack in stacks), default=0)
    for plan in plans:
        terminal.result("")
        terminal.result(f"{plan.stack.name:{width}}  {plan.summary.counts}", style="bold")
        for line, style in _lines(plan.summary):
            terminal.result(f"  {line}", style=style)
        for image in plan.images:
            for text in image.lines():
                terminal.result(f"  {text}")
        if terraform and not plan.stack.is_private:
            folder = project.shown(plan.stack.folder)
            kept = terraform.keeps_plan(plan.stack)
            file = PLAN_FILE if kept else terraform.plan_file(plan.stack)
            terminal.result(f"  full plan: terraform -chdir={folder} show {file}")
            if kept:
                terminal.result(f"  as JSON:   {folder}/{PLAN_JSON_FILE}")
    for skip in skipped:
        terminal.result("")
        terminal.result(f"{skip.stack.name:{width}}  skipped: {skip.reason}", style="yellow")


def _lines(summary: PlanSummary) -> Iterator[tuple[str, str]]:
    created = Counter(change.type for change in summary.created)
    width = max(map(len, created), default=0)
    for type_name, count in sorted(created.items()):
        yield f"+ {type_name:{width}} {count:>3}", "green"
    for change in summary.changed:
        yield f"~ {change.address}: {_keys(change)}", "yellow"
    for change in summary.replaced:
        yield f"± {change.address}: {_keys(change)}{_warning(change, summary)}", "red"
    for change in summary.destroyed:
        yield f"- {change.address}{_warning(change, summary)}", "red"
    for change in summary.imported:
        yield f"< {change.address}: comes under Terraform's control", ""
    for change in summary.moved:
        yield f"> {change.address}: has a new name in the state", ""
    for change in summary.forgotten:
        yield f". {change.address}: stays, and leaves Terraform's control", ""
    if summary.outputs:
        yield f"outputs: {', '.join(summary.outputs)}", ""


def _keys(change: Change) -> str:
    keys = change.changed_keys
    if not keys:
        return change.reason or "nothing that is shown"
    more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
    return ", ".join(keys[:_MOST_KEYS]) + more


def _warning(change: Change, summary: PlanSummary) -> str:
    return " (loses its data)" if change in summary.loses_data else ""
