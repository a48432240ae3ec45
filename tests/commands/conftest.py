"""Services on the embedded AWS, and projects, that commands are tried with."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.service_on_aws import CONTENT, ServiceOnAws
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.project.written_project import STATE


@pytest.fixture(scope="module")
def slow_aws() -> Iterator[EmbeddedAws]:
    """One on which a deployment goes on when the test says so."""
    with EmbeddedAws(deployment_seconds=math.inf) as aws:
        yield aws


@pytest.fixture
def followed(aws: EmbeddedAws, tmp_path: Path) -> ServiceOnAws:
    """A service that follows `latest`, whose last two releases are v1.0.0 and v1.1.0."""
    service = ServiceOnAws(aws, tmp_path / "project")
    service.push("one", "content-1111111111111111", "git-1111111", "v1.0.0", "latest")
    service.create(service.define("latest"))
    service.release("two", "content-2222222222222222", "git-2222222", "v1.1.0")
    return service


@pytest.fixture
def pinned(aws: EmbeddedAws, tmp_path: Path) -> ServiceOnAws:
    """A service pinned to its content, whose last two builds are content-1... and content-2..."""
    service = ServiceOnAws(aws, tmp_path / "project", image_tag=CONTENT)
    service.push("one", "content-1111111111111111", "git-1111111")
    service.create(service.define("content-1111111111111111"))
    service.push("two", "content-2222222222222222", "git-2222222")
    service.deploy(service.define("content-2222222222222222"))
    return service


@pytest.fixture(scope="module")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is well: its output and a state are there."""
    folder = make_project(tmp_path_factory.mktemp("well") / "project", tiny=TINY)
    finished = prod_e(folder, "synth")
    assert finished.returncode == 0, finished.stderr
    (folder / "terraform.tiny-e.tfstate").write_text(STATE)
    return folder


@pytest.fixture
def project(synthesised: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    return shutil.copytree(synthesised, tmp_path / "project", symlinks=True)
