"""The `prod-e` command: which commands there are, and where each is.

A command's module is imported when it is used, so that the help stays fast.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

NAME = "prod-e"


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A command of the command line.

    `panel`: of the help. `module`: below `prod_e_ops.commands`. `function`: whose parameters are
    its options, or a `typer.Typer` with commands of its own. `summary`: its line in the help.
    """

    panel: str
    module: str
    function: str
    summary: str


def _group(panel: str, **commands: tuple[str, str]) -> dict[str, Registered]:
    return {
        name: Registered(
            panel=panel, module=f"{panel.lower()}.{module}", function=name, summary=summary
        )
        for name, (module, summary) in commands.items()
    }


COMMANDS: Mapping[str, Registered] = {
    **_group(
        "Infrastructure",
        synth=("synth", "Write every environment's Terraform JSON to cdktf.out."),
        plan=("plan", "Show what a deployment would do, stack by stack."),
        deploy=("deploy", "Deploy an environment: plan, ask, apply that plan, verify."),
        destroy=("destroy", "Destroy an environment, unless its settings protect it."),
        prove=("prove", "Take a new environment in your account through its life."),
        diagram=("diagram", "Draw an environment's architecture as SVG."),
        providers=(
            "lock_providers",
            "Terraform's providers: which versions, with which checksums.",
        ),
    ),
    **_group(
        "Delivery",
        push=("push", "Build a service's image, push it to ECR and move its tags."),
        redeploy=("redeploy", "Deploy a service anew without a push, and follow it to its end."),
        rollback=("rollback", "Return a service to what it ran before, and verify it."),
        images=("images", "Show a service's images in ECR, and what uses each."),
    ),
    **_group(
        "Operations",
        status=("status", "Show the last deployment of each service, or follow it."),
    ),
    **_group(
        "Local",
        init=("init", "Write the settings file of a new environment."),
        local=("local", "Run an environment on this machine to develop against."),
        demo=("demo", "Show the whole life of an environment on an embedded AWS."),
    ),
}


_WORK_LOCALLY = ("push", "redeploy", "rollback", "images", "status")
"""Those that can work on what `prod-e local` runs: they keep nothing in the project."""


class CommandGroup(TyperGroup):
    """The commands, each imported when it is asked for, and the help in panels."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """The command of that name; None if there is none."""
        registered = COMMANDS.get(cmd_name)
        if registered is None:
            return None
        module = import_module(f"prod_e_ops.commands.{registered.module}")
        function = getattr(module, registered.function)
        if cmd_name in _WORK_LOCALLY:
            from prod_e_ops.commands.local_option import with_local

            function = with_local(function)
        command = _as_command(cmd_name, function)
        if "npm_lifecycle_event" in os.environ:
            _refuse_what_npm_kept(command)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes a list of commands for each panel."""
        for panel in dict.fromkeys(each.panel for each in COMMANDS.values()):
            with formatter.section(panel):
                formatter.write_dl(
                    [(name, each.summary) for name, each in COMMANDS.items() if each.panel == panel]
                )


def _as_command(name: str, found: typer.Typer | Callable[..., None]) -> TyperCommand | TyperGroup:
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name, context_settings=_CONTEXT_SETTINGS)(found)
        found = alone
    command = typer.main.get_command(found)
    assert isinstance(command, TyperCommand | TyperGroup)
    command.name = name
    for parameter in command.params:
        if isinstance(parameter, TyperArgument):
            _make_plain(parameter)
    return command


def _make_plain(argument: TyperArgument) -> None:
    """Shows an argument without its type, and one that is required without typer's braces.

    Where that is missing, it says what it can be.
    """
    from prod_e_ops.commands.arguments import service_keys

    def untyped(ctx: Any) -> str:
        return ""

    argument.display_type_rich = untyped  # type: ignore[method-assign]
    if not argument.required:
        return

    def shown(ctx: Any) -> list[str]:
        return [argument.metavar or argument.name or ""]

    def choices(ctx: Any) -> str:
        keys = service_keys("") if argument.name == "service" else []
        return f"Name one of {', '.join(keys)}." if keys else ""

    argument.get_usage_pieces = shown  # type: ignore[method-assign]
    argument.get_missing_message = choices  # type: ignore[method-assign]


def _refuse_what_npm_kept(command: TyperCommand | TyperGroup) -> None:
    from prod_e_ops.commands.npm_options import refuse_kept_options
    from prod_e_ops.errors import InvalidOption
    from prod_e_ops.terminal.terminal import Terminal

    commands = command.commands.values() if isinstance(command, TyperGroup) else [command]
    try:
        refuse_kept_options(
            name
            for each in commands
            for parameter in each.params
            for name in parameter.opts
            if name.startswith("--")
        )
    except InvalidOption as error:
        Terminal().error(error)
        raise typer.Exit(error.exit_status) from None


_CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

app = typer.Typer(
    name=NAME,
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=_CONTEXT_SETTINGS,
)


def _show_version(is_asked_for: bool) -> None:
    if is_asked_for:
        typer.echo(f"{NAME} {version(NAME)}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Plan, deploy and watch the environments that environments/*.toml describe."""
