"""`prod-e init`: what it asks for, what it writes, and what it leaves where it fails."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e.settings import load_environment
from prod_e_ops.commands.local.init import InitOptions, free_block, write_settings
from prod_e_ops.errors import OpsError, SettingsMistake, SettingsNotWritten, UserMistake
from prod_e_ops.project.project import Project
from tests.support.project.demo_run import Screen

WRITTEN = """\
#:schema ../docs/settings.schema.json
name = "test-e"
region = "eu-west-1"

[tags]
Environment = "test-e"

[network]
cidr = "10.1.0.0/16"
nat_gateways = "single"  # "per_zone" survives the loss of a zone

[services.backend]
source = "web"
database = true
min_tasks = 1
desired_tasks = 1
max_tasks = 2

[database]
instance_class = "db.t4g.micro"
multi_az = false
deletion_protection = false
final_snapshot = false

[load_balancer]
access_logs = false
deletion_protection = false
"""
NO_DATABASE = WRITTEN.replace("database = true", "database = false").replace(
    """\
[database]
instance_class = "db.t4g.micro"
multi_az = false
deletion_protection = false
final_snapshot = false

""",
    "",
)
OPTIONS = InitOptions(region="eu-west-1", source="web", database=True)


class Init:
    """`prod-e init` in a project with one environment; `answers`: to what is asked for."""

    def __init__(self, folder: Path) -> None:
        self.environments = folder / "environments"
        self.environments.mkdir()
        self.add("tiny-e", "")
        self.screen = Screen()
        self.answers: Mapping[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self._project = Project(folder, folder / "cdktf.out")

    def add(self, name: str, settings: str) -> None:
        text = f'name = "{name}"\n[services.backend]\nsource = "backend"\n{settings}'
        (self.environments / f"{name}.toml").write_text(text)

    async def _ask(self, question: str, *, proposal: str) -> str:
        self.asked.append((question, proposal))
        return self.answers.get(question, proposal)

    def run(self, name: str | None, options: InitOptions = OPTIONS) -> str:
        """Gives what is in the file of the environment `test-e`."""
        screen: Any = self.screen
        screen.ask = self._ask
        context: Any = SimpleNamespace(project=self._project, terminal=screen)
        asyncio.run(write_settings(context, name, options=options))
        return (self.environments / "test-e.toml").read_text("utf-8")

    def fails(self, name: str, options: InitOptions = OPTIONS) -> OpsError:
        files = sorted(self.environments.iterdir())
        with pytest.raises(OpsError) as failure:
            self.run(name, options)
        assert sorted(self.environments.iterdir()) == files
        assert self.screen.results == []
        return failure.value


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    monkeypatch.chdir(tmp_path)
    return Init(tmp_path)


def test_what_options_say_is_written_and_nothing_is_asked_for(init: Init) -> None:
    assert init.run("test-e") == WRITTEN
    assert init.asked == []
    assert init.screen.results == ["environments/test-e.toml"]
    (hint,) = init.screen.lines
    assert hint.startswith("hint: ")
    assert "plan test-e" in hint
    environment = load_environment(init.environments / "test-e.toml")
    assert environment.database is not None


def test_the_json_names_the_file(init: Init) -> None:
    init.run("test-e", InitOptions(region="eu-west-1", source="web", database=False, as_json=True))
    (printed,) = init.screen.results
    assert '"environment": "test-e"' in printed
    assert str(init.environments / "test-e.toml") in printed


def test_what_no_option_says_is_asked_for(init: Init) -> None:
    init.run(None, InitOptions())
    assert init.asked == [
        ("Name of the environment", "test-e"),
        ("Region", "us-west-2"),
        ("Folder with the service's Dockerfile", "backend"),
        ("A PostgreSQL database, y or n", "y"),
    ]


@pytest.mark.parametrize(
    ("answer", "written"),
    [("y", WRITTEN), ("YES", WRITTEN), ("n", NO_DATABASE), ("", NO_DATABASE)],
)
def test_a_database_is_made_for_a_yes(init: Init, answer: str, written: str) -> None:
    init.answers = {"A PostgreSQL database, y or n": answer}
    assert init.run("test-e", InitOptions(region="eu-west-1", source="web")) == written


def test_no_database_is_made_where_none_is_wanted(init: Init) -> None:
    options = InitOptions(region="eu-west-1", source="web", database=False)
    assert init.run("test-e", options) == NO_DATABASE
    assert init.asked == []


@pytest.mark.parametrize(
    "name", ["Test-e", "1-e", "test--e", "test-", "test e", "../test", "test-e\n"]
)
def test_a_name_that_is_none_is_refused(init: Init, name: str) -> None:
    failure = init.fails(name)
    assert isinstance(failure, UserMistake)
    assert "is not a valid name for an environment" in failure.message
    assert "lower-case letters" in str(failure.next_step)


def test_a_name_that_is_taken_is_refused(init: Init) -> None:
    before = (init.environments / "tiny-e.toml").read_text()
    failure = init.fails("tiny-e")
    assert isinstance(failure, UserMistake)
    assert failure.message == "environments/tiny-e.toml already exists."
    assert failure.details == ("Nothing was written.",)
    assert failure.next_step == "Edit it, or take another name."
    assert (init.environments / "tiny-e.toml").read_text() == before


def test_values_that_are_not_allowed_leave_nothing(init: Init) -> None:
    failure = init.fails("test-e", InitOptions(region="nowhere", source="web", database=False))
    assert isinstance(failure, SettingsMistake)


def test_a_file_that_cannot_be_written_is_told(init: Init, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", fail)
    failure = init.fails("test-e")
    assert isinstance(failure, SettingsNotWritten)
    assert failure.message == "environments/test-e.toml cannot be written: no space left."


def test_the_first_free_block_is_taken_whatever_else_the_files_say(tmp_path: Path) -> None:
    def block(*texts: str) -> str:
        files = []
        for number, text in enumerate(texts):
            files.append(tmp_path / f"{number}.toml")
            files[-1].write_text(text)
        return free_block(files)

    assert block() == "10.0.0.0/16"
    assert block("") == "10.1.0.0/16"
    assert block('[network]\ncidr = "10.0.0.0/15"') == "10.2.0.0/16"
    assert block('[network]\ncidr = "10.1.4.0/24"', "") == "10.2.0.0/16"
    assert block('[network]\ncidr = "fd00::/8"') == "10.0.0.0/16"
    assert block("no TOML", "network = 1", "[network]\ncidr = []", '[network]\ncidr = "x"') == (
        "10.0.0.0/16"
    )
    assert free_block([tmp_path / "gone.toml"]) == "10.0.0.0/16"
