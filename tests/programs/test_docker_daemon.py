"""Docker's API as it is used: which daemon is asked, and how an upload goes or fails.

The daemon is a server in this process; tests/docker has the real one.
"""

import asyncio
import base64
import gc
import hashlib
import json
import socketserver
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.errors import UserMistake
from prod_e_ops.images.docker.docker import Docker, TransferFailed, find_docker
from prod_e_ops.images.docker.docker_daemon import default_build_network, why_no_docker
from prod_e_ops.terminal.processes import ChildProcesses

DIGEST = f"sha256:{'0' * 64}"
LAYER = "0123456789ab"


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers on a socket; `events` are what it tells of a push."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.address = f"unix://{folder}/docker.sock"
        self.networks = {"bridge"}
        self.events: Sequence[dict[str, Any]] = ()
        self.refuses: tuple[int, str] | None = None
        self.pushes: list[tuple[str, dict[str, str]]] = []
        self.logins: list[dict[str, str]] = []
        self.never_ends = False
        self.left = threading.Event()
        super().__init__(f"{folder}/docker.sock", _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Daemon

    def address_string(self) -> str:
        return "a socket"

    def log_message(self, *_: object) -> None:
        """Nothing is to be written to the terminal."""

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            self._answer(200, {"ApiVersion": "1.47"})
        else:
            found = self.path.rpartition("/")[2] in self.server.networks
            self._answer(200 if found else 404, {} if found else {"message": "not found"})

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        if self.path.endswith("/auth"):
            self.server.logins.append(given)
            if given["password"] == "canary":
                self._answer(200, {"Status": "Login Succeeded"})
            else:
                self._answer(401, {"message": "Get https://host/v2/: unauthorized"})
            return
        auth = json.loads(base64.urlsafe_b64decode(self.headers["X-Registry-Auth"]))
        self.server.pushes.append((self.path, auth))
        if self.server.refuses:
            status, message = self.server.refuses
            self._answer(status, {"message": message})
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for event in self.server.events:
                self._tell(event)
            while self.server.never_ends:
                self._tell({"status": "Pushing", "id": LAYER})
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
            self.server.left.set()

    def _tell(self, event: dict[str, Any]) -> None:
        line = json.dumps(event).encode() + b"\r\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon; the command that `prod-e` looks for is there, and leads nowhere."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    for name in ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text("{}")
    with Daemon(tmp_path) as daemon:
        thread = threading.Thread(target=daemon.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", daemon.address)
        yield daemon
        daemon.never_ends = False
        daemon.shutdown()
        thread.join()


def docker() -> Docker:
    return asyncio.run(find_docker(ChildProcesses(say=lambda _: None)))


def push(on_line: Any = lambda _: None) -> str:
    found = docker()
    try:
        return asyncio.run(
            found.push("host:5000/api:content-1", user="AWS", password="canary", on_line=on_line)
        )
    finally:
        found.daemon.close()


def make_context(config: Path, name: str, host: str) -> None:
    folder = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, "SkipTLSVerify": False}}
    (folder / "meta.json").write_text(
        json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints})
    )


def why_unreachable() -> str | None:
    """Why the daemon does not answer; a socket that is left open fails the test."""
    reason = asyncio.run(why_no_docker())
    gc.collect()
    return reason


# --- Which daemon ---------------------------------------------------------------------------------


