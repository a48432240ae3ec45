"""ECR's registry with Docker's own command-line tool."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.aws_clients import client_of
from tests.support.aws.registry import Registry
from tests.support.docker_engine import DockerEngine, docker_or_skip


@dataclass(kw_only=True)
class Pusher:
    """A repository, and the docker tool of a user who has logged in to its registry."""

    docker: DockerEngine
    ecr: Any
    registry: Registry
    folder: Path
    repository: str

    def name(self, tag: str) -> str:
        return f"{self.registry.host}/{self.repository}:{tag}"

    def login(self, password: str) -> None:
        self.docker.run("login", "--username=AWS", f"--password={password}", self.registry.host)

    def build(self, tag: str, content: str) -> str:
        """Gives the id of the image."""
        (self.folder / "Dockerfile").write_text(
            f"FROM scratch\nLABEL repository={self.repository}\nCOPY file /\n"
        )
        (self.folder / "file").write_text(content)
        self.docker.run("build", "--no-cache", "--tag", self.name(tag), str(self.folder))
        id: str = self.docker.inspect("image", self.name(tag))["Id"]
        return id

    def push(self, tag: str, content: str) -> str:
        """Gives the id of the image, which is not on this machine any more."""
        id = self.build(tag, content)
        self.docker.run("push", self.name(tag))
        self.docker.run("image", "rm", self.name(tag))
        return id

    def refused(self, *arguments: str) -> str:
        """What the docker tool says of a command that fails."""
        with pytest.raises(subprocess.CalledProcessError) as raised:
            self.docker.run(*arguments)
        return str(raised.value.stderr)


@pytest.fixture
def pusher(aws: EmbeddedAws, tmp_path: Path) -> Iterator[Pusher]:
    docker = docker_or_skip()
    ecr: Any = client_of(aws, "ecr")
    repository = f"r{uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=repository)
    pusher = Pusher(
        docker=DockerEngine(
            environment={**docker.environment, "DOCKER_CONFIG": str(tmp_path / "docker")}
        ),
        ecr=ecr,
        registry=Registry(aws=aws),
        folder=tmp_path,
        repository=repository,
    )
    pusher.login(pusher.registry.password())
    yield pusher
    ecr.close()
    left = docker.run("image", "ls", "--quiet", f"{pusher.registry.host}/{repository}").split()
    if left:
        docker.run("image", "rm", "--force", *sorted(set(left)))


def test_an_image_is_pulled_as_it_was_pushed(pusher: Pusher) -> None:
    id = pusher.push("v1", "content")
    pusher.docker.run("pull", pusher.name("v1"))
    pulled = pusher.docker.inspect("image", pusher.name("v1"))
    assert pulled["Id"] == id
    (described,) = pusher.ecr.describe_images(repositoryName=pusher.repository)["imageDetails"]
    assert described["imageTags"] == ["v1"]
    (named,) = pulled["RepoDigests"]
    assert named.endswith(f"@{described['imageDigest']}")


def test_a_wrong_password_is_refused(pusher: Pusher) -> None:
    login = ("login", "--username=AWS", "--password=wrong", pusher.registry.host)
    assert "400 Bad Request" in pusher.refused(*login)


def test_without_a_password_nothing_is_pushed(pusher: Pusher) -> None:
    pusher.build("v1", "content")
    pusher.docker.run("logout", pusher.registry.host)
    assert "no basic auth credentials" in pusher.refused("push", pusher.name("v1"))


def test_an_immutable_tag_is_refused_in_ecrs_words(pusher: Pusher) -> None:
    pusher.push("v1", "one")
    pusher.ecr.put_image_tag_mutability(
        repositoryName=pusher.repository, imageTagMutability="IMMUTABLE"
    )
    pusher.build("v1", "two")
    assert pusher.refused("push", pusher.name("v1")).strip() == (
        f"tag invalid: The image tag 'v1' already exists in the '{pusher.repository}' repository"
        " and cannot be overwritten because the tag is immutable."
    )


def test_a_repository_that_ecr_has_not_is_refused_in_its_words(pusher: Pusher) -> None:
    pusher.repository = f"{pusher.repository}/none"
    pusher.build("v1", "content")
    assert pusher.refused("push", pusher.name("v1")).strip() == (
        f"name unknown: The repository with name '{pusher.repository}' does not exist in the"
        " registry with id '123456789012'"
    )


def test_a_deleted_image_cannot_be_pulled(pusher: Pusher) -> None:
    pusher.push("v1", "content")
    pusher.ecr.batch_delete_image(repositoryName=pusher.repository, imageIds=[{"imageTag": "v1"}])
    assert "Requested image not found" in pusher.refused("pull", pusher.name("v1"))
