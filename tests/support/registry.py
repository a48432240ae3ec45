"""A real registry that asks for a password, and a network in front of it that can fail."""

import json
import re
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from hmac import compare_digest
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from embedded_aws.ecr_password import make_password

START_SECONDS = 20
TLS_HANDSHAKE = b"\x16"

CONFIGURATION = """
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: "{folder}/images"}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "127.0.0.1:{port}", relativeurls: true}}
"""


class RegistryUnavailableError(Exception):
    """There is no registry program; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Debian's docker-registry on loopback; the way to it asks for the password of the user AWS."""

    folder: Path
    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    @property
    def password(self) -> str:
        return self.password_file.read_text()

    def change_password(self) -> None:
        """From now on the one before is refused."""
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(make_password())

    def challenge(self, head: str) -> bytes | None:
        """What ECR answers to a request (its first line and headers) without the password."""
        credentials = b64encode(f"AWS:{self.password}".encode())
        found = re.search(r"^authorization: *basic +(\S+)", head, re.IGNORECASE | re.MULTILINE)
        # The whole of it: what registries keep passwords in, bcrypt, takes 72 bytes at most.
        if found and compare_digest(found[1].encode(), credentials):
            return None
        told = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
        realm = f'Basic realm="http://{self.host}/",service="ecr.amazonaws.com"'
        return answer("401 Unauthorized", json.dumps(told), WWW_Authenticate=realm)

    def tags(self, repository: str) -> dict[str, str]:
        """The digest that each tag names, as the registry itself says."""
        status, _, body = self._get(f"/v2/{repository}/tags/list")
        names = json.loads(body).get("tags") if status == 200 else None
        return {name: self._digest(repository, name) for name in names or ()}

    def image(self, repository: str, reference: str) -> dict[str, Any]:
        """The configuration of an image all of whose parts are there."""
        status, _, body = self._get(f"/v2/{repository}/manifests/{reference}")
        assert status == 200, body
        manifest = json.loads(body)
        for layer in manifest["layers"]:
            status, _, content = self._get(f"/v2/{repository}/blobs/{layer['digest']}")
            assert (status, len(content)) == (200, layer["size"])
        _, _, body = self._get(f"/v2/{repository}/blobs/{manifest['config']['digest']}")
        configuration: dict[str, Any] = json.loads(body)
        return configuration

    def _digest(self, repository: str, tag: str) -> str:
        status, digest, _ = self._get(f"/v2/{repository}/manifests/{tag}")
        assert status == 200
        return digest

    def _get(self, path: str) -> tuple[int, str, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=self._headers())
            response = connection.getresponse()
            return response.status, response.headers["Docker-Content-Digest"], response.read()
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        credentials = b64encode(f"AWS:{self.password}".encode()).decode()
        return {
            "Authorization": f"Basic {credentials}",
            "Accept": "application/vnd.docker.distribution.manifest.v2+json,"
            " application/vnd.oci.image.manifest.v1+json,"
            " application/vnd.oci.image.index.v1+json",
        }


@contextmanager
def started_registry() -> Iterator[Registry]:
    """Raises `RegistryUnavailableError` if there is no program for it."""
    program = shutil.which("docker-registry")
    if program is None:
        raise RegistryUnavailableError(
            "docker-registry is not installed; `.ci/start-docker` installs it."
        )
    with ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="test-registry-")))
        behind = free_port()
        entrance = resources.enter_context(listening(Network(to_port=behind)))
        registry = Registry(folder=folder, port=entrance.port)
        registry.change_password()
        entrance.on_head = registry.challenge
        configuration = folder / "config.yml"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=behind))
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [program, "serve", configuration], stdout=log, stderr=log, cwd=folder
            )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not answers(behind):
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
            yield registry
        finally:
            server.kill()
            server.wait()


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Network:
    """The way to a registry, on a port of its own. Everything passes until something is set.

    `on_request`: told the first line of each request; what it returns is answered instead of
    passing the request on, and `DROP` ends the connection. `on_head`: the same for the first line
    and the headers.
    """

    to_port: int
    port: int = 0
    on_request: Callable[[str], bytes | None] = field(default=lambda _: None)
    on_head: Callable[[str], bytes | None] = field(default=lambda _: None)
    requests: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


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


@contextmanager
def network(registry: Registry) -> Iterator[Network]:
    """Stands between Docker and the registry."""
    with listening(Network(to_port=registry.port)) as passing:
        yield passing


@contextmanager
def listening(passing: Network) -> Iterator[Network]:
    """Takes connections on a free port; one request for each."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                pass_on(passing, self.request)

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


def pass_on(passing: Network, client: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        part = client.recv(65536)
        if not part or part.startswith(TLS_HANDSHAKE):
            return  # Docker tries TLS first and goes on without, on loopback.
        head += part
    lines, _, rest = head.partition(b"\r\n\r\n")
    request = lines.split(b"\r\n")[0].decode()
    passing.requests.append(request)
    instead = passing.on_request(request)
    if instead is None:
        instead = passing.on_head(lines.decode("latin-1"))
    if instead == DROP:
        # Midway: the registry has seen the beginning of it.
        with socket.create_connection(("127.0.0.1", passing.to_port)) as server:
            server.sendall(head[: len(head) - len(rest) // 2])
        return
    if instead is not None:
        client.sendall(instead)
        drain(client)
        return
    # One request each, so that every one of them passes here.
    kept = [line for line in lines.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    with socket.create_connection(("127.0.0.1", passing.to_port)) as server:
        server.sendall(b"\r\n".join([*kept, b"Connection: close", b"", b""]) + rest)
        upwards = threading.Thread(target=copy, args=(client, server), daemon=True)
        upwards.start()
        copy(server, client)


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
