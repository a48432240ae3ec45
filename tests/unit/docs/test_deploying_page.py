"""What docs/deploying.md tells people to type is what the command takes."""

import re
import shlex

import pytest
import typer

from prod_e_ops.cli import app
from tests.support.project.project_folder import PROJECT

PAGE = (PROJECT / "docs" / "deploying.md").read_text()
DOORS = {
    "./scripts/deployment/build-and-push.sh": "push",
    "./scripts/deployment/rollback.sh": "rollback",
    "./prod-e ": "",
}


def typed() -> list[str]:
    """Each command of the page, as arguments of `prod-e`."""
    found = []
    for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            command = line.split("#")[0].removeprefix("  - run: ").strip()
            for door, name in DOORS.items():
                command = command.replace(door, name)
            if command.split(" ")[0] in {"push", "rollback", "deploy", "status", "images"}:
                found.append(command)
    return found


def test_the_page_shows_every_command_that_it_is_about() -> None:
    assert {command.split()[0] for command in typed()} == {
        "push",
        "rollback",
        "deploy",
        "status",
        "images",
    }


@pytest.mark.parametrize("command", sorted(set(typed())))
def test_a_command_of_the_page_is_understood(command: str) -> None:
    name, *arguments = shlex.split(command)
    group = typer.main.get_command(app)
    found = group.get_command(None, name)  # type: ignore[attr-defined]
    # It raises for an option or an argument that does not exist.
    found.make_context(name, arguments)


@pytest.mark.parametrize("script", ["build-and-push.sh", "rollback.sh"])
def test_a_script_of_the_page_can_be_run(script: str) -> None:
    assert (PROJECT / "scripts" / "deployment" / script).stat().st_mode & 0o111


def test_the_page_has_the_headings_of_the_process() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert headings[:2] == ["Initial deployment", "Updating the application"]
    assert "Rolling back" in headings
