"""The network that containers of tasks are on, and how they and this machine reach each other.

https://docs.docker.com/engine/network/drivers/bridge/
https://docs.docker.com/desktop/features/networking/
"""

import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Literal, Protocol

import psutil

from embedded_aws.data_plane.configuration import DockerNetwork
from embedded_aws.data_plane.runtimes.docker.engine import DockerError

LOOPBACK = "127.0.0.1"
_NOT_FOUND = 404


@dataclass(frozen=True, kw_only=True)
class TaskNetwork:
    """How tasks are on the network.

    `mode`: Docker's; `host`: they share this machine's, where each has ports of its own; `bridge`:
    each has its definition's ports, which are published on loopback. `machine`: what tasks call
    this machine. `words`: where they are, for people.
    """

    mode: Literal["host", "bridge"]
    machine: str
    words: str

    @property
    def is_shared(self) -> bool:
        """Whether tasks have this machine's addresses and ports."""
        return self.mode == "host"

    @property
    def gateway(self) -> str | None:
        """The address of this machine that tasks reach and that is none of loopback."""
        try:
            address = ip_address(self.machine)
        except ValueError:
            return None
        return None if address.is_loopback else self.machine


SHARED = TaskNetwork(mode="host", machine=LOOPBACK, words="on the network of this machine")
"""That of processes, and of containers where nothing else is to be had."""

BEHIND_VIRTUAL_MACHINE = TaskNetwork(
    mode="bridge",
    machine="host.docker.internal",
    words="on the bridge network of Docker's virtual machine, with ports published on 127.0.0.1",
)
"""Docker Desktop and its like: no address of Docker's is one of this machine."""


class Daemon(Protocol):
    """What is asked of a daemon; see `DockerEngine.call`."""

    async def call(self, method: str, path: str) -> Any: ...


async def network_of(daemon: Daemon, asked: DockerNetwork) -> TaskNetwork:
    """The network of a daemon's containers; raises `OSError` where tasks could not be reached."""
    info = await daemon.call("GET", "/info")
    if sys.platform != "linux" or info["OperatingSystem"] == "Docker Desktop":
        if asked == "host":
            raise OSError("Docker runs in a virtual machine, whose network is not this machine's")
        return BEHIND_VIRTUAL_MACHINE
    if "name=rootless" in info.get("SecurityOptions", ()):
        raise OSError("a rootless Docker has a network of its own, which leads to nothing here")
    gateway = None if asked == "host" else await _gateway(daemon)
    if gateway is None:
        if asked == "bridge":
            raise OSError("the Docker daemon has no bridge network")
        return SHARED
    if not _is_here(gateway):
        raise OSError(f"Docker runs on another machine: its gateway {gateway} is no address here")
    words = f"on Docker's bridge network {gateway}, with ports published on 127.0.0.1"
    return TaskNetwork(mode="bridge", machine=gateway, words=words)


async def _gateway(daemon: Daemon) -> str | None:
    """The IPv4 address of this machine on Docker's default bridge; None if there is no bridge."""
    try:
        network = await daemon.call("GET", "/networks/bridge")
    except DockerError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    configured = network["IPAM"].get("Config") or ()
    gateways = [each.get("Gateway") or "" for each in configured]
    return next((each for each in gateways if "." in each), None) or _address_in(
        [ip_network(each["Subnet"]) for each in configured if "Subnet" in each]
    )


def _address_in(subnets: Sequence[IPv4Network | IPv6Network]) -> str | None:
    """This machine's own IPv4 address in one of them.

    A daemon that has just made its bridge does not tell the gateway before it is started again:
    https://github.com/moby/moby/issues/26799
    """
    own = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET
    ]
    return next((each for each in own if any(ip_address(each) in net for net in subnets)), None)


def _is_here(address: str) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
    return True
