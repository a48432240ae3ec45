"""From a task's containers to those of Docker's daemon, their network included, and back."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws.data_plane.runtimes.docker import runtime as module
from embedded_aws.data_plane.runtimes.docker.engine import DockerError
from embedded_aws.data_plane.runtimes.docker.runtime import DockerContainer, DockerRuntime
from embedded_aws.data_plane.runtimes.docker.support_image import layer
from embedded_aws.data_plane.runtimes.docker.task_network import (
    BEHIND_VIRTUAL_MACHINE,
    SHARED,
    TaskNetwork,
)
from embedded_aws.data_plane.runtimes.docker.watch import labels
from embedded_aws.data_plane.runtimes.runtime import Start, StartError
from tests.unit.embedded_aws.docker.containers_of_ecs import TASK_ARN, start_of
from tests.unit.embedded_aws.docker.memory_engine import Kept
from tests.unit.embedded_aws.docker.world import World

WEB = "embedded-aws-t1-web"
PAUSE = "embedded-aws-t1-pause"
BRIDGE = TaskNetwork(mode="bridge", machine="127.0.0.7", words="on a bridge")


def started(world: World, *starts: Start) -> list[DockerContainer]:
    async def start(runtime: DockerRuntime) -> list[DockerContainer]:
        together = [runtime.start(each, log=world.lines.append) for each in starts]
        return await asyncio.gather(*together)

    return world.run(start)


def adopted(world: World, start: Start) -> DockerContainer | None:
    async def adopt(runtime: DockerRuntime) -> DockerContainer | None:
        found = await runtime.adopt(start, log=world.lines.append)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found

    return world.run(adopt)


def forget_task(world: World) -> None:
    world.run(lambda runtime: runtime.forget_task("t1"))


# --- A start --------------------------------------------------------------------------------------


def test_a_container_runs_as_its_definition_says_with_what_signs_certificates(
    world: World,
) -> None:
    (container,) = started(world, start_of(command=["serve"]))
    assert world.engine.running == [WEB]
    assert container.runtime_id == f"id of {WEB}"
    assert container.process_id == 4711
    body = world.engine.containers[WEB].body
    assert (body["Image"], body["Cmd"]) == ("app:latest", ["serve"])
    assert body["Labels"] == {**labels(world.configuration), "embedded-aws.task": TASK_ARN}
    authority = world.configuration.certificate_authority_file
    assert body["HostConfig"]["Binds"] == [f"{authority}:{authority}:ro"]


def test_what_it_writes_is_passed_on_until_its_end(world: World) -> None:
    world.engine.says = ("first", "second")

    async def live(runtime: DockerRuntime) -> None:
        container = await runtime.start(start_of(), log=world.lines.append)
        await container.stop()
        await container.wait()

    world.run(live)
    assert world.lines == ["first", "second", "the last line"]


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (f"POST /containers/create?{WEB}", "CannotCreateContainerError"),
        (f"POST /containers/id of {WEB}/start", "CannotStartContainerError"),
        (f"GET /containers/id of {WEB}/json", "CannotStartContainerError"),
    ],
)
def test_one_that_cannot_be_started_says_why_and_leaves_nothing(
    world: World, call: str, status: str
) -> None:
    world.engine.refuses[call] = DockerError(500, "no space left on device")
    with pytest.raises(StartError, match=f"^{status}: no space left on device$"):
        started(world, start_of())
    assert world.engine.containers == {}
    assert adopted(world, start_of()) is None


@pytest.mark.parametrize(
    ("network", "process_id"), [(SHARED, 4711), (BRIDGE, 4711), (BEHIND_VIRTUAL_MACHINE, None)]
)
def test_a_process_number_of_a_virtual_machine_is_none_of_this_machine(
    world: World, network: TaskNetwork, process_id: int | None
) -> None:
    world.network = network
    (container,) = started(world, start_of())
    assert container.process_id == process_id
    again = adopted(world, start_of())
    assert again
    assert again.process_id == process_id


# --- What watches over them -----------------------------------------------------------------------


def test_before_the_first_container_something_watches_over_all_of_them(world: World) -> None:
    started(world, start_of(), start_of(task_id="t2"))
    assert world.watched == ["watches as sha256:pause over []"]
    # The daemon may be of another architecture than this machine.
    assert world.engine.layers == [(layer("aarch64"), labels(world.configuration))]


def test_what_an_earlier_data_plane_left_goes_before_the_first_container(
    world: World, tmp_path: Path
) -> None:
    gone = {**labels(world.configuration), "embedded-aws.state-folder": str(tmp_path / "gone")}
    world.engine.containers["left"] = Kept(name="left", body={"Labels": gone})
    started(world, start_of())
    assert world.engine.running == [WEB]
    assert world.watched == ["watches as sha256:pause over []"]


@pytest.mark.parametrize("is_away", [False, True])
def test_at_the_end_the_watch_goes_and_then_its_image(world: World, is_away: bool) -> None:
    async def live(runtime: DockerRuntime) -> None:
        await runtime.start(start_of(), log=world.lines.append)
        world.engine.is_away = is_away
        await runtime.close()

    world.run(live)
    assert world.watched[1:] == ["ended"]
    assert ("sha256:pause" in world.engine.images) == is_away
    assert world.engine.is_closed


def test_an_image_that_is_gone_already_keeps_nobody_from_the_end(world: World) -> None:
    world.engine.refuses["DELETE /images/sha256:pause"] = DockerError(404, "no such image")

    async def live(runtime: DockerRuntime) -> None:
        await runtime.start(start_of(), log=world.lines.append)
        await runtime.close()

    world.run(live)
    assert world.engine.is_closed


def test_where_nothing_was_started_nothing_watches(world: World) -> None:
    world.run(lambda runtime: runtime.close())
    assert world.watched == []
    assert world.engine.is_closed


# --- The network of a task ------------------------------------------------------------------------


def network_of(world: World, name: str) -> str:
    return str(world.engine.containers[name].body["HostConfig"]["NetworkMode"])


def bindings_of(world: World, name: str) -> Any:
    return world.engine.containers[name].body["HostConfig"].get("PortBindings")


ON_LOOPBACK = {"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40001"}]}


def test_on_this_machines_network_containers_need_none_of_their_own(world: World) -> None:
    started(world, start_of(has_neighbours=True, task_ports={3000: 3000}))
    assert list(world.engine.containers) == [WEB]
    assert network_of(world, WEB) == "host"
    assert bindings_of(world, WEB) is None


def test_the_only_container_of_a_task_has_its_ports(world: World) -> None:
    world.network = BRIDGE
    started(world, start_of(task_ports={3000: 40_001}))
    assert list(world.engine.containers) == [WEB]
    assert network_of(world, WEB) == "bridge"
    assert bindings_of(world, WEB) == ON_LOOPBACK


def test_containers_of_a_task_share_a_network_that_outlives_each_of_them(world: World) -> None:
    world.network = BRIDGE
    of_task = {"has_neighbours": True, "task_ports": {3000: 40_001}}
    started(world, start_of(**of_task), start_of(name="proxy", **of_task))
    assert set(world.engine.running) == {PAUSE, WEB, "embedded-aws-t1-proxy"}
    assert network_of(world, WEB) == f"container:{PAUSE}"
    assert network_of(world, "embedded-aws-t1-proxy") == f"container:{PAUSE}"
    assert bindings_of(world, WEB) is None
    assert bindings_of(world, PAUSE) == ON_LOOPBACK
    pause = world.engine.containers[PAUSE]
    assert pause.starts == 1
    assert pause.body["Image"] == "sha256:pause"
    assert pause.body["Entrypoint"] == ["/pause"]
    assert pause.body["Labels"] == labels(world.configuration)
    assert network_of(world, PAUSE) == "bridge"
    # Its last container has ended.
    forget_task(world)
    assert PAUSE not in world.engine.containers


def test_a_task_without_a_network_is_told(world: World) -> None:
    world.network = BRIDGE
    world.engine.refuses[f"POST /containers/create?{PAUSE}"] = DockerError(500, "port is taken")
    with pytest.raises(StartError, match=r"^CannotCreateContainerError: port is taken$"):
        started(world, start_of(has_neighbours=True))


@pytest.mark.parametrize("is_away", [False, True])
def test_a_task_whose_network_is_gone_already_is_forgotten(world: World, is_away: bool) -> None:
    world.engine.is_away = is_away
    forget_task(world)
    assert world.engine.containers == {}


# --- The data plane after this one ----------------------------------------------------------------


def test_the_next_data_plane_finds_a_container_and_what_it_writes(world: World) -> None:
    (first,) = started(world, start_of(image_digest=None))
    world.engine.says = ("what it wrote before",)
    world.lines.clear()
    found = adopted(world, start_of())
    assert found
    assert found.runtime_id == first.runtime_id
    assert found.image_digest == first.image_digest
    assert world.lines == ["what it wrote before"]
    assert world.engine.containers[WEB].starts == 1


def test_it_knows_of_which_digest_a_container_is(world: World) -> None:
    world.engine.images["app@sha256:1"] = {}
    started(world, start_of(image_digest="sha256:1"))
    found = adopted(world, start_of())
    assert found
    assert found.image_digest == "sha256:1"


def test_what_is_remembered_of_a_container_goes_with_its_tasks_folder(world: World) -> None:
    started(world, start_of())
    state = world.configuration.state_folder
    files = [each.relative_to(state).as_posix() for each in state.rglob("*") if each.is_file()]
    assert files == ["tasks/t1/web/docker.json"]


@pytest.mark.parametrize("other", [{"task_id": "t2"}, {"name": "proxy"}])
def test_it_takes_no_other_container_for_one(world: World, other: dict[str, str]) -> None:
    started(world, start_of())
    assert adopted(world, start_of(**other)) is None


def test_a_container_that_has_gone_meanwhile_is_none(world: World) -> None:
    started(world, start_of())
    world.engine.containers.clear()
    assert adopted(world, start_of()) is None


# --- The daemon -----------------------------------------------------------------------------------


def connected(world: World, monkeypatch: pytest.MonkeyPatch, asked: Any) -> DockerRuntime:
    async def connect() -> object:
        return world.engine

    monkeypatch.setattr(module, "DockerEngine", SimpleNamespace(connect=connect))
    monkeypatch.setattr(sys, "platform", "linux")
    return world.loop.run(
        DockerRuntime.connect(
            world.configuration, lambda name: {"ecr": world.ecr}[name], asked=asked
        )
    )


def test_a_daemon_is_used_on_the_network_that_it_has(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = connected(world, monkeypatch, "auto")
    assert runtime.network is SHARED
    assert not world.engine.is_closed
    world.loop.run(runtime.start(start_of(), log=world.lines.append))
    assert world.engine.running == [WEB]


def test_a_daemon_without_the_network_that_is_asked_for_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match="has no bridge network"):
        connected(world, monkeypatch, "bridge")
    assert world.engine.is_closed
