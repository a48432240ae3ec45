"""Arguments and options that several commands take, and what a shell proposes for them."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from prod_e_ops.errors import InvalidOption, OpsError
from prod_e_ops.project.project import find_project


def _environment_files() -> Iterator[Path]:
    try:
        return iter(sorted((find_project().folder / "environments").glob("*.toml")))
    except OpsError:
        return iter(())


def environment_names(incomplete: str) -> list[str]:
    """The environments whose names begin so, for the shell's completion; never an error."""
    return [file.stem for file in _environment_files() if file.stem.startswith(incomplete)]


def service_keys(incomplete: str) -> list[str]:
    """The services of any environment whose keys begin so; the settings need not be right."""
    keys: dict[str, None] = {}
    for file in _environment_files():
        try:
            services = tomllib.loads(file.read_text("utf-8")).get("services")
        except (OSError, ValueError):
            continue
        if isinstance(services, dict):
            keys |= dict.fromkeys(services)
    return [key for key in keys if key.startswith(incomplete)]


EnvironmentArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="ENVIRONMENT",
        help="The name of an environment (default: the only one, or prod-e).",
        show_default=False,
        autocompletion=environment_names,
    ),
]
EnvironmentOption = Annotated[
    str | None,
    typer.Option(
        "--environment",
        "-e",
        metavar="NAME",
        help="The environment (default: the only one, or prod-e).",
        show_default=False,
        autocompletion=environment_names,
    ),
]
OneEnvironmentOption = Annotated[
    str | None,
    typer.Option(
        "--environment",
        "-e",
        metavar="NAME",
        help="One environment alone (default: all of them).",
        show_default=False,
        autocompletion=environment_names,
    ),
]
ServiceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SERVICE",
        help="The key of a service: [services.KEY].",
        autocompletion=service_keys,
    ),
]


def named_environment(argument: str | None, option: str | None) -> str | None:
    """The environment that a command is to work on, where either may name it.

    Raises `InvalidOption` if they name two.
    """
    if argument and option and argument != option:
        raise InvalidOption(
            f"Two environments are named: {argument} and --environment {option}.",
            next_step="Name one of them.",
        )
    return argument or option


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Rebuild = Annotated[
    bool,
    typer.Option(
        "--rebuild",
        help="Build what ECR has too, every step anew on the newest base image; the content's tag"
        " moves to it.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before acting.")]
