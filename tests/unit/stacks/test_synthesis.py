"""How the app is run that writes the stacks, and what is made of how it ends."""

import asyncio
import errno
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.errors import OpsError, SettingsMistake, UserMistake
from prod_e_ops.project.project import Project
from prod_e_ops.stacks.synthesis import synthesise
from prod_e_ops.terminal.processes import Finished
from tests.support.project.demo_run import Screen


@dataclass
class App:
    """An app that ends with a status after it wrote something to stderr."""

    folder: Path
    status: int = 0
    stderr: str = ""
    ran: list[Sequence[str]] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)
    screen: Screen = field(default_factory=Screen)

    async def call(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        stop_timeout_seconds: float,
    ) -> Finished:
        assert folder == self.folder
        # It holds nothing that would have to be brought to an end.
        assert stop_timeout_seconds < 10
        self.ran.append(command)
        self.environment = environment
        assert self.scratch.is_dir()
        (self.scratch / "jsii-kernel").mkdir()
        return Finished(self.status, "what is of no use", self.stderr)

    @property
    def scratch(self) -> Path:
        """Its own folder for temporary files."""
        return Path(self.environment["TMPDIR"])

    def synthesise(self, environment: str | None = None) -> None:
        context: Any = SimpleNamespace(
            processes=self,
            terminal=self.screen,
            project=Project(self.folder, self.folder / "cdktf.out"),
        )
        asyncio.run(synthesise(context, environment))


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """The app of a project, on a machine with Node.js."""
    programs, project = tmp_path / "bin", tmp_path / "project"
    programs.mkdir()
    project.mkdir()
    (programs / "node").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("NODE_NO_WARNINGS", raising=False)
    return App(project)


@pytest.mark.parametrize(("environment", "named"), [(None, []), ("tiny-e", ["tiny-e"])])
def test_the_app_is_this_pythons_and_writes_one_environment_or_all(
    app: App, environment: str | None, named: Sequence[str]
) -> None:
    app.synthesise(environment)
    assert app.ran == [[sys.executable, "main.py", *named]]
    assert app.environment["CDKTF_OUTDIR"] == str(app.folder / "cdktf.out")
    assert app.environment["PATH"] == os.environ["PATH"]


def test_what_the_app_says_is_told_without_what_node_says_of_itself(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.stderr = "Warning: one.\nWarning: two.\n"
    app.synthesise()
    assert app.screen.lines == ["Synthesise", "Warning: one.", "Warning: two."]
    assert app.environment["NODE_NO_WARNINGS"] == "1"
    # Whoever looks for what Node.js says is not kept from it.
    monkeypatch.setenv("NODE_NO_WARNINGS", "0")
    app.synthesise()
    assert app.environment["NODE_NO_WARNINGS"] == "0"


@pytest.mark.parametrize("still_writes", [False, True])
def test_nothing_of_its_temporary_files_stays_and_nothing_fails_if_it_does(
    app: App, monkeypatch: pytest.MonkeyPatch, still_writes: bool
) -> None:
    remove = os.rmdir

    def rmdir(path: str, **options: Any) -> None:
        if still_writes and "jsii-kernel" in str(path):
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        remove(path, **options)

    with monkeypatch.context() as patches:
        patches.setattr(os, "rmdir", rmdir)
        app.synthesise()
    # Whoever finds it should know whose it is.
    assert re.fullmatch(r"prod-e-synth-\w{8}", app.scratch.name)
    assert app.scratch.exists() == still_writes
    if still_writes:
        (app.scratch / "jsii-kernel").rmdir()
        app.scratch.rmdir()


def test_without_node_the_app_is_not_run(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserMistake, match="there is no `node` on PATH") as raised:
        app.synthesise()
    assert raised.value.details == ("Nothing was written.",)
    assert "https://nodejs.org" in (raised.value.next_step or "")
    assert app.ran == []


def test_wrong_settings_are_told_in_the_apps_own_words(app: App) -> None:
    app.status = 2
    app.stderr = "tiny-e.toml: there is no setting `netwrok`.\n  Did you mean `network`?\n\n"
    with pytest.raises(SettingsMistake) as raised:
        app.synthesise()
    assert raised.value.message == app.stderr.strip()
    assert raised.value.details == ("Nothing was written.",)
    assert "Correct the settings" in (raised.value.next_step or "")


TRACEBACK = """\
Warning: the file is old.
Traceback (most recent call last):
  File "main.py", line 1, in <module>
    main()
"""


@pytest.mark.parametrize(
    ("stderr", "told"),
    [
        (f"{TRACEBACK}RuntimeError: one\ntwo\n", ["RuntimeError: one", "two"]),
        # Whose message has lines like those of the traceback.
        (f"{TRACEBACK}RuntimeError: one\n  two\n", ["  two"]),
        ("Fatal: out of memory\n  at node\n", ["Fatal: out of memory", "  at node"]),
        ("Traceback (most recent call last):\nEOFError\n", None),
        ("".join(f"line {number}\n" for number in range(20)), [f"line {n}" for n in range(5, 20)]),
        ("", []),
    ],
)
def test_of_an_app_that_fails_the_exception_is_told_and_how_to_see_the_rest(
    app: App, stderr: str, told: Sequence[str] | None
) -> None:
    app.status, app.stderr = 1, stderr
    with pytest.raises(OpsError, match="it was before") as raised:
        app.synthesise()
    assert raised.value.exit_status == 1
    assert list(raised.value.details) == (stderr.splitlines() if told is None else told)
    assert "`.venv/bin/python main.py`" in (raised.value.next_step or "")
    assert app.screen.lines == ["Synthesise"]
