"""ECR's registry, and networks in front of it that can fail."""

import json
import re
import socket
import socketserver
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, TypeVar

from embedded_aws import EmbeddedAws
from tests.support.aws.aws_clients import client_of

TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True, kw_only=True)
class Registry:
    """ECR's registry of an embedded AWS, asked without Docker."""

    aws: EmbeddedAws

    @property
    def host(self) -> str:
        return self.aws.registry_address

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    def password(self) -> str:
        """A new one, of the user AWS."""
        client = client_of(self.aws, "ecr")
        try:
            (given,) = client.get_authorization_token()["authorizationData"]
        finally:
            client.close()
        return b64decode(given["authorizationToken"]).decode().removeprefix("AWS:")

    def tags(self, repository: str) -> dict[str, str]:
        """The digest that each tag names, as the registry itself says."""
        with self._connection() as ask:
            answer = ask("GET", f"/v2/{repository}/tags/list")
            names = json.loads(answer.body)["tags"] if answer.status == 200 else ()
            return {
                name: ask("HEAD", f"/v2/{repository}/manifests/{name}").digest for name in names
            }

    def image(self, repository: str, reference: str) -> dict[str, Any]:
        """The configuration of an image all of whose parts are there."""
        with self._connection() as ask:
            answer = ask("GET", f"/v2/{repository}/manifests/{reference}")
            assert answer.status == 200, answer.body
            manifest = json.loads(answer.body)
            for layer in manifest["layers"]:
                blob = ask("GET", f"/v2/{repository}/blobs/{layer['digest']}")
                assert (blob.status, len(blob.body)) == (200, layer["size"])
            answer = ask("GET", f"/v2/{repository}/blobs/{manifest['config']['digest']}")
            configuration: dict[str, Any] = json.loads(answer.body)
            return configuration

    @contextmanager
    def _connection(self) -> Iterator[Callable[[str, str], "Answer"]]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": authorization(self.password())}

        def ask(method: str, path: str) -> Answer:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            digest = response.headers["Docker-Content-Digest"]
            return Answer(status=response.status, digest=digest, body=response.read())

        try:
            yield ask
        finally:
            connection.close()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the registry answers. `digest`: of the manifest or blob, if it is one."""

    status: int
    digest: str
    body: bytes


def authorization(password: str) -> str:
    """The header of the user AWS."""
    return f"Basic {b64encode(f'AWS:{password}'.encode()).decode()}"


@dataclass(kw_only=True)
class Network:
    """The way to a registry, on a port of its own. Everything passes until something is set.

    `on_request`: told the first line of each request; what it returns is answered instead of
    passing the request on, and `DROP` ends the connection. `on_head`: the same for the first line
    and the headers. `passwords`: of the user AWS, those that passed here.
    """

    to_port: int = 0
    port: int = 0
    on_request: Callable[[str], bytes | None] = field(default=lambda _: None)
    on_head: Callable[[str], bytes | None] = field(default=lambda _: None)
    requests: list[str] = field(default_factory=list)
    passwords: set[str] = field(default_factory=set)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def forget(self) -> None:
        """What passed; and everything passes again."""
        self.on_request = self.on_head = lambda _: None
        self.requests.clear()
        self.passwords.clear()

    def pass_on(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = client.recv(65536)
            if not part or part.startswith(TLS_HANDSHAKE):
                return  # Docker tries TLS first and goes on without, on loopback.
            head += part
        lines, _, rest = head.partition(b"\r\n\r\n")
        request = lines.split(b"\r\n")[0].decode()
        self.requests.append(request)
        if found := re.search(
            rb"^authorization: basic +(\S+)", lines, re.IGNORECASE | re.MULTILINE
        ):
            self.passwords.add(b64decode(found[1]).decode().removeprefix("AWS:"))
        instead = self.on_request(request)
        if instead is None:
            instead = self.on_head(lines.decode("latin-1"))
        if instead == DROP:
            # Midway: the registry has seen the beginning of it.
            with socket.create_connection(("127.0.0.1", self.to_port)) as server:
                server.sendall(head[: len(head) - len(rest) // 2])
            return
        if instead is not None:
            client.sendall(instead)
            drain(client)
            return
        # One request for each connection, so that every one of them passes here.
        kept = [
            line for line in lines.split(b"\r\n") if not line.lower().startswith(b"connection:")
        ]
        with socket.create_connection(("127.0.0.1", self.to_port)) as server:
            server.sendall(b"\r\n".join([*kept, b"Connection: close", b"", b""]) + rest)
            upwards = threading.Thread(target=copy, args=(client, server), daemon=True)
            upwards.start()
            copy(server, client)


DROP = b""


def answer(status: str, body: str, **headers: str) -> bytes:
    """An answer of a registry, after which the connection ends."""
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        "Docker-Distribution-Api-Version: registry/2.0",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", body]).encode()


@dataclass(kw_only=True)
class Line:
    """A line to a registry. `is_open`: whether what comes is passed on; else connections end."""

    to_port: int = 0
    port: int = 0
    is_open: bool = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def pass_on(self, client: socket.socket) -> None:
        if not self.is_open:
            return
        with socket.create_connection(("127.0.0.1", self.to_port)) as server:
            upwards = threading.Thread(target=copy, args=(client, server), daemon=True)
            upwards.start()
            copy(server, client)


Passing = TypeVar("Passing", Network, Line)


@contextmanager
def listening(passing: Passing) -> Iterator[Passing]:
    """Takes connections on a free port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                passing.pass_on(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        passing.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield passing
        finally:
            server.shutdown()
            thread.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


def drain(client: socket.socket) -> None:
    """Reads what still comes, because an end with unread data would take the answer with it."""
    client.shutdown(socket.SHUT_WR)
    client.settimeout(5)
    with suppress(OSError):
        while client.recv(65536):
            pass
