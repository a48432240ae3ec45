"""No container outlives the embedded AWS, whatever is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from embedded_aws.data_plane.kept_process import PATIENCE_SECONDS
from tests.embedded.docker_world import connect, dockerfile
from tests.embedded.world import write_source
from tests.support.docker_engine import DockerEngine

PROJECT = Path(__file__).resolve().parents[3]
GONE_SECONDS = PATIENCE_SECONDS + 5

SCRIPT = """\
import json, signal, sys, time
sys.path.insert(0, sys.argv[1])
from embedded_aws import DataPlane, EmbeddedAws
from tests.embedded.world import World
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # Whatever this was started by.
listens_on = {"LISTEN_ADDRESS": "{listen_address}"}
with EmbeddedAws(data_plane=DataPlane(runtime="docker", task_environment=listens_on)) as aws:
    world = World(aws, Path(), repository="app")
    world.image = sys.argv[2]
    world.create()
    world.until_steady()
    tasks = [c["runtimeId"] for task in world.tasks() for c in task["containers"]]
    print(json.dumps({"pids": [aws._process.pid, aws.data_plane_pid],
        "state": str(aws._state_folder), "tasks": tasks}), flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def docker() -> DockerEngine:
    return connect()


@pytest.fixture(scope="module")
def image(docker: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image that is in the daemon and in no registry."""
    folder = tmp_path_factory.mktemp("image")
    write_source(folder, "first")
    (folder / "Dockerfile").write_text(dockerfile())
    name = f"embedded-aws-test:{uuid4().hex}"
    docker.run("build", "--no-cache", "--network", "host", "--tag", name, str(folder))
    yield name
    docker.run("image", "rm", "--force", name)


class Running:
    """An embedded AWS in a process of its own, with two tasks."""

    def __init__(self, docker: DockerEngine, image: str) -> None:
        self.docker = docker
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(PROJECT), image], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.known: dict[str, Any] = json.loads(self.process.stdout.readline())

    @property
    def state(self) -> Path:
        return Path(self.known["state"])

    def containers(self) -> list[str]:
        """All that it has in the daemon, whatever they are for."""
        label = f"label=embedded-aws.state-folder={self.known['state']}"
        return self.docker.run("ps", "--all", "--quiet", "--no-trunc", "--filter", label).split()

    def tasks(self) -> set[str]:
        """Those of its tasks."""
        return set(self.containers()) & set(self.known["tasks"])

    def images(self) -> list[str]:
        label = f"label=embedded-aws.state-folder={self.known['state']}"
        return self.docker.run("image", "ls", "--quiet", "--filter", label).split()

    def everything(self) -> list[int]:
        """Its processes, keepers among them, and the first process of each of its containers."""
        ours = [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if self.known["state"] in " ".join(process.info["cmdline"] or ())
        ]
        watches = set(self.containers()) - set(self.known["tasks"])
        states = [self.docker.inspect("container", id)["State"] for id in watches]
        pids = {self.process.pid, *self.known["pids"], *ours, *(each["Pid"] for each in states)}
        return sorted(pids)

    def kill(self, pids: list[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        with self.process:
            try:
                self.process.wait(timeout=60)
            finally:
                self.process.kill()


def until_gone(what: Callable[[], object], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := what():
        assert time.monotonic() < deadline, f"left: {left}"
        time.sleep(0.2)


def test_no_container_outlives_a_sigkill_of_everything(docker: DockerEngine, image: str) -> None:
    running = Running(docker, image)
    assert len(running.known["tasks"]) == 2
    running.kill(running.everything())
    until_gone(running.tasks, seconds=GONE_SECONDS)
    until_gone(running.containers, seconds=GONE_SECONDS)


def test_the_next_start_removes_what_nobody_watched_over(docker: DockerEngine, image: str) -> None:
    lost = Running(docker, image)
    watches = set(lost.containers()) - set(lost.known["tasks"])
    everything = lost.everything()
    docker.run("rm", "--force", *watches)
    lost.kill([pid for pid in everything if psutil.pid_exists(pid)])
    # As if that were a while ago.
    os.utime(lost.state / "heartbeat", (0, 0))
    assert set(lost.containers()) == set(lost.known["tasks"])
    other = Running(docker, image)
    try:
        assert lost.containers() == []
        assert lost.images() == []
        assert len(other.containers()) > 2
    finally:
        other.kill(other.everything())
        until_gone(other.containers, seconds=2 * GONE_SECONDS)


def test_an_orderly_end_leaves_neither_containers_nor_images(
    docker: DockerEngine, image: str
) -> None:
    running = Running(docker, image)
    assert running.images()
    running.process.send_signal(signal.SIGINT)
    running.wait()
    assert running.containers() == []
    assert running.images() == []
