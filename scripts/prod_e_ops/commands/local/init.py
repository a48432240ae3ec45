"""`prod-e init`: a settings file for a new environment."""

import ipaddress
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json import dumps  # A text in JSON is one in TOML.
from pathlib import Path
from typing import Annotated

import typer

from prod_e_ops import next_commands
from prod_e_ops.commands.arguments import Json, named_environment
from prod_e_ops.context import Context, run
from prod_e_ops.errors import SettingsMistake, SettingsNotWritten, UserMistake
from prod_e_ops.project.results import InitResult
from prod_e_ops.terminal.json_output import to_json

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_BLOCKS = ipaddress.ip_network("10.0.0.0/8")


@dataclass(frozen=True, kw_only=True)
class InitOptions:
    """What the new environment is to be; see `prod-e init --help`. None: it is asked for."""

    region: str | None = None
    source: str | None = None
    database: bool | None = None
    as_json: bool = False


def init(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The prefix of every name in AWS, such as test-e (default: it is asked for).",
            show_default=False,
        ),
    ] = None,
    named: Annotated[
        str | None,
        typer.Option(
            "--environment",
            "-e",
            metavar="NAME",
            help="The same as NAME, as other commands take it.",
            show_default=False,
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option("--region", metavar="REGION", help="Of AWS.", show_default=False),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="FOLDER",
            help="The folder with the service's Dockerfile.",
            show_default=False,
        ),
    ] = None,
    database: Annotated[
        bool | None,
        typer.Option("--database/--no-database", help="A PostgreSQL.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Write the settings file of a new environment.

    It asks for what no option says. The network gets addresses that no other environment has. All
    is small and can be destroyed; docs/settings.md has what else can be set.

    Example: ./prod-e init test-e
    """
    options = InitOptions(region=region, source=source, database=database, as_json=json)
    run(lambda context: write_settings(context, named_environment(name, named), options=options))


async def write_settings(context: Context, name: str | None, *, options: InitOptions) -> None:
    """Asks for what the options leave open, and writes a file that does not exist yet.

    Raises `UserMistake` for a name that is none or is taken, `SettingsMistake` for values that are
    not allowed, and leaves nothing then.
    """
    project, terminal = context.project, context.terminal
    folder = project.folder / "environments"
    name = name or await terminal.ask("Name of the environment", proposal="test-e")
    if not _NAME.fullmatch(name):
        raise UserMistake(
            f"{name!r} is not a valid name for an environment.",
            next_step="Use lower-case letters, digits and single hyphens, starting with a letter.",
        )
    file = folder / f"{name}.toml"
    if file.exists():
        raise UserMistake(
            f"{project.shown(file)} already exists.",
            details=["Nothing was written."],
            next_step="Edit it, or take another name.",
        )
    region = options.region or await terminal.ask("Region", proposal="us-west-2")
    source = options.source or await terminal.ask(
        "Folder with the service's Dockerfile", proposal="backend"
    )
    database = options.database
    if database is None:
        answer = await terminal.ask("A PostgreSQL database, y or n", proposal="y")
        database = answer.lower() in ("y", "yes")
    text = "\n".join(
        _lines(
            name,
            region=region,
            source=source,
            database=database,
            cidr=free_block(sorted(folder.glob("*.toml"))),
        )
    )
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise SettingsNotWritten(f"{project.shown(file)} cannot be written: {error}.") from None
    try:
        project.environment(name)
    except SettingsMistake:
        file.unlink()
        raise
    if options.as_json:
        terminal.result(to_json(InitResult(environment=name, file=str(file))))
    else:
        terminal.result(project.shown(file))
    terminal.hint(f"Look at it, then: {next_commands.plan(name)}")


def free_block(files: Sequence[Path]) -> str:
    """A /16 that overlaps the network of none of these settings files, whatever else they say."""
    taken = []
    for file in files:
        try:
            network = tomllib.loads(file.read_text("utf-8")).get("network", {})
            taken.append(ipaddress.ip_network(network.get("cidr", "10.0.0.0/16")))
        except (OSError, ValueError, AttributeError, TypeError):
            continue
    return next(
        str(block)
        for block in _BLOCKS.subnets(new_prefix=16)
        if not any(block.version == other.version and block.overlaps(other) for other in taken)
    )


def _lines(name: str, *, region: str, source: str, database: bool, cidr: str) -> Iterator[str]:
    yield "#:schema ../docs/settings.schema.json"
    yield f'name = "{name}"'
    yield f"region = {dumps(region)}"
    yield ""
    yield "[tags]"
    yield f'Environment = "{name}"'
    yield ""
    yield "[network]"
    yield f'cidr = "{cidr}"'
    yield 'nat_gateways = "single"  # "per_zone" survives the loss of a zone'
    yield ""
    yield "[services.backend]"
    yield f"source = {dumps(source)}"
    yield f"database = {str(database).lower()}"
    yield "min_tasks = 1"
    yield "desired_tasks = 1"
    yield "max_tasks = 2"
    yield ""
    if database:
        yield "[database]"
        yield 'instance_class = "db.t4g.micro"'
        yield "multi_az = false"
        yield "deletion_protection = false"
        yield "final_snapshot = false"
        yield ""
    yield "[load_balancer]"
    yield "access_logs = false"
    yield "deletion_protection = false"
    yield ""
