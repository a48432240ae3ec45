"""`prod-e picture`: the picture of an environment, drawn from its synthesised JSON."""

import json
import sys
from pathlib import Path

from prod_e_ops.analysis.diagram.drawing import draw
from prod_e_ops.analysis.diagram.reading import read_architecture
from prod_e_ops.errors import UserMistake
from prod_e_ops.project.project import DEFAULT_ENVIRONMENT, Project
from prod_e_ops.project.synthesis import synthesise
from prod_e_ops.terminal.console import Terminal
from prod_e_ops.terminal.processes import Supervisor

STANDARD_OUTPUT = Path("-")


async def picture(
    project: Project,
    environment_name: str | None,
    *,
    output: Path | None,
    supervisor: Supervisor,
    terminal: Terminal,
) -> None:
    """Synthesises, draws an environment and writes the SVG.

    `output`: the file, or `-` for stdout; default: the picture in the project's `docs/`.

    Raises `UserMistake` if the settings are wrong or the file cannot be written.
    """
    name = project.environment(environment_name).name
    with terminal.step("Synthesise") as step:
        await synthesise(project, supervisor, terminal)
        step.outcome = project.shown(project.output_folder)
    with terminal.step(f"Draw {name}") as step:
        svg = draw(
            read_architecture(
                name,
                {
                    stack.name: json.loads(stack.json_file.read_text("utf-8"))
                    for stack in project.stacks(name)
                },
            )
        )
        step.outcome = f"{len(svg.encode()) / 1024:.0f} KiB"
    if output == STANDARD_OUTPUT:
        sys.stdout.write(svg)
        return
    file = output or project.folder / "docs" / _file_name(name)
    try:
        if output is None:
            file.parent.mkdir(exist_ok=True)
        file.write_text(svg, "utf-8")
    except OSError as error:
        raise UserMistake(
            f"The picture cannot be written to {file}: {error.strerror}.",
            next_step="Name another file with --output.",
        ) from None
    terminal.result(project.shown(file))


def _file_name(environment: str) -> str:
    suffix = "" if environment == DEFAULT_ENVIRONMENT else f"-{environment}"
    return f"architecture{suffix}.svg"
