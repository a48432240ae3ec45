"""A repository of each test's own."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests

from embedded_aws import EmbeddedAws
from tests.embedded.registry.repository import Repository
from tests.support.aws.aws_clients import client_of
from tests.support.aws.registry import Registry


@pytest.fixture(scope="module")
def session(aws: EmbeddedAws) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("AWS", Registry(aws=aws).password())
        yield session


@pytest.fixture
def repository(aws: EmbeddedAws, session: requests.Session) -> Iterator[Repository]:
    ecr = client_of(aws, "ecr")
    name = f"team/r{uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=name)
    yield Repository(aws=aws, session=session, ecr=ecr, name=name)
    ecr.close()
