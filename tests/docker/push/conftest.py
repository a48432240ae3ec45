"""Real Docker, the embedded AWS, and the registry in it behind a network."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.registry import (
    Network,
    Registry,
    listening,
)
from tests.support.docker_engine import DockerEngine, docker_or_skip
from tests.support.project.project_folder import PROJECT
from tests.support.project.push_world import DOCKERFILE, REPOSITORY, SETTINGS, World


@pytest.fixture(scope="module")
def docker() -> DockerEngine:
    return docker_or_skip()


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with listening(Network()) as network:
        yield network


@pytest.fixture(scope="module")
def aws(network: Network) -> Iterator[EmbeddedAws]:
    """One whose registry is behind the network."""
    with EmbeddedAws(registry_host=network.host) as aws:
        network.to_port = Registry(aws=aws).port
        yield aws


@pytest.fixture
def empty(
    tmp_path: Path, docker: DockerEngine, network: Network, aws: EmbeddedAws
) -> Iterator[World]:
    """An account without repositories; what pushes leave is checked in the end."""
    project = tmp_path / "project"
    for name in ("project/environments", "project/api", "home", "tmp", "bin"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("main.py", "cdktf.json"):
        shutil.copy(PROJECT / name, project)
    (project / "node_modules").symlink_to(PROJECT / "node_modules")
    (project / "api" / "Dockerfile").write_text(DOCKERFILE)
    # The daemon's cache belongs to all tests: one that builds the same for another platform would
    # make it mix them up, and this one build twice.
    (project / "api" / "of-this-test-alone").write_text(str(tmp_path))
    network.forget()
    world = World(
        folder=tmp_path,
        registry=Registry(aws=aws),
        network=network,
        aws=aws,
        variables=_variables(tmp_path, docker, aws),
    )
    world.settings(SETTINGS)
    world.change("first")
    try:
        yield world
        world.assert_no_credentials_left()
        assert aws.failed_calls == ()
    finally:
        docker.remove_images(f"{network.host}/*")
        world.delete_repositories()


@pytest.fixture
def world(empty: World) -> World:
    """The same with the repository."""
    empty.create_repository(REPOSITORY)
    return empty


def _variables(folder: Path, docker: DockerEngine, aws: EmbeddedAws) -> dict[str, str]:
    program = shutil.which("docker")
    shim = folder / "bin" / "docker"
    log = folder / "docker.log"
    log.touch()
    shim.write_text(f'#!/bin/sh\necho "$*" >>{log}\nexec {program} "$@"\n')
    shim.chmod(0o755)
    variables = aws.environment(docker.environment)
    variables.pop("DOCKER_CONFIG", None)
    return {
        **variables,
        "PATH": f"{shim.parent}:{variables['PATH']}",
        "HOME": str(folder / "home"),
        # Nobody's home is as new as this one: what synthesis unpacks once is there already.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache/aws/jsii/package-cache"),
        "TMPDIR": str(folder / "tmp"),
        "VIRTUAL_ENV": sys.prefix,
    }
