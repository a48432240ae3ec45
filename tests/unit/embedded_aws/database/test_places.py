"""Where a DB instance listens, and where tasks reach it."""

import socket
from types import SimpleNamespace

import pytest

from embedded_aws.data_plane.database import databases as module
from embedded_aws.data_plane.runtimes.docker.task_network import (
    BEHIND_VIRTUAL_MACHINE,
    LOOPBACK,
    SHARED,
    TaskNetwork,
)
from tests.unit.embedded_aws.database.databases_world import ON_BRIDGE, Server, World


@pytest.mark.parametrize(
    ("network", "platform", "taken", "expected"),
    [
        (SHARED, "linux", set(), ("127.", 5432)),
        # Only Linux has all of 127.0.0.0/8.
        (SHARED, "darwin", set(), (LOOPBACK, 5432)),
        (ON_BRIDGE, "linux", set(), ("172.17.0.1", 5432)),
        (BEHIND_VIRTUAL_MACHINE, "linux", set(), ("host.docker.internal", 5432)),
        (BEHIND_VIRTUAL_MACHINE, "linux", {LOOPBACK}, ("host.docker.internal", None)),
        (SHARED, "darwin", {LOOPBACK}, (LOOPBACK, None)),
    ],
)
def test_an_instance_has_its_port_where_tasks_reach_it(
    monkeypatch: pytest.MonkeyPatch,
    network: TaskNetwork,
    platform: str,
    taken: set[str],
    expected: tuple[str, int | None],
) -> None:
    tried = []

    def is_free(address: str, port: int) -> bool:
        tried.append(address)
        assert port == 5432
        return address not in taken

    monkeypatch.setattr(module, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(module, "_is_free", is_free)
    address, port = module._place(5432, network)
    assert address.startswith(expected[0])
    if expected[1]:
        assert port == expected[1]
    else:
        assert port not in (0, 5432)
    if expected[0] == "127.":
        # None of 0 and 255, which are no address of a machine's, nor the usual 127.0.0.1.
        monkeypatch.setattr(module, "secrets", SimpleNamespace(randbelow=lambda _: 0))
        assert module._place(5432, network)[0] == "127.1.1.1"
        monkeypatch.setattr(module, "secrets", SimpleNamespace(randbelow=lambda number: number - 1))
        assert module._place(5432, network)[0] == "127.253.253.253"
    else:
        assert tried == [ON_BRIDGE.machine if network is ON_BRIDGE else LOOPBACK]


@pytest.mark.parametrize(
    ("network", "listens_on"), [(BEHIND_VIRTUAL_MACHINE, LOOPBACK), (SHARED, None)]
)
def test_it_listens_where_the_virtual_machine_leads_to(
    world: World,
    server: type[Server],
    monkeypatch: pytest.MonkeyPatch,
    network: TaskNetwork,
    listens_on: str | None,
) -> None:
    world.network = network
    monkeypatch.setattr(module, "_is_free", lambda *_: True)

    async def work() -> None:
        world.follow()
        await world.until_available()

    world.run(work)
    assert server.configured[0]["listens_on"] == listens_on


def test_a_place_where_something_listens_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        port = taken.getsockname()[1]
        assert not module._is_free(LOOPBACK, port)
    assert module._is_free(LOOPBACK, port)
    # An address of somebody else's.
    assert not module._is_free("192.0.2.1", port)
    with pytest.raises(OSError, match="family"):
        module._is_free("::1", port)
