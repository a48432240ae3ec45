"""Containers that nobody looks after any more are removed."""

import json
import os
import socket
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from embedded_aws.data_plane.runtimes.docker import sweep as docker_sweep
from tests.embedded.docker.daemon import Daemon, daemon_at


def sweep(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["docker_sweep.py", *arguments])
    docker_sweep.main()


def has_containers(daemon: Daemon, *ids: str) -> None:
    daemon.says("GET /containers/json", [{"Id": id} for id in ids])


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_all_with_the_label_go_and_the_one_that_removes_them_last(
    monkeypatch: pytest.MonkeyPatch, kind: Literal["unix", "tcp"]
) -> None:
    with daemon_at(kind) as daemon:
        monkeypatch.setattr(socket, "gethostname", lambda: "b5")
        has_containers(daemon, "a1", "b55", "c1")
        sweep(monkeypatch, daemon.endpoint, "whose=mine")
    assert daemon.calls == [
        "GET /containers/json", "DELETE /containers/a1", "DELETE /containers/c1",
        "DELETE /containers/b55",
    ]  # fmt: skip
    listed, *removed = (dict(request.query) for request in daemon.asked)
    assert (listed["all"], json.loads(listed["filters"])) == ("1", {"label": ["whose=mine"]})
    # With the volumes that they made.
    assert removed == [{"force": "1", "v": "1"}] * 3


def test_a_daemon_that_does_not_answer_is_waited_for_no_longer_than_half_a_minute() -> None:
    with daemon_at() as daemon, closing(docker_sweep._Connection(daemon.endpoint)) as connection:
        connection.connect()
        assert connection.sock.gettimeout() == 30


def test_they_go_once_the_heartbeat_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("there is nothing to wait for"))
    with daemon_at() as daemon:
        has_containers(daemon)
        sweep(monkeypatch, daemon.endpoint, "whose=mine", str(tmp_path / "heartbeat"), "2")
        # It has reached the daemon before it says that it watches.
        assert daemon.calls == ["GET /_ping", "GET /containers/json"]
    assert capsys.readouterr().out == "watching\n"


def test_they_stay_for_as_long_as_the_heart_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat = tmp_path / "heartbeat"
    heartbeat.touch()
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) in (1, 2, 4):
            os.utime(heartbeat, (len(waits), len(waits)))

    monkeypatch.setattr(time, "sleep", sleep)
    with daemon_at() as daemon:
        has_containers(daemon)
        sweep(monkeypatch, daemon.endpoint, "whose=mine", str(heartbeat), "2")
    # The third and the last two seconds were still.
    assert waits == [1] * 7
