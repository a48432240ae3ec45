"""All load balancers: their listeners' servers, and their target groups."""

import contextlib
import errno
import json
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from aiohttp import web

from embedded_aws import protocol
from embedded_aws.data_plane.load_balancer.figures import Figures
from embedded_aws.data_plane.load_balancer.proxy import Proxy
from embedded_aws.data_plane.load_balancer.targets import AddressOfTask, TargetGroup
from embedded_aws.protocol import Listener, ListenerReport, LoadBalancer, TargetReport
from embedded_aws.whole_file import write_whole

_HOST = "127.0.0.1"
_ABOVE_PRIVILEGED = 8000
_KEEP_ALIVE_SECONDS = 4
"""Shorter than what usual servers keep, so that no request meets a connection that just closes."""


class Balancers:
    """Follows the load balancers and target groups that are desired."""

    def __init__(
        self,
        *,
        figures: Figures,
        tls: ssl.SSLContext,
        address: AddressOfTask,
        ports_file: Path,
    ) -> None:
        """`ports_file`: remembers where listeners are, for the data plane after this one."""
        self._figures = figures
        self._ports_file = ports_file
        self._ports: dict[str, int] = (
            json.loads(ports_file.read_text("utf-8")) if ports_file.exists() else {}
        )
        self._tls = tls
        self._address = address
        self._groups: dict[str, TargetGroup] = {}
        self._servers: dict[str, _Server] = {}
        self._session: aiohttp.ClientSession | None = None

    async def follow(
        self, balancers: list[LoadBalancer], groups: Mapping[str, protocol.TargetGroup]
    ) -> None:
        """Starts and stops servers and checks until they are what is desired."""
        session = self._session = self._session or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        used: dict[str, str] = {}
        wanted = {}
        for balancer in balancers:
            for listener in balancer["listeners"]:
                wanted[listener["arn"]] = (balancer, listener)
                used |= dict.fromkeys(_groups_of(listener), balancer["arn"])
        for arn in set(self._groups) - set(groups):
            group = self._groups.pop(arn)
            for id in list(group.targets):
                group.close(id)
        for arn, desired in groups.items():
            if arn not in self._groups:
                self._groups[arn] = TargetGroup(session, self._address)
            self._groups[arn].follow(desired, is_used=arn in used)
        for arn in set(self._servers) - set(wanted):
            await self._servers.pop(arn).stop()
        for arn, (balancer, listener) in wanted.items():
            server = self._servers.get(arn)
            if server and (server.port, server.protocol) != (
                listener["port"],
                listener["protocol"],
            ):
                await self._servers.pop(arn).stop()
                server = None
            if server is None:
                proxy = Proxy(session=session, groups=self._groups, figures=self._figures)
                server = _Server(proxy, listener)
                server.follow(balancer, listener, {})
                await server.start(self._tls, known_port=self._ports.get(arn))
                self._ports[arn] = server.port_here
                write_whole(self._ports_file, json.dumps(self._ports))
                self._servers[arn] = server
        for arn, (balancer, listener) in wanted.items():
            ports = {
                self._servers[each["arn"]].port: self._servers[each["arn"]].port_here
                for each in balancer["listeners"]
                if each["arn"] in self._servers
            }
            self._servers[arn].follow(balancer, listener, ports)
        self._figures.follow(balancers)
        for arn, of in used.items():
            if arn in self._groups:
                states = [t.state for t in self._groups[arn].targets.values()]
                self._figures.hosts(
                    of, arn, healthy=states.count("healthy"), unhealthy=states.count("unhealthy")
                )

    def target_report(self) -> dict[str, TargetReport]:
        """The states of all registrations, by their ids."""
        return {
            id: target.as_json()
            for group in self._groups.values()
            for id, target in group.targets.items()
        }

    def listener_report(self) -> dict[str, ListenerReport]:
        """Where each listener is, by its ARN."""
        return {arn: server.as_json() for arn, server in self._servers.items()}

    async def stop(self) -> None:
        """Ends all servers and checks."""
        await self.follow([], {})
        if self._session:
            await self._session.close()


class _Server:
    """The server of a listener, on the port of loopback that is nearest to its own."""

    def __init__(self, proxy: Proxy, listener: Listener) -> None:
        self.port: int = listener["port"]
        self.protocol: str = listener["protocol"]
        self.port_here = 0
        self._proxy = proxy
        self._runner: web.ServerRunner | None = None

    def follow(self, balancer: LoadBalancer, listener: Listener, ports: Mapping[int, int]) -> None:
        self._proxy.balancer, self._proxy.listener, self._proxy.ports = balancer, listener, ports

    async def start(self, tls: ssl.SSLContext, *, known_port: int | None) -> None:
        server = web.Server(self._proxy, keepalive_timeout=3600, max_line_size=16_384)
        self._runner = web.ServerRunner(server, shutdown_timeout=1)
        await self._runner.setup()
        listening = _listen(self.port, known_port)
        self.port_here = listening.getsockname()[1]
        is_tls = self.protocol == "HTTPS"
        await web.SockSite(self._runner, listening, ssl_context=tls if is_tls else None).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    def as_json(self) -> ListenerReport:
        scheme = "https" if self.protocol == "HTTPS" else "http"
        return {
            "load_balancer": self._proxy.balancer["name"],
            "port": self.port,
            "url": f"{scheme}://{_HOST}:{self.port_here}",
        }


def _listen(port: int, known_port: int | None) -> socket.socket:
    """Listens on 8080 for 80, 8443 for 443 and so on, or on any port where that one is taken.

    `known_port`: where the listener was before.
    """
    preferred = port if port > 1023 else port + _ABOVE_PRIVILEGED
    for candidate in (known_port or preferred, 0):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_HOST, candidate))
        except OSError as error:
            listening.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES) or candidate == 0:
                raise
            continue
        listening.listen(1024)
        return listening
    raise AssertionError


def _groups_of(listener: Listener) -> set[str]:
    found = set()
    actions = [*listener["default_actions"]]
    for rule in listener["rules"]:
        actions += rule["actions"]
    for action in actions:
        with contextlib.suppress(KeyError):
            found.add(action["TargetGroupArn"])
        for group in (action.get("ForwardConfig") or {}).get("TargetGroups") or ():
            found.add(group["TargetGroupArn"])
    return found
