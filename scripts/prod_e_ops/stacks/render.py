"""What plans do, shown to people."""

from collections import Counter
from collections.abc import Iterator, Sequence

from prod_e_ops.context import Context
from prod_e_ops.errors import UserMistake
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.terminal.terminal import Terminal
from prod_e_ops.terraform.plans.plan_changes import Change, PlanSummary
from prod_e_ops.terraform.runner import PLAN_FILE, PLAN_JSON_FILE, Terraform

_MOST_VALUES = 12
_LINE_WIDTH = 74


def show_plans(
    context: Context,
    plans: Sequence[StackPlan],
    skipped: Sequence[SkippedStack] = (),
    *,
    saved_by: Terraform | None,
) -> None:
    """Prints what each plan does, why stacks are skipped, and where to read more of a plan.

    `saved_by`: what has saved the plans; absent where nobody is given the time to read more of
    them.
    """
    terminal = context.terminal
    stacks = [*(plan.stack for plan in plans), *(skip.stack for skip in skipped)]
    width = max((len(stack.name) for stack in stacks), default=0)
    for plan in plans:
        terminal.result("")
        terminal.result(f"{plan.stack.name:{width}}  {plan.summary.counts}", style="bold")
        for line, style in _lines(plan.summary):
            terminal.result(f"  {line}", style=style)
        for note in plan.notes:
            terminal.result(f"  ! {note}", style="yellow")
        for image in plan.images:
            for text in image.lines():
                terminal.result(f"  {text}")
        if saved_by and not plan.stack.is_private:
            folder = context.project.shown(plan.stack.folder)
            kept = saved_by.keeps_plan(plan.stack)
            file = PLAN_FILE if kept else saved_by.plan_file(plan.stack)
            terminal.result(f"  full plan: terraform -chdir={folder} show {file}")
            if kept:
                terminal.result(f"  as JSON:   {folder}/{PLAN_JSON_FILE}")
    for skip in skipped:
        terminal.result("")
        terminal.result(f"{skip.stack.name:{width}}  skipped: {skip.reason}", style="yellow")


def total_counts(plans: Sequence[StackPlan]) -> str:
    """One line: what all these plans together do to how many resources and images."""
    images = sum(bool(image.moves) for plan in plans for image in plan.images)
    counts = PlanSummary.together(
        [plan.summary for plan in plans if not plan.images and not plan.is_empty]
    ).counts
    pushed = "1 image" if images == 1 else f"{images} images"
    if not images:
        return counts
    return f"{pushed} to push or tag" + ("" if counts == "no changes" else f", {counts}")


def show_refusals(terminal: Terminal, refused: Sequence[UserMistake]) -> None:
    """Prints what a deployment of the shown plans is refused for, and the way on."""
    for error in refused:
        terminal.result("")
        terminal.result(f"A deployment is refused: {error.message}", style="red")
        for line in error.details:
            terminal.result(f"  {line}")
        if error.next_step:
            terminal.hint(error.next_step)


def _lines(summary: PlanSummary) -> Iterator[tuple[str, str]]:
    created = Counter(change.type for change in summary.created)
    width = max(map(len, created), default=0)
    for type_name, count in sorted(created.items()):
        yield f"+ {type_name:{width}} {count:>3}", "green"
    for change in summary.changed:
        yield f"~ {change.address}", "yellow"
        yield from _values(change)
    for change in summary.replaced:
        if change.is_revision:
            yield f"~ {change.address}: a new revision", "yellow"
        else:
            because = f": {change.reason}" if change.reason else ""
            yield f"± {change.address}{because}{_warning(change, summary)}", "red"
        yield from _values(change)
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


def _values(change: Change) -> Iterator[tuple[str, str]]:
    """What changes, in lines that fit a terminal."""
    line = ""
    for each in change.values[:_MOST_VALUES]:
        value = str(each)
        if each.forces_replacement and not change.is_revision:
            value += " (forces replacement)"
        if line and len(line) + len(value) + 2 > _LINE_WIDTH:
            yield f"  {line}", ""
            line = ""
        line += f", {value}" if line else value
    if line:
        yield f"  {line}", ""
    if len(change.values) > _MOST_VALUES:
        yield f"  and {len(change.values) - _MOST_VALUES} more", ""


def _warning(change: Change, summary: PlanSummary) -> str:
    return " (loses what is in it)" if change in summary.loses_data else ""
