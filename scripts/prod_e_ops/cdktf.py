"""Runs the cdktf CLI of `package.json` on stacks that are synthesised already."""

import re
from collections.abc import Sequence
from typing import Literal

from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.terraform_failures import explain, parse_text
from prod_e_ops.workspace import StackPlan, Workspace

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PARALLELISM = "--terraform-parallelism=30"


async def run_cdktf(
    workspace: Workspace, action: Literal["deploy", "destroy"], plans: Sequence[StackPlan]
) -> None:
    """Applies what was planned, in the order of the stacks' dependencies.

    cdktf plans once more just before it applies, so what is done is what holds at that moment.
    Raises `OpsError` with Terraform's errors if it fails.
    """
    project = workspace.project
    program = project.folder / "node_modules" / ".bin" / "cdktf"
    if not program.exists():
        raise UserMistake(
            "The cdktf CLI is not installed.", next_step="Run `npm run setup`, then this again."
        )
    names = [plan.stack.name for plan in plans]
    total = sum(plan.summary.resource_count for plan in plans)
    title = f"{action.capitalize()} {', '.join(names)}"
    done = 0
    with workspace.terminal.step(title) as step:

        def on_line(line: str) -> None:
            nonlocal done
            text = _COLOUR.sub("", line).strip()
            done += bool(re.search(r"(Creation|Modifications|Destruction) complete after", text))
            if text:
                step.update(f"{done} of {total}: {text}")

        finished = await workspace.supervisor.call(
            [
                program,
                action,
                *names,
                "--skip-synth",
                "--auto-approve",
                # Those without changes are left out.
                "--ignore-missing-stack-dependencies",
                "--skip-provider-lock",
                "--no-color",
                _PARALLELISM,
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
        )
        step.outcome = f"{done} resources"
        output = _without_prefixes(finished.stdout + finished.stderr, names)
        if finished.status:
            errors = parse_text(output)
            if not errors:
                last = [line for line in output.splitlines() if line.strip()][-8:]
                raise OpsError(
                    f"cdktf {action} failed.",
                    details=last,
                    next_step="Run the command again: Terraform continues from its state.",
                )
            raise explain(
                "apply" if action == "deploy" else action,
                ", ".join(names),
                errors,
                left=f"{done} of {total} changes were made before that, and are in the state.",
            )


def _without_prefixes(output: str, stacks: Sequence[str]) -> str:
    """Takes the stack's name, with which cdktf begins its lines, away again."""
    text = _COLOUR.sub("", output).replace("\r", "")
    names = "|".join(sorted(map(re.escape, stacks), key=len, reverse=True))
    return re.sub(rf"^(?:{names})? *", "", text, flags=re.MULTILINE)
