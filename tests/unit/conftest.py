"""No unit test starts a process or listens to a port."""

import socket
import subprocess
from typing import Any, NoReturn

import pytest


@pytest.fixture(autouse=True)
def no_process_and_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen.__init__

    def only_git(self: subprocess.Popen[Any], command: Any, *rest: Any, **options: Any) -> None:
        # It tells which commit a folder is of.
        assert command[0] == "git", f"a unit test starts no process such as {command}"
        start(self, command, *rest, **options)

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a unit test starts no server")

    monkeypatch.setattr(subprocess.Popen, "__init__", only_git)
    monkeypatch.setattr(socket.socket, "listen", refuse)
