"""Each command that prints JSON has a schema, and what it prints fits it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
import typer
from jsonschema import Draft202012Validator, ValidationError

from prod_e_ops.cli import COMMANDS, app
from prod_e_ops.images.push.render import PushResult
from prod_e_ops.service.model import Event
from prod_e_ops.service.results import ServiceResult, StatusResult
from prod_e_ops.terminal.json_output import to_json
from reference.json_page import RESULTS
from tests.support.command.json_output import SCHEMA_FILE, check_json_output
from tests.support.service_status import NOW, UNDER_WAY


def test_every_command_with_the_option_is_in_the_reference() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    assert {*with_option(group)} == {*RESULTS} - {"images --prune"}


def with_option(group: typer.core.TyperGroup) -> Iterator[str]:
    """The names of the commands below a group that take `--json`."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, typer.core.TyperGroup):
            yield from (f"{name} {below}" for below in with_option(command))
        elif any("--json" in parameter.opts for parameter in command.params):
            yield name


def test_every_command_has_the_option() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    assert {name.split()[0] for name in with_option(group)} == {*COMMANDS}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA_FILE.read_text("utf-8")))


def status(finished_at: datetime | None) -> StatusResult:
    service = replace(
        UNDER_WAY,
        deployment=replace(UNDER_WAY.deployment, finished_at=finished_at),
        events=tuple(Event(id=str(number), at=NOW, message="said") for number in range(30)),
    )
    return StatusResult(
        environment="tiny-e", services=[ServiceResult.of(service, tags=("latest", "v1.0.0"))]
    )


def test_moments_are_in_utc_and_what_is_not_known_is_null() -> None:
    (shown,) = json.loads(to_json(status(None)))["services"]
    assert shown["deployment"]["created_at"] == "2026-01-31T12:30:15+00:00"
    assert shown["deployment"]["finished_at"] is None
    assert shown["deployment"]["digest"] is None
    assert shown["deployment"]["tags"] == ["latest", "v1.0.0"]
    assert shown["tasks"] == {"desired": 2, "running": 2, "pending": 2, "old": 2}
    assert len(shown["events"]) == 20


@pytest.mark.parametrize("finished_at", [None, NOW])
def test_a_result_fits_its_schema(finished_at: datetime | None) -> None:
    check_json_output(["status", "--json"], to_json(status(finished_at)))


@pytest.mark.parametrize(
    "more", [{"digest": 1}, {"unknown": True}, {"tags": None}, {"built": "yes"}]
)
def test_what_does_not_fit_is_noticed(more: dict[str, object]) -> None:
    result = PushResult(repository="r", digest="d", tags=("t",), built=True, pushed=True)
    with pytest.raises(ValidationError):
        check_json_output(["push", "--json"], json.dumps({**json.loads(to_json(result)), **more}))
