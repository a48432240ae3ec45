"""Which image a container of ECS's is of, where it comes from, and what its digest is."""

import base64
import json
from typing import Any

import pytest

from embedded_aws.data_plane.runtimes.docker.runtime import DockerContainer, DockerRuntime
from embedded_aws.data_plane.runtimes.runtime import StartError
from tests.unit.embedded_aws.docker.containers_of_ecs import start_of
from tests.unit.embedded_aws.docker.world import World

ECR = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
HERE = "127.0.0.1:5000"
LOGIN = {"username": "AWS", "password": "canary", "serveraddress": HERE}
IMAGE = {"Architecture": "amd64"}


def started(world: World, **given: Any) -> DockerContainer:
    async def start(runtime: DockerRuntime) -> DockerContainer:
        return await runtime.start(start_of(**given), log=world.lines.append)

    return world.run(start)


def image_of(world: World) -> str:
    (kept,) = world.engine.containers.values()
    return str(kept.body["Image"])


@pytest.mark.parametrize(
    ("image", "here", "login"),
    [
        (f"{ECR}/team/app:1", f"{HERE}/team/app:1", LOGIN),
        (f"{HERE}/app:1", f"{HERE}/app:1", LOGIN),
        # Of others nobody here has a login: another account or region, another registry.
        (f"9{ECR[1:]}/app:1", f"9{ECR[1:]}/app:1", None),
        (ECR.replace("west", "east") + "/app:1", ECR.replace("west", "east") + "/app:1", None),
        (f"{HERE}1/app:1", f"{HERE}1/app:1", None),
        ("nginx:1", "nginx:1", None),
    ],
)
def test_an_image_of_ecrs_is_pulled_from_the_registry_here_with_its_login(
    world: World, image: str, here: str, login: object
) -> None:
    world.engine.registry[here] = IMAGE
    started(world, image=image)
    assert image_of(world) == here
    ((pulled, authorization),) = world.engine.pulled
    assert pulled == here
    told = authorization and json.loads(base64.urlsafe_b64decode(authorization))
    assert told == login


def test_without_an_answer_of_ecrs_an_image_is_what_it_is_called(world: World) -> None:
    world.ecr.is_away = True
    world.engine.registry[f"{ECR}/app:1"] = IMAGE
    started(world, image=f"{ECR}/app:1")
    assert world.engine.pulled == [(f"{ECR}/app:1", None)]


def test_an_image_that_is_here_is_not_pulled(world: World) -> None:
    started(world)
    assert world.engine.pulled == []


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("app:latest", "app@sha256:1"),
        ("app", "app@sha256:1"),
        ("host:5000/team/app:1", "host:5000/team/app@sha256:1"),
        ("host:5000/app", "host:5000/app@sha256:1"),
        # It says itself which it is.
        ("app@sha256:2", "app@sha256:2"),
    ],
)
def test_a_tag_means_what_it_named_when_the_deployment_began(
    world: World, image: str, pinned: str
) -> None:
    world.engine.registry[pinned] = {"RepoDigests": ["app@sha256:9"]}
    container = started(world, image=image, image_digest="sha256:1")
    assert image_of(world) == pinned
    assert container.image_digest == "sha256:1"


@pytest.mark.parametrize(
    ("digests", "digest"),
    [(["app@sha256:3", "other@sha256:4"], "sha256:3"), ([], None), (None, None)],
)
def test_where_nobody_said_the_digest_it_is_what_the_daemon_knows(
    world: World, digests: object, digest: str | None
) -> None:
    world.engine.images["app:latest"] = {"RepoDigests": digests}
    assert started(world).image_digest == digest


def test_an_image_that_is_nowhere_is_told(world: World) -> None:
    with pytest.raises(
        StartError, match=r"^CannotPullContainerError: manifest for app:2 not found$"
    ):
        started(world, image="app:2")
    assert world.engine.containers == {}


def test_a_daemon_that_is_away_is_told(world: World) -> None:
    world.engine.is_away = True
    with pytest.raises(StartError, match=r"^CannotPullContainerError: the connection was refused$"):
        started(world)


@pytest.mark.parametrize(
    ("architecture", "wanted", "other"),
    [("X86_64", "amd64", "arm64"), ("ARM64", "arm64", "amd64")],
)
def test_an_image_is_of_the_architecture_of_its_task(
    world: World, architecture: str, wanted: str, other: str
) -> None:
    world.engine.images["app:latest"] = {"Architecture": other}
    with pytest.raises(StartError, match=f"^CannotPull.* matching platform 'linux/{wanted}'$"):
        started(world, architecture=architecture)
    world.engine.images["app:latest"] = {"Architecture": wanted}
    started(world, architecture=architecture)
    assert image_of(world) == "app:latest"


@pytest.mark.parametrize("image", [{"Architecture": ""}, {}])
def test_an_image_that_says_no_architecture_is_taken(world: World, image: dict[str, str]) -> None:
    world.engine.images["app:latest"] = image
    started(world)
    assert image_of(world) == "app:latest"
