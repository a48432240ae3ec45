from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws import EmbeddedAws, client
from tests.embedded.control_plane.clients import ROLLED_BACK, Clients, Service
from tests.embedded.exchange.data_plane import DataPlane
from tests.support.aws.aws_clients import client_of


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """One whose data plane is a test's: it starts none."""
    with pytest.MonkeyPatch.context() as patch:
        process = SimpleNamespace(start=lambda: None, stop=lambda: None, pid=None)
        patch.setattr(client, "DataPlaneProcess", lambda *_, **__: process)
        runs: Any = SimpleNamespace(configuration=lambda **_: None)
        with EmbeddedAws(data_plane=runs) as aws:
            yield aws


@pytest.fixture
def clients(aws: EmbeddedAws) -> Iterator[Clients]:
    made: list[Any] = []

    def made_client(service: str) -> Any:
        made.append(client_of(aws, service))
        return made[-1]

    yield made_client
    for each in made:
        each.close()


@pytest.fixture
def plane(aws: EmbeddedAws) -> DataPlane:
    return DataPlane(aws)


@pytest.fixture
def service(clients: Clients, plane: DataPlane) -> Iterator[Service]:
    """One that is steady, with a minimum of all of its two tasks and a maximum of twice as many."""
    made = Service(clients, **ROLLED_BACK)
    for _ in range(3):
        plane.step()
    assert made.describe()["deployments"][0]["rolloutState"] == "COMPLETED"
    yield made
    made.ecs.delete_service(cluster=made.cluster, service=made.name, force=True)
    for _ in range(4):
        plane.step()
    assert plane.tasks() == {}
