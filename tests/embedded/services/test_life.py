"""What runs outlives neither a restart of the data plane nor the end of everything by mistake."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from embedded_aws.data_plane.kept_process import PATIENCE_SECONDS
from tests.embedded.world import World, eventually, write_source
from tests.support.command.processes import is_running

# Ten seconds without a heartbeat, and what looking and ending takes.
ENDED_SECONDS = PATIENCE_SECONDS + 10


@pytest.fixture
def own(tmp_path: Path) -> Iterator[World]:
    """A service on an embedded AWS of a test's own, which it may kill."""
    source = tmp_path / "app"
    write_source(source, "first")
    data_plane = DataPlane(
        sources={"app": source}, runtime="process", cache_folder=tmp_path / "cache"
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        world = World(aws, source, repository="app")
        world.create()
        world.until_steady()
        yield world


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def test_a_data_plane_that_is_killed_finds_its_tasks_again(own: World) -> None:
    before, pid = own.task_pids(), own.aws.data_plane_pid
    kill(pid)
    eventually("another one runs", lambda: own.aws.data_plane_pid not in (None, pid))
    eventually("it serves", lambda: try_get(own) == 200)
    own.until_steady()
    assert own.task_pids() == before
    assert own.tasks("STOPPED") == []
    own.get("/log?text=after-the-restart")
    eventually("it logs", lambda: "after-the-restart" in own.log_lines())
    own.deploy("second")
    own.until_steady()
    assert own.json("/")["version"] == "second"
    eventually("the old ones have ended", lambda: not any(map(is_running, before)))


def try_get(world: World) -> int:
    try:
        return world.get("/")[0]
    except OSError:
        return 0


def test_while_the_control_plane_does_not_answer_tasks_go_on_serving(own: World) -> None:
    control_plane = own.aws._process
    assert control_plane is not None
    url = own.url()
    before = own.task_pids()
    with own.load() as load:
        control_plane.send_signal(signal.SIGSTOP)
        try:
            sent = load.sent
            eventually("requests are answered", lambda: load.sent > sent + 100)
        finally:
            control_plane.send_signal(signal.SIGCONT)
    assert load.lost == 0, load
    assert own.task_pids() == before
    assert own.url() == url


def test_without_a_control_plane_everything_ends_after_ten_seconds(own: World) -> None:
    pids = own.task_pids()
    assert own.aws._process is not None
    kill(own.aws._process.pid)
    eventually(
        "tasks have ended",
        lambda: not any(map(is_running, pids)),
        seconds=ENDED_SECONDS + PATIENCE_SECONDS,
    )


SCRIPT = """\
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from embedded_aws import DataPlane, EmbeddedAws
from tests.embedded.world import World, eventually
source = Path(sys.argv[2])
data_plane = DataPlane(sources={"app": source}, runtime="process", cache_folder=source.parent)
with EmbeddedAws(data_plane=data_plane) as aws:
    world = World(aws, source, repository="app")
    world.create()
    rds = world.client("rds")
    rds.create_db_instance(DBInstanceIdentifier="db", DBInstanceClass="db.t4g.small",
        Engine="postgres", AllocatedStorage=20, MasterUsername="postgres",
        ManageMasterUserPassword=True)
    world.until_steady()
    eventually("the database is there", lambda:
        rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "available")
    state = aws._state_folder
    databases = [json.loads(path.read_text())["child"]
        for path in state.glob("databases/*/process/pids.json")]
    keepers = [json.loads(path.read_text())["keeper"] for path in state.glob("**/pids.json")]
    print(json.dumps({"own": [aws._process.pid, aws.data_plane_pid], "keepers": keepers,
        "run": [*world.task_pids(), *databases], "state": str(state)}), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("kills_keepers", [False, True])
def test_nothing_outlives_a_sigkill_of_everything(
    tmp_path: Path, kills_keepers: bool, with_postgresql: None
) -> None:
    project = Path(__file__).resolve().parents[3]
    write_source(tmp_path / "app", "first")
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(project), str(tmp_path / "app")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=project / "backend",
    ) as parent:
        assert parent.stdout is not None
        known: dict[str, Any] = json.loads(parent.stdout.readline())
        assert len(known["run"]) == 3
        assert all(map(is_running, known["run"]))
        # The data plane's parent would start it again.
        for pid in (parent.pid, *known["own"]):
            kill(pid)
        if kills_keepers:
            for pid in known["keepers"]:
                kill(pid)
    wait_for(lambda: not any(map(is_running, known["run"])))
    wait_for(lambda: not any(map(is_running, known["keepers"])))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENDED_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_end_of_the_embedded_aws_is_the_end_of_its_tasks(tmp_path: Path) -> None:
    source = tmp_path / "app"
    write_source(source, "first")
    data_plane = DataPlane(
        sources={"app": source}, runtime="process", cache_folder=tmp_path / "cache"
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        world = World(aws, source, repository="app")
        world.create()
        world.until_steady()
        pids, folder = world.task_pids(), aws._state_folder
    assert not any(map(is_running, pids))
    assert folder is not None
    assert not folder.exists()
