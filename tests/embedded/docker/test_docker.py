"""Where a Docker daemon answers, tasks are containers, as their task definition says."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.docker_world import Images, connect, container_ids, images_of, world_of
from tests.embedded.world import World, eventually, most_used
from tests.support.docker_engine import DockerEngine

CLIENTS = 8


@pytest.fixture(scope="module")
def docker() -> DockerEngine:
    return connect()


@pytest.fixture(scope="module")
def images(docker: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    with images_of(docker, tmp_path_factory.mktemp("images")) as images:
        yield images


@pytest.fixture
def world(images: Images) -> Iterator[World]:
    with world_of(images) as world:
        yield world


def hardened(world: World) -> dict[str, Any]:
    return world.container(
        readonlyRootFilesystem=True,
        linuxParameters={"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        mountPoints=[{"sourceVolume": "scratch", "containerPath": "/scratch", "readOnly": False}],
        healthCheck={
            "command": [
                "CMD",
                "node",
                "-e",
                "require('http').get('http://127.0.0.1:3000/health', r =>"
                " process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))",
            ],
            "interval": 5,
            "timeout": 5,
            "retries": 3,
        },
    )


def test_a_container_is_as_its_task_definition_says(world: World, images: Images) -> None:
    definition = world.define(hardened(world), volumes=[{"name": "scratch"}])
    world.create(definition, desiredCount=1)
    world.until_steady()
    (task,) = world.tasks()
    (id,) = container_ids(images, world)
    container = images.docker.inspect("container", id)
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["Init"] is True
    assert host["Memory"] == 512 * 1024 * 1024
    assert host["CpuQuota"] == 25_000
    assert container["Config"]["StopTimeout"] == 5
    assert any(mount["Destination"] == "/scratch" for mount in container["Mounts"])
    # And as the process itself finds it.
    status = world.json("/status")
    assert status["uid"] == 10001
    assert "CapEff:\t0000000000000000" in status["status"]
    assert world.json("/write") == {"written": False, "code": "EROFS"}
    assert task["healthStatus"] == "HEALTHY"
    (described,) = world.client("ecr").describe_images(
        repositoryName="app", imageIds=[{"imageTag": "latest"}]
    )["imageDetails"]
    assert task["containers"][0]["imageDigest"] == described["imageDigest"]


def test_a_push_is_deployed_without_a_lost_request(world: World, images: Images) -> None:
    world.create()
    world.until_steady()
    with world.load() as load:
        images.push("second")
        world.update(forceNewDeployment=True)
        world.until_steady()
        assert world.json("/")["version"] == "second"
    assert load.lost == 0, load


def test_a_version_that_cannot_start_is_rolled_back_to_the_digest_before(
    world: World, images: Images
) -> None:
    images.push("good")
    world.create()
    world.until_steady()
    with world.load() as load:
        images.push("crash")
        world.update(forceNewDeployment=True)
        world.until_deployment("ROLLBACK_SUCCESSFUL")
        # The tag still names the version that crashes.
        world.update(desiredCount=3)
        world.until_steady()
    assert load.lost == 0, load
    assert load.versions == {"good"}
    images.push("good")


def test_an_image_that_is_not_there_says_so(world: World) -> None:
    missing = world.image.replace("latest", "missing")
    world.create(world.define(world.container(image=missing)), desiredCount=1)
    stopped = eventually("a task has failed", lambda: world.tasks("STOPPED"))
    assert stopped[0]["stopCode"] == "TaskFailedToStart"
    assert stopped[0]["stoppedReason"].startswith("CannotPullContainerError: ")


def test_an_image_of_another_architecture_says_so(world: World) -> None:
    definition = world.define(
        runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
    )
    world.create(definition, desiredCount=1)
    stopped = eventually("a task has failed", lambda: world.tasks("STOPPED"))
    assert "matching platform 'linux/arm64'" in stopped[0]["stoppedReason"]


def test_of_a_killed_container_only_what_it_was_answering_is_lost(
    world: World, docker: DockerEngine
) -> None:
    world.create()
    world.until_steady()
    id = world.tasks()[0]["containers"][0]["runtimeId"]
    with world.load(clients=CLIENTS) as load:
        docker.run("kill", id)
        eventually("it is replaced", lambda: load.sent > 500 and world.is_steady())
    assert load.lost <= CLIENTS, load
    assert id not in {task["containers"][0]["runtimeId"] for task in world.tasks()}


def test_a_task_without_enough_memory_is_killed_and_says_why(world: World) -> None:
    world.create(world.define(cpu="256", memory="128"), desiredCount=1)
    world.until_steady()
    assert world.get("/fill")[0] == 502
    stopped = eventually("it has ended", lambda: world.tasks("STOPPED"))
    (container,) = stopped[0]["containers"]
    assert container["exitCode"] == 137
    assert container["reason"].startswith("OutOfMemoryError")


def test_its_output_is_in_cloudwatch_logs(world: World) -> None:
    world.create(desiredCount=1)
    world.until_steady()
    world.get("/log?text=from-a-container")
    eventually("it is there", lambda: "from-a-container" in world.log_lines(), seconds=10)


def test_what_its_containers_use_is_in_cloudwatch(world: World) -> None:
    world.create(world.define(cpu="256", memory="1024"), desiredCount=1)
    world.until_steady()
    idle = eventually("memory is measured", lambda: most_used(world, "MemoryUtilization"))
    assert 0 < idle < 50
    world.get("/burn?ms=60000")
    world.get("/fill")
    eventually("CPU is used", lambda: (most_used(world, "CPUUtilization") or 0) > 30)
    eventually("memory is used", lambda: (most_used(world, "MemoryUtilization") or 0) > idle + 25)


def test_a_data_plane_that_is_killed_finds_its_containers_again(
    world: World, images: Images
) -> None:
    world.create()
    world.until_steady()
    before = set(container_ids(images, world))
    pid = images.aws.data_plane_pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    eventually("another one runs", lambda: images.aws.data_plane_pid not in (None, pid))

    def serves() -> bool:
        try:
            return world.get("/")[0] == 200
        except OSError:
            return False

    eventually("it serves", serves)
    world.until_steady()
    assert set(container_ids(images, world)) == before
    assert json.dumps(world.tasks("STOPPED")) == "[]"
