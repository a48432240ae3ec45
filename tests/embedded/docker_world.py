"""Images of the tests' service in the registry of an embedded AWS whose tasks are containers."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from embedded_aws import DataPlane, EmbeddedAws
from embedded_aws.data_plane.configuration import DockerNetwork
from tests.embedded.world import APP, World, eventually, write_source
from tests.support.aws.registry import Registry
from tests.support.docker_engine import DockerEngine, docker_or_skip

BASE = "node:16-slim"


def dockerfile() -> str:
    """Of the tests' service, each time of another image: one that several tests had built would be
    gone for all of them when the first is done with it."""
    return f"""\
FROM {BASE}
LABEL embedded-aws.test={uuid4().hex}
WORKDIR /app
COPY app.js version.txt ./
USER 10001
ENTRYPOINT ["node", "app.js"]
"""


def connect() -> DockerEngine:
    """A daemon with the base image; skips where there is none."""
    return docker_or_skip(BASE)


@contextmanager
def images_of(
    docker: DockerEngine, folder: Path, network: DockerNetwork = "auto"
) -> "Iterator[Images]":
    """An embedded AWS with the first version pushed."""
    data_plane = DataPlane(
        runtime="docker",
        docker_network=network,
        task_environment={"LISTEN_ADDRESS": "{listen_address}"},
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        images = Images(docker, aws, folder)
        images.login(Registry(aws=aws).password())
        images.push("first")
        yield images
    images.remove()


class Images:
    """Builds and pushes the tests' service."""

    def __init__(self, docker: DockerEngine, aws: EmbeddedAws, folder: Path) -> None:
        self.docker = DockerEngine(
            environment={**docker.environment, "DOCKER_CONFIG": str(folder / "docker")}
        )
        self.aws = aws
        self.folder = folder
        self.host = aws.registry_address
        self.reference = f"{self.host}/app:latest"
        self.made: list[str] = []
        self._dockerfile = dockerfile()

    def login(self, password: str) -> None:
        subprocess.run(
            ["docker", "login", "--username", "AWS", "--password-stdin", self.host],
            env=dict(self.docker.environment),
            input=password,
            text=True,
            check=True,
            capture_output=True,
        )
        World(self.aws, self.folder / "app", repository="app").client("ecr").create_repository(
            repositoryName="app"
        )

    def push(self, version: str) -> None:
        folder = self.folder / "app"
        write_source(folder, version)
        assert APP.exists()
        (folder / "Dockerfile").write_text(self._dockerfile)
        self.docker.run(
            "build", "--no-cache", "--network", "host", "--tag", self.reference, str(folder)
        )
        self.docker.run("push", self.reference)
        self.made.append(self.docker.inspect("image", self.reference)["Id"])
        # As on Fargate: nothing is here before it is pulled.
        self.docker.run("image", "rm", "--force", self.reference)

    def remove(self) -> None:
        for id in self.made:
            subprocess.run(
                ["docker", "image", "rm", "--force", id],
                env=dict(self.docker.environment),
                capture_output=True,
                check=False,
            )


def container_ids(images: Images, world: World) -> list[str]:
    """The containers of the world's tasks."""
    listed = images.docker.run(
        *("ps", "--all", "--no-trunc", "--filter", "label=embedded-aws.task"),
        *("--format", '{{.ID}} {{.Label "embedded-aws.task"}}'),
    )
    pairs = [line.split() for line in listed.splitlines()]
    return [id for id, arn in pairs if f":task/{world.name}/" in arn]


@contextmanager
def world_of(images: Images) -> Iterator[World]:
    """A service of the pushed image, none of whose containers is left at the end."""
    world = World(images.aws, images.folder / "app", repository="app")
    yield world
    world.remove()
    eventually("containers are gone", lambda: not container_ids(images, world), seconds=30)
