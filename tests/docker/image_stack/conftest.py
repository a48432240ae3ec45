"""The image stack with the real docker provider, a real daemon and a real registry with TLS.

Where Terraform cannot have the provider, or no daemon answers, its tests are skipped and say why.
"""

from collections.abc import Iterator

import pytest

from tests.support.project.image_stack import (
    API,
    DOCKERFILE,
    WORKER,
    World,
    empty_account,
)


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An account with the repositories, for all tests of a process."""
    with empty_account(tmp_path_factory.mktemp("image-stack")) as world:
        for repository in (API, WORKER):
            world.create_repository(repository)
        yield world


@pytest.fixture
def world(machine: World) -> World:
    """A new source, built and pushed by this machine, which has forgotten everything before it."""
    machine.line.is_open = True
    (machine.source / "Dockerfile").write_text(DOCKERFILE)
    (machine.source / "build.sh").write_text("cp /source/content /built\n")
    machine.become_another_machine()
    machine.change()
    assert machine.deploy().builds
    return machine
