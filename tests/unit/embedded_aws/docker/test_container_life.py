"""A container of the daemon from its start to what is left of it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import pytest

from embedded_aws.data_plane.runtimes.docker import runtime as module
from embedded_aws.data_plane.runtimes.docker.engine import DockerError
from embedded_aws.data_plane.runtimes.docker.runtime import DockerContainer, DockerRuntime
from embedded_aws.data_plane.runtimes.runtime import Ended, Usage
from tests.unit.embedded_aws.docker.containers_of_ecs import start_of
from tests.unit.embedded_aws.docker.memory_engine import Kept
from tests.unit.embedded_aws.docker.world import World

T = TypeVar("T")

WEB = "embedded-aws-t1-web"
NOWHERE = 2**22 + 1
"""The number of no process: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html."""


def with_container(
    world: World, work: Callable[[DockerContainer], Awaitable[T]], **given: Any
) -> T:
    """Does some work with a container that runs."""

    async def live(runtime: DockerRuntime) -> T:
        container = await runtime.start(start_of(**given), log=world.lines.append)
        return await work(container)

    return world.run(live)


def kept(world: World) -> Kept:
    return world.engine.containers[WEB]


# --- Its end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exit_code", "out_of_memory", "reason"),
    [
        (0, False, None),
        (3, False, None),
        (137, True, "OutOfMemoryError: Container killed due to memory usage"),
    ],
)
def test_its_end_is_told_with_its_exit_code_and_what_killed_it(
    world: World, exit_code: int, out_of_memory: bool, reason: str | None
) -> None:
    async def live(container: DockerContainer) -> Ended:
        kept(world).exit_code, kept(world).out_of_memory = exit_code, out_of_memory
        kept(world).ended.set()
        return await container.wait()

    assert with_container(world, live) == Ended(exit_code=exit_code, reason=reason)
    assert world.lines == ["the last line"]


@pytest.mark.parametrize(
    "failure", [DockerError(404, "No such container"), aiohttp.ClientError("it is away")]
)
@pytest.mark.parametrize("call", ["POST", "GET"])
def test_of_one_that_is_gone_nobody_knows_how_it_ended(
    world: World, failure: DockerError, call: str
) -> None:
    async def live(container: DockerContainer) -> Ended:
        what = {"POST": "wait", "GET": "json"}[call]
        world.engine.refuses[f"{call} /containers/id of {WEB}/{what}"] = failure
        kept(world).ended.set()
        return await container.wait()

    ended = with_container(world, live)
    assert ended == Ended(exit_code=None, reason="CannotInspectContainerError: it is gone")


def test_its_end_does_not_wait_for_ever_for_what_it_may_have_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAST_LINES_TIMEOUT_SECONDS", 0.01)
    world.engine.talks_on = True

    async def live(container: DockerContainer) -> Ended:
        kept(world).ended.set()
        async with asyncio.timeout(10):
            return await container.wait()

    assert with_container(world, live).exit_code == 0


def test_one_that_nobody_follows_ends_too(world: World) -> None:
    async def live(container: DockerContainer) -> Ended:
        engine: Any = world.engine
        kept(world).ended.set()
        return await DockerContainer(engine, container.runtime_id, None, start_of()).wait()

    assert with_container(world, live).exit_code == 0


@pytest.mark.parametrize(
    ("pid", "runs"),
    [(os.getpid(), True), (None, True), (NOWHERE, False)],
    # Each of pytest's processes has another number, and all have to name a test alike.
    ids=["runs", "not known", "has gone"],
)
def test_it_runs_until_its_process_has_gone(world: World, pid: int | None, runs: bool) -> None:
    async def live(container: DockerContainer) -> list[bool]:
        container.process_id = pid
        before = container.is_running
        kept(world).ended.set()
        await container.wait()
        return [before, container.is_running]

    assert with_container(world, live) == [runs, False]


# --- What it is told ------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "told"), [({"stopTimeout": 5}, "5"), ({}, "30")])
def test_it_is_asked_to_end_and_has_its_stop_timeout_for_that(
    world: World, given: dict[str, int], told: str
) -> None:
    async def live(container: DockerContainer) -> bool:
        await container.stop()
        is_waited_for = kept(world).ended.is_set()
        await container.wait()
        return is_waited_for

    assert with_container(world, live, **given) is False
    assert kept(world).told_to_stop == told


@pytest.mark.parametrize("is_away", [False, True])
def test_one_that_has_gone_need_not_be_told(world: World, is_away: bool) -> None:
    async def live(container: DockerContainer) -> list[BaseException | None]:
        world.engine.is_away = is_away
        kept(world).ended.set()
        world.engine.containers.clear()
        await container.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        told, _ = await asyncio.wait(others, timeout=10)
        return [each.exception() for each in told]

    assert set(with_container(world, live)) == {None}


@pytest.mark.parametrize(("status", "succeeds"), [(0, True), (1, False), (None, False)])
def test_a_program_inside_succeeds_with_status_0_in_time(
    world: World, status: int | None, succeeds: bool
) -> None:
    world.engine.execute_status = status
    seconds = 0.01 if status is None else 10.0

    async def live(container: DockerContainer) -> bool:
        async with asyncio.timeout(10):
            return await container.run(("curl", "localhost"), timeout_seconds=seconds)

    assert with_container(world, live) is succeeds
    assert world.engine.executed == [(f"id of {WEB}", ["curl", "localhost"])]


def test_a_program_in_one_that_is_gone_does_not_succeed(world: World) -> None:
    async def live(container: DockerContainer) -> bool:
        world.engine.is_away = True
        return await container.run(["true"], timeout_seconds=10)

    assert with_container(world, live) is False


# --- What it uses ---------------------------------------------------------------------------------


def stats_of(*, usage: int = 300, **of_files: int) -> dict[str, Any]:
    return {
        "memory_stats": {"usage": usage, "stats": of_files},
        "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
    }


@pytest.mark.parametrize(
    ("stats", "used_bytes"),
    [
        # What is cached of files is no use of memory: as cgroups 2 tell it, or 1.
        (stats_of(inactive_file=100), 200),
        (stats_of(total_inactive_file=120), 180),
        (stats_of(inactive_file=100, total_inactive_file=120), 200),
        (stats_of(), 300),
        (stats_of(usage=0, inactive_file=100), 0),
    ],
)
def test_what_it_uses_is_what_the_daemon_counts(
    world: World, stats: object, used_bytes: int
) -> None:
    world.engine.stats = stats
    usage = with_container(world, lambda container: container.usage())
    assert usage == Usage(cpu_seconds=2.5, memory_bytes=used_bytes)


@pytest.mark.parametrize("stats", ["", {"memory_stats": {}}])
def test_nothing_is_known_of_one_that_ends(world: World, stats: object) -> None:
    world.engine.stats = stats
    assert with_container(world, lambda container: container.usage()) is None


def test_nothing_is_known_of_one_that_has_gone(world: World) -> None:
    async def live(container: DockerContainer) -> Usage | None:
        world.engine.containers.clear()
        return await container.usage()

    assert with_container(world, live) is None


# --- What is left of it ---------------------------------------------------------------------------

MOUNTS = [
    {"sourceVolume": "scratch", "containerPath": "/tmp"},
    {"sourceVolume": "assets", "containerPath": "/srv"},
]


def test_nothing_is_left_of_it_and_its_volumes(world: World) -> None:
    async def live(container: DockerContainer) -> None:
        assert {"embedded-aws-t1-scratch", "embedded-aws-t1-assets"} < world.engine.volumes
        await container.remove()

    with_container(world, live, mountPoints=MOUNTS)
    assert world.engine.containers == {}
    assert world.engine.volumes == set()


def test_a_volume_that_another_container_still_has_keeps_none_of_the_rest(world: World) -> None:
    used = DockerError(409, "volume is in use")
    world.engine.refuses["DELETE /volumes/embedded-aws-t1-scratch"] = used
    with_container(world, lambda container: container.remove(), mountPoints=MOUNTS)
    assert world.engine.containers == {}
    assert world.engine.volumes == {"embedded-aws-t1-scratch"}


def test_without_volumes_only_the_container_is_removed(world: World) -> None:
    with_container(world, lambda container: container.remove())
    assert world.engine.containers == {}


def test_one_that_was_removed_is_not_followed_any_more(world: World) -> None:
    world.engine.talks_on = True

    async def live(container: DockerContainer) -> bool:
        await container.remove()
        for _ in range(5):
            await asyncio.sleep(0)
        return len(asyncio.all_tasks()) == 1

    assert with_container(world, live)


@pytest.mark.parametrize("is_away", [False, True])
def test_one_that_has_gone_already_is_removed(world: World, is_away: bool) -> None:
    async def live(container: DockerContainer) -> None:
        world.engine.is_away = is_away
        world.engine.containers.clear()
        await container.remove()

    with_container(world, live, mountPoints=MOUNTS)
    assert world.engine.containers == {}
