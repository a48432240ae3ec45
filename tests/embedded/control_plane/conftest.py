from collections.abc import Iterator
from typing import Any

import pytest

from embedded_aws import EmbeddedAws
from tests.embedded.control_plane.clients import Clients
from tests.support.aws.aws_clients import client_of


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """One without a data plane."""
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def clients(aws: EmbeddedAws) -> Iterator[Clients]:
    made = []

    def client(service: str) -> Any:
        made.append(client_of(aws, service))
        return made[-1]

    yield client
    for each in made:
        each.close()
