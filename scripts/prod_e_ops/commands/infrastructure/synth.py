"""`prod-e synth`: every environment's Terraform JSON."""

from prod_e_ops.context import Context, run
from prod_e_ops.project.synthesis import synthesise


def synth() -> None:
    """Write every environment's Terraform JSON to cdktf.out.

    The same as `cdktf synth` and `python main.py`. Wrong settings leave cdktf.out as it was.

    Example: npm run synth
    """
    run(write_json)


async def write_json(context: Context) -> None:
    """Synthesises the project; raises `UserMistake` for wrong settings."""
    with context.terminal.step("Synthesise") as step:
        await synthesise(context.project, context.processes, context.terminal)
        step.outcome = context.project.shown(context.project.output_folder)
