"""The `prod-e` command's own help, version and completion."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from prod_e_ops.cli import COMMANDS, app
from tests.support.project.project_folder import ENVIRONMENTS, make_project

PROJECT = Path(__file__).resolve().parents[2]
PROD_E = Path(sys.executable).with_name("prod-e")


def prod_e(
    *arguments: str, folder: Path = PROJECT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROD_E, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_help_shows_every_command_in_its_panel() -> None:
    shown = prod_e("--help")
    assert shown.returncode == 0
    panels = {}
    for block in shown.stdout.split("\n\n"):
        title, *lines = block.splitlines()
        panels[title.rstrip(":")] = [line.split()[0] for line in lines]
    expected: dict[str, list[str]] = {}
    for name, command in COMMANDS.items():
        expected.setdefault(command.panel, []).append(name)
    assert list(expected) == ["Infrastructure", "Delivery", "Operations", "Local"]
    assert {panel: panels[panel] for panel in expected} == expected


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_a_command_is_the_beginning_of_its_own_help(name: str) -> None:
    group = typer.main.get_command(app)
    command = group.get_command(None, name)  # type: ignore[attr-defined]
    assert (command.help or "").splitlines()[0] == COMMANDS[name].summary


def test_the_help_imports_no_command() -> None:
    script = (
        "import sys\n"
        "from prod_e_ops.cli import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print([m for m in sys.modules if m.startswith(('prod_e_ops.', 'boto', 'rich.table'))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "['prod_e_ops.cli']"


def test_the_version_is_the_packages() -> None:
    assert prod_e("--version").stdout == "prod-e 0.1.0\n"


def test_an_unknown_command_is_refused() -> None:
    done = prod_e("deploy-everything")
    assert done.returncode == 2
    assert "No such command 'deploy-everything'" in done.stderr


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the environments that are shipped; those of the user may be others."""
    settings = {file.stem: file.read_text() for file in ENVIRONMENTS.glob("*.toml")}
    return make_project(tmp_path_factory.mktemp("shipped") / "project", **settings)


@pytest.mark.parametrize("command", ["push", "rollback", "images", "redeploy"])
def test_a_service_that_is_not_named_is_asked_for_with_those_there_are(
    shipped: Path, command: str
) -> None:
    done = prod_e(command, folder=shipped)
    assert done.returncode == 2
    assert f"Usage: prod-e {command} [OPTIONS] SERVICE" in done.stderr
    assert "Missing argument 'SERVICE'. Name one of backend." in done.stderr


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        ("prod-e st", ["status"]),
        ("prod-e plan ", ["prod-e", "staging-e"]),
        ("prod-e push ", ["backend"]),
        ("prod-e rollback backend --environment st", ["staging-e"]),
        ("prod-e deploy --allow", ["--allow-data-loss"]),
    ],
)
def test_a_shell_completes_commands_options_environments_and_services(
    shipped: Path, words: str, proposed: list[str]
) -> None:
    done = prod_e(
        folder=shipped,
        _PROD_E_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )
    assert done.stdout.split() == proposed


def test_completion_is_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    done = subprocess.run(
        # The second command keeps bash from giving its process away.
        ["bash", "-c", f"'{PROD_E}' --install-completion; exit $?"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    script = tmp_path / ".bash_completions" / "prod-e.sh"
    assert "complete" in script.read_text()
    assert str(script) in (tmp_path / ".bashrc").read_text()
