"""The option `--local` of commands that can work on what `prod-e local` runs."""

import os
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

_NAME = "local"
_OPTION = Annotated[
    bool, typer.Option(f"--{_NAME}", help="Work on what `prod-e local` runs, and not on AWS.")
]


def with_local(command: Callable[..., None]) -> Callable[..., None]:
    """A command's function with the option; with it, its AWS is the one that runs locally."""
    own = signature(command, eval_str=True)
    option = Parameter(_NAME, Parameter.KEYWORD_ONLY, default=False, annotation=_OPTION)

    @wraps(command)
    def on_what_is_meant(**arguments: Any) -> None:
        if arguments.pop(_NAME):
            _lead_there(arguments.get("named") or arguments.get("environment"))
        command(**arguments)

    # What typer reads the options from.
    del on_what_is_meant.__wrapped__
    on_what_is_meant.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[*own.parameters.values(), option]
    )
    on_what_is_meant.__annotations__ = {
        **{name: each.annotation for name, each in own.parameters.items()},
        _NAME: _OPTION,
    }
    return on_what_is_meant


def _lead_there(environment_name: str | None) -> None:
    from prod_e_ops.errors import OpsError
    from prod_e_ops.local.running import Place, lead_to
    from prod_e_ops.project.project import find_project
    from prod_e_ops.terminal.terminal import Terminal

    try:
        project = find_project()
        lead_to(Place.of(project, project.environment(environment_name).name), os.environ)
    except OpsError as error:
        Terminal().error(error)
        raise typer.Exit(error.exit_status) from None
