"""A stand-in for Docker's daemon, which notes what it is asked and answers as it is told."""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

_VERSION = "/v1.41"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request. `what`: its method and path."""

    what: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer. `content`: its bytes, or what its JSON is made of."""

    content: object = b""
    status: int = 200

    def as_bytes(self) -> bytes:
        """What is sent."""
        return (
            self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()
        )


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """`answers`: to each method and path, the last of which is given again and again."""

    endpoint: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def says(self, what: str, *contents: object, status: int = 200) -> None:
        """It answers that request so, from now on."""
        self.answers[what] = [Answer(content=content, status=status) for content in contents]

    @property
    def calls(self) -> Sequence[str]:
        """What it was asked so far."""
        return [asked.what for asked in self.asked]

    def answer(self, asked: Asked) -> Answer:
        """The next answer to it."""
        self.asked.append(asked)
        answers = self.answers.get(asked.what)
        if not answers:
            return Answer(content={"message": f"no such thing: {asked.what}"}, status=404)
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextmanager
def daemon_at(kind: Literal["unix", "tcp"] = "unix") -> Iterator[Daemon]:
    """A daemon that answers 404 to everything."""
    # A socket's path must be short.
    with TemporaryDirectory(prefix="daemon-") as folder:
        path = Path(folder) / "docker.sock"

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_UNIX if kind == "unix" else socket.AF_INET

            def server_bind(self) -> None:
                TCPServer.server_bind(self)  # It has no name that could be looked up.

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                place = urlsplit(self.path)
                asked = Asked(
                    what=f"{self.command} {place.path.removeprefix(_VERSION)}",
                    query=parse_qsl(place.query),
                    headers=dict(self.headers),
                    body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
                )
                assert place.path.startswith(_VERSION)
                answer = daemon.answer(asked)
                content = answer.as_bytes()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _handle  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Nothing is to be seen of it."""

        address: Any = str(path) if kind == "unix" else ("127.0.0.1", 0)
        with Server(address, Handler) as server:
            port = "" if kind == "unix" else server.server_address[1]
            daemon = Daemon(
                endpoint=f"unix://{path}" if kind == "unix" else f"tcp://127.0.0.1:{port}"
            )
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield daemon
            finally:
                server.shutdown()
                thread.join()
