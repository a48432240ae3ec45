"""The registry that tests push to asks for a password as ECR does."""

from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.support.registry import Registry, RegistryUnavailableError, started_registry


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    try:
        with started_registry() as registry:
            yield registry
    except RegistryUnavailableError as missing:
        pytest.skip(str(missing))


def status_with(registry: Registry, password: str | None) -> int:
    credentials = b64encode(f"AWS:{password}".encode()).decode()
    connection = HTTPConnection("127.0.0.1", registry.port, timeout=10)
    try:
        connection.request(
            "GET", "/v2/", headers={"Authorization": f"Basic {credentials}"} if password else {}
        )
        return connection.getresponse().status
    finally:
        connection.close()


def test_it_takes_its_password_and_no_other(registry: Registry) -> None:
    assert registry.password.startswith("ey")
    assert status_with(registry, registry.password) == 200
    assert status_with(registry, None) == 401
    before = registry.password
    registry.change_password()
    assert status_with(registry, before) == 401
    assert status_with(registry, registry.password) == 200


@pytest.mark.parametrize("place", [-3, 72, 100, 1_000])
def test_every_character_of_a_password_counts(registry: Registry, place: int) -> None:
    wrong = list(registry.password)
    wrong[place] = "A" if wrong[place] != "A" else "B"
    assert status_with(registry, "".join(wrong)) == 401
    assert status_with(registry, registry.password[:72]) == 401
