"""How a command is told which environment, and what it answers to a name that it does not know."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from prod_e_ops.cli import app
from prod_e_ops.commands.arguments import named_environment
from prod_e_ops.errors import InvalidOption, SettingsMistake, UnknownEnvironment, UnknownService
from prod_e_ops.project.project import Project, service_settings

SETTINGS = """\
name = "staging-e"

[services.backend]
source = "backend"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "staging-e.toml").write_text(SETTINGS)
    return Project(tmp_path, tmp_path / "cdktf.out")


@pytest.mark.parametrize(
    ("argument", "option", "named"),
    [
        (None, None, None),
        ("prod-e", None, "prod-e"),
        (None, "prod-e", "prod-e"),
        ("prod-e", "prod-e", "prod-e"),
    ],
)
def test_an_argument_or_an_option_names_the_environment(
    argument: str | None, option: str | None, named: str | None
) -> None:
    assert named_environment(argument, option) == named


def commands_below(group: typer.core.TyperGroup, prefix: str = "") -> Iterator[str]:
    """The names of all commands, those of a group with the group's before it."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, typer.core.TyperGroup):
            yield from commands_below(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


def root() -> typer.core.TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group


@pytest.mark.parametrize("option", ["-e", "--environment"])
@pytest.mark.parametrize("command", [*commands_below(root())])
def test_every_command_takes_an_environment_as_an_option(command: str, option: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), option, "tiny-e", "--help"])
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(app, [*command.split(), "--no-such", "--help"]).exit_code == 2


def test_two_environments_are_refused() -> None:
    with pytest.raises(InvalidOption):
        named_environment("prod-e", "staging-e")


def test_a_mistyped_environment_is_guessed(project: Project) -> None:
    with pytest.raises(UnknownEnvironment) as unknown:
        project.environment("stagign-e")
    assert str(unknown.value.next_step).startswith("Did you mean staging-e? ")


def test_a_mistyped_service_is_guessed(project: Project) -> None:
    with pytest.raises(UnknownService) as unknown:
        service_settings(project.environment(None), "backnd")
    assert str(unknown.value.next_step).startswith("Did you mean backend? ")


def test_nothing_is_guessed_where_nothing_is_like_it(project: Project) -> None:
    with pytest.raises(UnknownService) as unknown:
        service_settings(project.environment(None), "web")
    assert str(unknown.value.next_step).startswith("Name one of backend")


@pytest.mark.parametrize(
    "other", ["name = 1\n", "not TOML", 'name = "other-e"\n[services.backend]\n'], ids=str
)
def test_the_file_of_another_environment_keeps_nobody_from_this_one(
    project: Project, other: str
) -> None:
    # The last one has the addresses of this one's network.
    (project.folder / "environments" / "other-e.toml").write_text(other)
    assert project.environment("staging-e").name == "staging-e"
    with pytest.raises(SettingsMistake):
        project.environments()


@pytest.mark.parametrize("name", ["other-e", None])
def test_a_bad_file_stops_its_own_environment(project: Project, name: str | None) -> None:
    (project.folder / "environments" / "other-e.toml").write_text('name = "other-e"\n')
    with pytest.raises(SettingsMistake, match=r"other-e\.toml: services: is missing"):
        project.environment(name)


def test_a_name_that_is_not_there_is_told_beside_a_bad_file(project: Project) -> None:
    (project.folder / "environments" / "other-e.toml").write_text('name = "other-e"\n')
    with pytest.raises(UnknownEnvironment, match="no environment 'stagign-e'") as unknown:
        project.environment("stagign-e")
    assert any("other-e.toml: services: is missing" in line for line in unknown.value.details)
    assert str(unknown.value.next_step).startswith("Did you mean staging-e? ")


def test_a_name_that_two_files_have_is_nobodys(project: Project) -> None:
    (project.folder / "environments" / "other-e.toml").write_text(SETTINGS)
    with pytest.raises(SettingsMistake, match="'staging-e' is that of"):
        project.environment("staging-e")
