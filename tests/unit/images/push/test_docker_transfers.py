"""Which daemon a push goes to, and what Docker's SDK asks of it and makes of its answers.

The SDK is the real one; what would be its connection answers in this process.
"""

import asyncio
import base64
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import urllib3
from docker import DockerClient
from requests import ConnectionError as NotConnected
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from prod_e_ops.errors import DockerUnavailable
from prod_e_ops.images.docker import docker as module
from prod_e_ops.images.docker.docker import Docker, TransferFailed, find_docker
from prod_e_ops.images.docker.docker_daemon import NoDocker
from prod_e_ops.terminal.processes import ChildProcesses

HOST = "1.dkr.ecr.us-west-2.amazonaws.com"
IMAGE = f"{HOST}/api:content-1"
DIGEST = f"sha256:{'0' * 64}"
PUSHED = {"status": "Pushed", "id": "0123456789ab"}
NAMED = {"aux": {"Tag": "content-1", "Digest": DIGEST}}

Answer = tuple[int, Mapping[str, str]] | Iterable[Mapping[str, Any]] | Exception
"""A status and the body of it, the events of a push, or what keeps it from answering."""


class _Sent(io.RawIOBase):
    """What comes on a connection, bit by bit."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = next(self._parts, b"")
        buffer[: len(part)] = part
        return len(part)


def _sent(answer: Answer) -> Iterator[bytes]:
    if isinstance(answer, tuple):
        status, told = answer
        body = json.dumps(told).encode()
        yield b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
        return
    assert not isinstance(answer, Exception)
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for event in answer:
        line = json.dumps(event).encode() + b"\r\n"
        yield b"%x\r\n%s\r\n" % (len(line), line)
    yield b"0\r\n\r\n"


@dataclass
class Connection:
    """Stands for a socket, from which only a response is read."""

    answer: Answer

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_Sent(_sent(self.answer)))


class Daemon(HTTPAdapter):
    """A daemon that gives an answer to everything it is asked."""

    def __init__(self, answer: Answer = ()) -> None:
        super().__init__()
        self.answer = answer
        self.is_there = True
        self.asked: list[PreparedRequest] = []
        self.waits: list[float] = []
        self.environments: list[Mapping[str, str]] = []
        self.left = threading.Event()

    def send(self, request: PreparedRequest, *_: object, **options: Any) -> Response:
        self.asked.append(request)
        self.waits.append(options["timeout"])
        if isinstance(self.answer, Exception):
            raise self.answer
        connection: Any = Connection(self.answer)
        received = HTTPResponse(connection, method=request.method)
        received.begin()
        raw = urllib3.HTTPResponse(
            received,
            headers=dict(received.getheaders()),
            status=received.status,
            preload_content=False,
        )
        return self.build_response(request, raw)

    def close(self) -> None:
        self.left.set()

    def connect(self, environment: Mapping[str, str], *, timeout_seconds: int = 10) -> DockerClient:
        self.environments.append(environment)
        if not self.is_there:
            raise NoDocker("no Docker daemon answers (No such file or directory)")
        client = DockerClient("tcp://daemon:2375", version="1.41", timeout=timeout_seconds)
        client.api.mount("http://", self)
        return client

    @property
    def body(self) -> Any:
        return json.loads(self.asked[-1].body or b"")

    @property
    def authorization(self) -> Any:
        return json.loads(base64.urlsafe_b64decode(self.asked[-1].headers["X-Registry-Auth"]))


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """The daemon of this machine, whose user keeps logins in a keychain that is not there."""
    daemon = Daemon()
    monkeypatch.setattr(module, "connect", daemon.connect)
    (tmp_path / "config.json").write_text('{"credsStore": "canary"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return daemon


def docker() -> Docker:
    anything: Any = None
    return Docker(
        program=Path("docker"), environment={"A": "b"}, daemon=anything, processes=anything
    )


def login() -> None:
    asyncio.run(docker().login(HOST, user="AWS", password="canary"))


@dataclass
class Upload:
    """A push, and the lines that it tells."""

    lines: list[str] = field(default_factory=list)

    def run(self) -> str:
        return asyncio.run(self.push())

    async def push(self, on_line: Callable[[str], object] | None = None) -> str:
        return await docker().push(
            IMAGE, user="AWS", password="canary", on_line=on_line or self.lines.append
        )


# --- Which daemon ---------------------------------------------------------------------------------


def find() -> tuple[Docker, ChildProcesses]:
    processes = ChildProcesses(say=lambda _: None)
    return asyncio.run(find_docker(processes)), processes


def test_docker_is_the_command_on_path_and_the_daemon_that_the_same_variables_lead_to(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "tcp://daemon:2375")
    found, processes = find()
    assert found.program == program
    assert found.processes is processes
    assert found.environment["DOCKER_HOST"] == "tcp://daemon:2375"
    assert daemon.environments[0]["DOCKER_HOST"] == "tcp://daemon:2375"
    assert found.daemon.api.base_url == "http://daemon:2375"


@pytest.mark.parametrize(
    ("has_command", "reason"),
    [
        (False, "the docker command is not installed"),
        (True, r"no Docker daemon answers \(No such file or directory\)"),
    ],
)
def test_without_a_command_or_a_daemon_nothing_can_be_built(
    daemon: Daemon,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_command: bool,
    reason: str,
) -> None:
    if has_command:
        (tmp_path / "docker").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    daemon.is_there = False
    with pytest.raises(DockerUnavailable, match=f"built with Docker, and {reason}.") as raised:
        find()
    assert raised.value.details == ("Nothing was changed.",)
    assert "https://docs.docker.com/get-docker" in (raised.value.next_step or "")


# --- A login --------------------------------------------------------------------------------------


def test_the_daemon_tries_a_login_and_no_keychain_is_asked(daemon: Daemon) -> None:
    daemon.answer = (200, {"Status": "Login Succeeded"})
    login()
    assert [(each.method, each.path_url) for each in daemon.asked] == [("POST", "/v1.41/auth")]
    assert daemon.body == {"username": "AWS", "password": "canary", "serveraddress": HOST}
    assert daemon.environments == [{"A": "b"}]
    assert daemon.left.is_set()


@pytest.mark.parametrize(
    ("answer", "said", "reason"),
    [
        ((401, {"message": "Get https://host/v2/: unauthorized"}), "unauthorized", "credentials"),
        (
            NotConnected("EOF"),
            "the Docker daemon closed the connection: EOF",
            "connection",
        ),
    ],
)
def test_a_login_that_fails_says_why(
    daemon: Daemon, answer: Answer, said: str, reason: str
) -> None:
    daemon.answer = answer
    with pytest.raises(TransferFailed, match=said) as raised:
        login()
    assert raised.value.reason == reason
    assert daemon.left.is_set()


@pytest.mark.parametrize("work", [login, Upload().run])
def test_a_daemon_that_went_away_is_no_broken_connection_to_the_registry(
    daemon: Daemon, work: Callable[[], object]
) -> None:
    daemon.is_there = False
    with pytest.raises(TransferFailed, match="cannot connect to the Docker daemon: no") as raised:
        work()
    assert raised.value.reason == "refused"


# --- An upload ------------------------------------------------------------------------------------


def test_an_upload_gives_the_digest_and_tells_each_layer(daemon: Daemon) -> None:
    daemon.answer = [
        {"status": f"The push refers to repository [{HOST}/api]"},
        {"progressDetail": {}},
        PUSHED,
        NAMED,
        {"aux": {}},
    ]
    upload = Upload()
    assert upload.run() == DIGEST
    assert upload.lines == [
        f"The push refers to repository [{HOST}/api]",
        "0123456789ab: Pushed",
    ]
    (asked,) = daemon.asked
    assert asked.path_url == f"/v1.41/images/{HOST}/api/push?tag=content-1"
    assert daemon.authorization == {"username": "AWS", "password": "canary"}
    assert daemon.environments == [{"A": "b"}]
    assert daemon.left.is_set()


@pytest.mark.parametrize(
    ("answer", "said", "reason"),
    [
        ([{"error": "denied: no"}, NAMED], "denied: no", "refused"),
        ([PUSHED, {"error": "unauthorized"}], "unauthorized", "credentials"),
        ([PUSHED], "Docker does not say what it pushed", "connection"),
        ((404, {"message": "tag does not exist: a:b"}), "tag does not exist: a:b", "refused"),
        ((500, {"message": "EOF"}), "EOF", "connection"),
        (NotConnected("EOF"), "the Docker daemon closed the connection: EOF", "connection"),
    ],
)
def test_an_upload_that_fails_says_why(
    daemon: Daemon, answer: Answer, said: str, reason: str
) -> None:
    daemon.answer = answer
    with pytest.raises(TransferFailed) as raised:
        Upload().run()
    assert str(raised.value) == said
    assert raised.value.reason == reason


def test_a_registry_that_takes_in_an_upload_may_be_silent_for_longer_than_at_a_login(
    daemon: Daemon,
) -> None:
    daemon.answer = (200, {})
    login()
    daemon.answer = [NAMED]
    Upload().run()
    at_login, at_push = daemon.waits
    assert 10 < at_login < at_push


def endlessly() -> Iterator[Mapping[str, Any]]:
    while True:
        yield PUSHED


def threads() -> Sequence[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == f"push of {IMAGE}"]


def test_an_upload_that_is_cancelled_ends_its_connection_and_keeps_nobody(daemon: Daemon) -> None:
    daemon.answer = endlessly()
    keeping: list[bool] = []

    async def cancelled() -> None:
        begun = asyncio.Event()
        upload = asyncio.ensure_future(Upload().push(lambda _: begun.set()))
        await begun.wait()
        keeping.extend(not thread.daemon for thread in threads())
        upload.cancel()
        await asyncio.wait([upload])
        assert upload.cancelled()

    asyncio.run(cancelled())
    assert keeping == [False]
    assert daemon.left.wait(10)