def test_docker_host_leads_to_the_daemon(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(why_no_docker()) is None
    monkeypatch.setenv("DOCKER_HOST", f"{daemon.address}.not")
    assert why_unreachable() == "no Docker daemon answers (No such file or directory)"


@pytest.mark.parametrize("chosen_by", ["the configuration", "DOCKER_CONTEXT"])
def test_a_context_leads_to_the_daemon(
    daemon: Daemon, chosen_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_context(tmp_path / "config", "desktop", daemon.address)
    if chosen_by == "DOCKER_CONTEXT":
        # The docker command, too, prefers it to DOCKER_HOST.
        monkeypatch.setenv("DOCKER_CONTEXT", "desktop")
        monkeypatch.setenv("DOCKER_HOST", f"{daemon.address}.not")
    else:
        (tmp_path / "config" / "config.json").write_text('{"currentContext": "desktop"}')
        monkeypatch.delenv("DOCKER_HOST")
    assert asyncio.run(why_no_docker()) is None


def test_a_context_that_does_not_exist_is_not_taken_for_this_machine(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "dekstop")
    assert asyncio.run(why_no_docker()) == "there is no Docker context dekstop"


def test_the_default_context_is_what_docker_host_names(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert asyncio.run(why_no_docker()) is None


def test_what_is_missing_for_a_build_is_told(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin" / "docker").unlink()
    with pytest.raises(UserMistake, match="the docker command is not installed"):
        docker()


def test_a_daemon_without_a_bridge_builds_on_the_hosts_network(daemon: Daemon) -> None:
    assert asyncio.run(default_build_network()) is None
    daemon.networks.clear()
    assert asyncio.run(default_build_network()) == "host"


# --- A login --------------------------------------------------------------------------------------


def login(password: str) -> None:
    found = docker()
    try:
        asyncio.run(found.login("host:5000", user="AWS", password=password))
    finally:
        found.daemon.close()


def test_a_login_asks_the_daemon_and_no_keychain_of_the_user(
    daemon: Daemon, tmp_path: Path
) -> None:
    helper = tmp_path / "bin" / "docker-credential-canary"
    helper.write_text(f"#!/bin/sh\n: >{tmp_path}/asked\n")
    helper.chmod(0o755)
    configuration = tmp_path / "config" / "config.json"
    configuration.write_text('{"credsStore": "canary"}')
    login("canary")
    assert [(each["serveraddress"], each["username"]) for each in daemon.logins] == [
        ("host:5000", "AWS")
    ]
    assert configuration.read_text() == '{"credsStore": "canary"}'
    assert not (tmp_path / "asked").exists()


def test_a_password_that_is_not_taken_is_told(daemon: Daemon) -> None:
    with pytest.raises(TransferFailed, match="unauthorized") as raised:
        login("wrong")
    assert raised.value.reason == "credentials"


# --- An upload ------------------------------------------------------------------------------------


def test_an_upload_gives_the_digest_and_tells_each_layer(daemon: Daemon) -> None:
    daemon.events = (
        {"status": "The push refers to repository [host:5000/api]"},
        {"status": "Pushed", "id": LAYER, "progressDetail": {}},
        {"progressDetail": {}, "aux": {"Tag": "content-1", "Digest": DIGEST, "Size": 1}},
    )
    lines: list[str] = []
    assert push(lines.append) == DIGEST
    assert lines == ["The push refers to repository [host:5000/api]", f"{LAYER}: Pushed"]
    ((path, auth),) = daemon.pushes
    assert path.endswith("/images/host:5000/api/push?tag=content-1")
    assert auth == {"username": "AWS", "password": "canary"}


@pytest.mark.parametrize(
    ("events", "refuses", "said", "reason"),
    [
        (
            [{"errorDetail": {"message": "denied: no"}, "error": "denied: no"}],
            None,
            "denied: no",
            "refused",
        ),
        ([{"error": "unauthorized: expired"}], None, "unauthorized: expired", "credentials"),
        ([{"status": "Pushed", "id": LAYER}], None, "does not say what it pushed", "connection"),
        ([], (404, "tag does not exist: a:b"), "tag does not exist: a:b", "refused"),
        ([], (500, "EOF"), "EOF", "connection"),
    ],
)
def test_an_upload_that_fails_says_why(
    daemon: Daemon,
    events: Sequence[dict[str, Any]],
    refuses: tuple[int, str] | None,
    said: str,
    reason: str,
) -> None:
    daemon.events, daemon.refuses = events, refuses
    with pytest.raises(TransferFailed, match=said) as raised:
        push()
    assert raised.value.reason == reason


def test_a_daemon_that_goes_away_is_no_broken_connection_to_the_registry(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = docker()
    object.__setattr__(found, "environment", {"DOCKER_HOST": f"{daemon.address}.not"})
    with pytest.raises(TransferFailed, match="No such file or directory") as raised:
        asyncio.run(found.push("a:b", user="AWS", password="canary", on_line=lambda _: None))
    found.daemon.close()
    assert raised.value.reason == "refused"
    del raised
    gc.collect()


def test_an_upload_that_is_cancelled_ends_its_connection(daemon: Daemon) -> None:
    daemon.never_ends = True

    async def cancelled() -> None:
        found = await find_docker(ChildProcesses(say=lambda _: None))
        begun = asyncio.Event()
        upload = asyncio.ensure_future(
            found.push("a:b", user="AWS", password="canary", on_line=lambda _: begun.set())
        )
        await begun.wait()
        upload.cancel()
        await asyncio.wait([upload])
        assert upload.cancelled()
        found.daemon.close()

    asyncio.run(cancelled())
    assert daemon.left.wait(60)
    gc.collect()
