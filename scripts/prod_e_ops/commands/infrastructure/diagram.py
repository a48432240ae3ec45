"""`prod-e diagram`: the diagram of an environment, drawn from its synthesised JSON."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from prod_e_ops.analysis.diagram.drawing import draw_stacks
from prod_e_ops.commands.arguments import (
    EnvironmentArgument,
    EnvironmentOption,
    Json,
    named_environment,
)
from prod_e_ops.context import Context, run
from prod_e_ops.errors import InvalidOption, UserMistake
from prod_e_ops.project.project import DEFAULT_ENVIRONMENT
from prod_e_ops.stacks.results import DiagramResult
from prod_e_ops.stacks.synthesis import synthesise
from prod_e_ops.terminal.json_output import to_json

STANDARD_OUTPUT = Path("-")


def diagram(
    environment: EnvironmentArgument = None,
    named: EnvironmentOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write it; - is stdout (default: docs/architecture.svg for prod-e,"
            " docs/architecture-ENVIRONMENT.svg for any other).",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Draw an environment's architecture as SVG.

    It is made from the synthesised JSON and shows what the settings give today: run it again after
    a change. AWS is not asked.

    Example: ./prod-e diagram staging-e --output staging-e.svg
    """
    run(
        lambda context: write_diagram(
            context, named_environment(environment, named), output=output, as_json=json
        )
    )


async def write_diagram(
    context: Context,
    environment_name: str | None,
    *,
    output: Path | None,
    as_json: bool,
) -> None:
    """Synthesises, draws an environment and writes the SVG.

    `output`: the file, or `-` for stdout; default: the diagram in the project's `docs/`.

    Raises `SettingsMistake` if the settings are wrong, `UserMistake` if the environment uses a VPC,
    a load balancer or a database that is there already, or the file cannot be written.
    """
    project, terminal = context.project, context.terminal
    if as_json and output == STANDARD_OUTPUT:
        raise InvalidOption(
            "Stdout is either for the SVG (--output -) or for the result (--json).",
            next_step="Leave one of them out.",
        )
    environment = project.environment(environment_name)
    name = environment.name
    if existing := [key for key in environment.existing if not key.startswith("cluster.")]:
        raise UserMistake(
            f"{name} cannot be drawn: it uses existing resources ({', '.join(existing)}), and"
            " the diagram shows what an environment makes."
        )
    await synthesise(context, name)
    with terminal.step(f"Draw {name}") as step:
        svg = draw_stacks(name, project.stacks(name))
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
            f"Cannot write the diagram to {file}: {error.strerror}.",
            next_step="Name another file with --output.",
        ) from None
    if as_json:
        terminal.result(to_json(DiagramResult(environment=name, file=str(file.resolve()))))
    else:
        terminal.result(project.shown(file))


def _file_name(environment: str) -> str:
    suffix = "" if environment == DEFAULT_ENVIRONMENT else f"-{environment}"
    return f"architecture{suffix}.svg"
