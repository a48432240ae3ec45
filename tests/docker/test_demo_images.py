"""What the demo removes from a daemon that others use, too."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from prod_e_ops.demo.live.delivery import remove_images
from prod_e_ops.terminal.processes import ChildProcesses
from tests.support.docker_engine import DockerEngine, docker_or_skip

THIS, OTHER = "127.0.0.1:1", "127.0.0.1:2"


@pytest.fixture(scope="module")
def docker() -> DockerEngine:
    return docker_or_skip()


@pytest.fixture
def image(docker: DockerEngine, tmp_path: Path) -> Iterator[str]:
    """An image that two demos have built of the same content."""
    name = f"demo-{uuid4().hex[:8]}"
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nLABEL content={name}\nCOPY Dockerfile /\n")
    tags = [f"--tag={registry}/{name}:1" for registry in (THIS, OTHER)]
    docker.run("build", "--no-cache", "--quiet", *tags, str(tmp_path))
    yield name
    for registry in (THIS, OTHER):
        docker.remove_images(f"{registry}/{name}")


def test_another_demos_image_of_the_same_content_stays(docker: DockerEngine, image: str) -> None:
    processes = ChildProcesses(print)
    processes.run(remove_images(THIS, processes))
    left = [docker.run("image", "ls", "--quiet", f"{each}/{image}") for each in (THIS, OTHER)]
    assert [bool(ids) for ids in left] == [False, True]
