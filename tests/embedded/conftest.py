from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from embedded_aws.data_plane.database.postgresql import PostgreSqlError, find_programs
from tests.embedded.world import World, write_source

REPOSITORY = "app"
BACKEND = Path(__file__).resolve().parents[2] / "backend"


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source folder of the service; each test begins with a version of its own."""
    return tmp_path_factory.mktemp("sources") / "app"


@pytest.fixture(scope="session")
def aws(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An embedded AWS that runs tasks as processes."""
    write_source(source, "first")
    data_plane = DataPlane(
        sources={REPOSITORY: source},
        runtime="process",
        cache_folder=tmp_path_factory.mktemp("builds"),
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        yield aws


@pytest.fixture
def world(aws: EmbeddedAws, source: Path) -> Iterator[World]:
    """A network and a load balancer for a service of a test's own."""
    write_source(source, f"first {uuid4().hex[:6]}")
    world = World(aws, source, repository=REPOSITORY)
    yield world
    world.remove()


@pytest.fixture
def serving(world: World) -> World:
    """The same with a service whose tasks answer."""
    world.create()
    world.until_steady()
    return world


@pytest.fixture(scope="session")
def with_postgresql() -> None:
    """Skips where there are no programs of PostgreSQL."""
    try:
        find_programs(None, near=[BACKEND])
    except PostgreSqlError as error:
        pytest.skip(str(error))
