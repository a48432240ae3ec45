"""Runs the cdktf CLI of `package.json` on stacks that are synthesised already."""

import asyncio
import re
from collections.abc import Sequence
from typing import Literal

from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.terminal.processes import Finished, Supervisor, without_colour
from prod_e_ops.terraform.diagnostics import parse_text
from prod_e_ops.terraform.prepared import StackPlan, Workspace
from prod_e_ops.terraform.runner import keep_private

_COMPLETE = re.compile(r"(Creation|Modifications|Destruction) complete after")


async def run_cdktf(
    workspace: Workspace, action: Literal["deploy", "destroy"], plans: Sequence[StackPlan]
) -> None:
    """Applies what was planned, one stack after the other.

    cdktf plans once more just before it applies, so what is done is what holds at that moment.
    Raises `OpsError` with Terraform's errors if it fails.
    """
    for plan in plans:
        await _run(workspace, action, plan)


async def _run(workspace: Workspace, action: Literal["deploy", "destroy"], plan: StackPlan) -> None:
    project = workspace.project
    program = project.folder / "node_modules" / ".bin" / "cdktf"
    if not program.exists():
        raise UserMistake(
            "The cdktf CLI is not installed.", next_step="Run `npm run setup`, then this again."
        )
    keep_private(plan.stack)
    name = plan.stack.name
    total = plan.summary.resource_count
    done = 0
    with workspace.terminal.step(f"{action.capitalize()} {name}") as step:

        def on_line(line: str) -> None:
            nonlocal done
            text = _without_prefix(line, name).strip()
            done += bool(_COMPLETE.search(text))
            if text:
                step.update(f"{done} of {total}: {text}")

        try:
            finished = await workspace.supervisor.call(
                [
                    program,
                    action,
                    name,
                    "--skip-synth",
                    "--auto-approve",
                    # Those without changes are left out. With this option cdktf starts a stack
                    # again and again while it runs, unless it may run one at a time only.
                    "--ignore-missing-stack-dependencies",
                    "--parallelism=1",
                    # It looks for the providers of Terraform's registry in the stack's lock file.
                    *(["--skip-provider-lock"] if workspace.terraform.is_opentofu else []),
                    "--no-color",
                    "--terraform-parallelism=30",
                ],
                folder=project.folder,
                environment={
                    **workspace.terraform.environment,
                    # The providers are installed already, from wherever they come.
                    "CDKTF_DISABLE_PLUGIN_CACHE_ENV": "1",
                    "DISABLE_VERSION_CHECK": "1",
                    "CI": "1",
                },
                on_stdout=on_line,
                finishes="Terraform finishes what is under way and saves its state.",
                # Told itself, cdktf ends at once, and with it the terminal that it gave to
                # Terraform, which dies of that without saving its state.
                interrupts_children=True,
                private=plan.stack.is_private,
            )
        except asyncio.CancelledError:
            for line in _what_is_left(name, done, total, workspace.supervisor):
                workspace.terminal.say(line)
            raise
        step.outcome = f"{done} resources"
        if finished.status:
            output = _without_prefix(finished.stdout + finished.stderr, name)
            errors = parse_text(output)
            if not errors:
                raise OpsError(
                    f"cdktf {action} failed for the stack {name}.",
                    details=[line for line in output.splitlines() if line.strip()][-8:],
                    next_step="Run the command again: Terraform continues from its state.",
                )
            raise workspace.terraform.failure(
                plan.stack,
                "apply" if action == "deploy" else action,
                Finished(finished.status, output, ""),
                errors,
                left=f"{done} of {total} changes were made before that, and are in the state.",
            )


def _what_is_left(stack: str, done: int, total: int, supervisor: Supervisor) -> Sequence[str]:
    if supervisor.hurried:
        return (
            f"Terraform was stopped in the middle of {stack}: AWS may hold what its state does not"
            " know of.",
            "Look with `npm run plan` before the command is run again.",
        )
    return (
        f"{done} of {total} changes of {stack} were made before that, and are in the state.",
        "Run the command again to go on from there.",
    )


def _without_prefix(output: str, stack: str) -> str:
    """Takes the stack's name, with which cdktf begins its lines, away again."""
    text = without_colour(output).replace("\r", "")
    return re.sub(rf"^(?:{re.escape(stack)})? *", "", text, flags=re.MULTILINE)
