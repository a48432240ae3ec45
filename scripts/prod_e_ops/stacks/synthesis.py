"""Synthesis as a step of a command."""

from prod_e_ops.context import Context
from prod_e_ops.project import synthesis


async def synthesise(context: Context, environment: str | None = None) -> None:
    """Synthesises an environment, or all of them, and shows the step and what the app says.

    Raises `SettingsMistake` for wrong settings, and `OpsError` if the app fails.
    """
    project, terminal = context.project, context.terminal
    with terminal.step("Synthesise") as step:
        said = await synthesis.synthesise(project, context.processes, environment=environment)
        step.outcome = project.shown(project.output_folder)
    for line in said:
        terminal.say(line)
