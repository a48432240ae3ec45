"""The backend's image, and a container of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.backend_image.building import (
    BASE,
    COMMIT,
    SOURCE,
    VERSION,
    Images,
    built,
    working_copy,
)
from tests.docker.backend_image.running import (
    Database,
    Service,
    migrate,
    postgresql,
    postgresql_programs,
    running,
)
from tests.support.docker_engine import (
    DockerEngine,
    LayerFile,
    docker_or_skip,
)


@pytest.fixture(scope="session")
def docker() -> DockerEngine:
    return docker_or_skip(BASE)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `backend/` in use: built, tested, with secrets in it."""
    return working_copy(tmp_path_factory.mktemp("context") / "backend")


@pytest.fixture(scope="session")
def images(docker: DockerEngine, source: Path) -> Iterator[Images]:
    with built(docker, source, VERSION=VERSION, COMMIT=COMMIT, SOURCE=SOURCE) as images:
        yield images


@pytest.fixture(scope="session")
def layer_files(docker: DockerEngine, images: Images) -> list[LayerFile]:
    """All that the image adds to its base, also what a later layer removes again."""
    return docker.layer_files(images.production, above=BASE)


@pytest.fixture(scope="session")
def database(docker: DockerEngine, images: Images) -> Iterator[Database]:
    with postgresql(postgresql_programs()) as database:
        migrate(docker, images.production, database)
        yield database


@pytest.fixture(scope="module")
def service(docker: DockerEngine, images: Images, database: Database) -> Iterator[Service]:
    with running(docker, images.production, database) as service:
        yield service
