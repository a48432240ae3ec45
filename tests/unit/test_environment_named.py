"""How a command is told which environment, and what it answers to a name that it does not know."""

from pathlib import Path

import pytest

from prod_e_ops.commands.arguments import named_environment
from prod_e_ops.errors import InvalidOption, UnknownEnvironment, UnknownService
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
