"""`prod-e init` writes settings that work beside those that are there."""

import os
import re
import shutil
from pathlib import Path

import pytest

from prod_e.settings import load_environment, load_environments
from tests.support.command.asked import Asked
from tests.support.project.project_folder import ENVIRONMENTS, PROJECT, TINY, make_project, prod_e


def test_a_new_environment_fits_beside_those_that_are_shipped(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    for file in ENVIRONMENTS.glob("*.toml"):
        shutil.copy(file, folder / "environments")
    done = prod_e(folder, "init", "test-e", *ANSWERS, "--database", "--json")
    assert done.returncode == 0, done.stderr
    environments = {e.name: e for e in load_environments(folder / "environments")}
    assert set(environments) == {"prod-e", "staging-e", "test-e"}
    new = environments["test-e"]
    assert (new.region, str(new.network.cidr)) == ("eu-west-1", "10.2.0.0/16")
    assert new.database is not None
    assert new.services["backend"].source == "backend"
    assert "plan test-e" in done.stderr


ANSWERS = ("--region", "eu-west-1", "--source", "backend")


def test_what_no_option_says_is_asked_for(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project", tiny=TINY)
    with Asked(folder, "init", variables={"PATH": "/usr/bin:/bin"}) as asked:
        for question, answer in (
            ("Name of the environment [test-e]: ", "mine-e"),
            ("Region [us-west-2]: ", ""),
            ("Folder with the service's Dockerfile [backend]: ", ""),
            ("A PostgreSQL database, y or n [y]: ", "n"),
        ):
            asked.wait_for(question)
            asked.answer(answer)
        assert asked.end() == 0, asked.said
    written = load_environment(folder / "environments" / "mine-e.toml")
    assert (written.name, written.region, written.database) == ("mine-e", "us-west-2", None)


def test_the_readmes_way_to_another_environment_works_as_written(tmp_path: Path) -> None:
    told = re.search(
        r"To add an environment, `\./prod-e ([^`]*)`", (PROJECT / "README.md").read_text("utf-8")
    )
    assert told is not None
    folder = make_project(tmp_path / "project")
    for file in ENVIRONMENTS.glob("*.toml"):
        shutil.copy(file, folder / "environments")
    with Asked(folder, *told[1].split(), variables=dict(os.environ)) as asked:
        for question in ("Name of the environment", "Region", "Folder", "A PostgreSQL"):
            asked.wait_for(question)
            asked.answer("")
        assert asked.end() == 0, asked.said
        next_command = re.search(r"hint: Look at it, then: \./prod-e plan (\S+)", asked.said)
    assert next_command is not None
    done = prod_e(folder, "synth", "-e", next_command[1])
    assert done.returncode == 0, done.stderr
    stacks = {stack.name for stack in (folder / "cdktf.out" / "stacks").iterdir()}
    assert stacks == {"test-e", "test-e-image", "test-e-registry"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Tiny", *ANSWERS, "--no-database"), "'Tiny' is not a valid name for an environment"),
        (
            ("-e", "Tiny", *ANSWERS, "--no-database"),
            "'Tiny' is not a valid name for an environment",
        ),
        (("tiny", *ANSWERS, "--no-database"), "tiny.toml already exists"),
        (
            ("new-e", "--region", "nowhere", "--source", "backend", "--no-database"),
            "new-e.toml: region: 'nowhere' is not allowed",
        ),
        (("new-e",), "there is no terminal to ask on"),
    ],
)
def test_a_mistake_leaves_nothing(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    folder = make_project(tmp_path / "project", tiny=TINY)
    done = prod_e(folder, "init", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert [file.name for file in (folder / "environments").iterdir()] == ["tiny.toml"]
