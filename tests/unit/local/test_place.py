"""Where commands find an environment that runs locally."""

import json
import os

import pytest
import typer
from typer.testing import CliRunner

from prod_e_ops.cli import app
from prod_e_ops.commands.local_option import with_local
from prod_e_ops.errors import UserMistake
from prod_e_ops.local.running import Place, lead_to
from prod_e_ops.project.project import Project

VARIABLES = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "us-west-2"}


def test_commands_find_an_environment_while_it_runs(project: Project) -> None:
    place = Place.of(project, "tiny-e")
    with place.taken():
        with pytest.raises(UserMistake, match="does not run locally"):
            place.variables()
        place.note(VARIABLES)
        assert Place.of(project, "tiny-e").variables() == VARIABLES
    with pytest.raises(UserMistake, match="does not run locally"):
        place.variables()
    assert list(place.folder.iterdir()) == []


def test_an_environment_runs_once_and_others_beside_it(project: Project) -> None:
    with Place.of(project, "tiny-e").taken():
        with (
            pytest.raises(UserMistake, match="runs locally already"),
            Place.of(project, "tiny-e").taken(),
        ):
            pass
        with Place.of(project, "other-e").taken():
            pass


def test_what_a_killed_process_noted_leads_nowhere(project: Project) -> None:
    place = Place.of(project, "tiny-e")
    place.folder.mkdir(parents=True)
    (place.folder / "tiny-e.json").write_text(json.dumps(VARIABLES))
    with pytest.raises(UserMistake, match="does not run locally"):
        place.variables()
    with place.taken(), pytest.raises(UserMistake):
        place.variables()


def test_a_command_that_is_led_there_reaches_no_other_aws(project: Project) -> None:
    place = Place.of(project, "tiny-e")
    mine = {"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "mine", "PATH": "/bin"}
    with place.taken():
        place.note(VARIABLES)
        lead_to(place, mine)
    assert mine == {**VARIABLES, "PATH": "/bin"}


def test_the_option_leads_a_command_there_before_it_begins(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROD_E_PROJECT", str(project.folder))
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "before")
    begun: list[tuple[str, str | None]] = []

    def command(service: str, environment: str | None = None) -> None:
        begun.append((service, os.environ["AWS_ENDPOINT_URL"]))

    alone = typer.Typer()
    alone.command()(with_local(command))
    runner = CliRunner()
    assert runner.invoke(alone, ["api", "--environment", "tiny-e"]).exit_code == 0
    refused = runner.invoke(alone, ["api", "--local"])
    assert refused.exit_code == 2
    assert "tiny-e does not run locally" in refused.stderr
    place = Place.of(project, "tiny-e")
    with place.taken():
        place.note(VARIABLES)
        # Its environment is put back by the test's end.
        with monkeypatch.context() as changed:
            changed.setattr(os, "environ", dict(os.environ))
            assert runner.invoke(alone, ["api", "--local"]).exit_code == 0
    assert begun == [("api", "before"), ("api", VARIABLES["AWS_ENDPOINT_URL"])]


def test_commands_that_keep_state_in_the_project_do_not_have_the_option() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    context = typer.Context(group)
    found = set()
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if any("--local" in parameter.opts for parameter in command.params):
            found.add(name)
    assert found == {"push", "redeploy", "rollback", "images", "status"}
