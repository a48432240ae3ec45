"""Which network containers are on is asked of Docker's daemon."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from embedded_aws.data_plane.configuration import DockerNetwork
from embedded_aws.data_plane.database import databases
from embedded_aws.data_plane.runtimes.docker.engine import DockerError
from embedded_aws.data_plane.runtimes.docker.support_image import PAUSE, layer
from embedded_aws.data_plane.runtimes.docker.task_network import (
    BEHIND_VIRTUAL_MACHINE,
    SHARED,
    TaskNetwork,
    network_of,
)

HERE = "127.0.0.7"
"""An address of this machine that stands for a gateway."""
DEBIAN = "Debian GNU/Linux 12 (bookworm)"


class Daemon:
    """Answers as a daemon does."""

    def __init__(self, system: str, *, gateway: str | None = None, **info: Any) -> None:
        self._info = {"OperatingSystem": system, **info}
        self._gateway = gateway

    async def call(self, method: str, path: str) -> Any:
        assert method == "GET"
        if path == "/info":
            return self._info
        if self._gateway is None:
            raise DockerError(404, "network bridge not found")
        return {"IPAM": {"Config": self._configured(self._gateway)}}

    def _configured(self, gateway: str) -> Sequence[Mapping[str, str]]:
        return [{"Gateway": "fe80::1"}, {"Gateway": gateway}]


class FreshDaemon(Daemon):
    """One that has just made its bridge, and does not tell the gateway."""

    def _configured(self, gateway: str) -> Sequence[Mapping[str, str]]:
        return [{"Subnet": "fe80::/64"}, {"Subnet": f"{gateway}/8"}]


def chosen(daemon: Daemon, asked: DockerNetwork = "auto") -> TaskNetwork:
    return asyncio.run(network_of(daemon, asked))


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")


def test_the_bridge_is_taken_where_there_is_one(linux: None) -> None:
    network = chosen(Daemon(DEBIAN, gateway=HERE))
    assert (network.mode, network.machine, network.is_shared) == ("bridge", HERE, False)
    assert network.words == (
        f"on Docker's bridge network {HERE}, with ports published on 127.0.0.1"
    )


def test_the_bridge_of_a_daemon_that_was_just_installed_is_taken(linux: None) -> None:
    network = chosen(FreshDaemon(DEBIAN, gateway="127.0.0.0"))
    assert (network.mode, network.machine) == ("bridge", "127.0.0.1")


def test_without_a_bridge_or_if_asked_containers_share_this_machines_network(linux: None) -> None:
    assert chosen(Daemon(DEBIAN)) is SHARED
    assert chosen(Daemon(DEBIAN, gateway=HERE), "host") is SHARED
    assert SHARED.gateway is None


@pytest.mark.parametrize("system", ["Docker Desktop", DEBIAN])
def test_on_macos_nothing_but_127_0_0_1_is_used(macos: None, system: str) -> None:
    network = chosen(Daemon(system, gateway="172.17.0.1"))
    assert network is BEHIND_VIRTUAL_MACHINE
    assert network.machine == "host.docker.internal"
    assert network.gateway is None


def test_docker_desktop_on_linux_is_a_virtual_machine_too(linux: None) -> None:
    assert chosen(Daemon("Docker Desktop", gateway="172.17.0.1")) is BEHIND_VIRTUAL_MACHINE


@pytest.mark.parametrize(
    ("daemon", "asked", "reason"),
    [
        (Daemon("Docker Desktop"), "host", "in a virtual machine"),
        (Daemon(DEBIAN), "bridge", "has no bridge network"),
        (Daemon(DEBIAN, gateway="203.0.113.1"), "auto", "its gateway 203.0.113.1 is no address"),
        (Daemon(DEBIAN, SecurityOptions=["name=rootless"]), "auto", "a rootless Docker"),
    ],
)
def test_a_daemon_whose_containers_cannot_be_reached_is_refused(
    linux: None, daemon: Daemon, asked: DockerNetwork, reason: str
) -> None:
    with pytest.raises(OSError, match=reason):
        chosen(daemon, asked)


@pytest.mark.parametrize("network", [SHARED, BEHIND_VIRTUAL_MACHINE])
def test_on_macos_a_database_listens_on_127_0_0_1_alone(
    macos: None, monkeypatch: pytest.MonkeyPatch, network: TaskNetwork
) -> None:
    tried: list[str] = []

    def is_free(address: str, port: int) -> bool:
        tried.append(address)
        return True

    monkeypatch.setattr(databases, "_is_free", is_free)
    assert databases._place(5432, network) == (network.machine, 5432)
    assert tried == ["127.0.0.1"]


def test_on_linux_each_database_keeps_its_port_on_an_address_of_its_own(linux: None) -> None:
    address, port = databases._place(54321, SHARED)
    assert address.startswith("127.")
    assert address != "127.0.0.1"
    assert port == 54321


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_the_support_image_has_a_program_of_its_architecture(architecture: str) -> None:
    made = layer(architecture)
    assert PAUSE.lstrip("/").encode() in made
    program = made[made.index(b"\x7fELF") :]
    assert int.from_bytes(program[18:20], "little") == {"x86_64": 62, "aarch64": 183}[architecture]
