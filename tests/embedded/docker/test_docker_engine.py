"""What a Docker daemon is asked, and what is made of its answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest

from embedded_aws.data_plane.runtimes.docker import engine as docker_engine
from embedded_aws.data_plane.runtimes.docker.engine import DockerEngine, DockerError
from tests.embedded.docker.daemon import Daemon, daemon_at

T = TypeVar("T")


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with daemon_at() as daemon:
        yield daemon


def with_engine(daemon: Daemon, work: Callable[[DockerEngine], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = DockerEngine(daemon.endpoint)
        try:
            return await work(engine)
        finally:
            await engine.close()

    return asyncio.run(run())


def framed(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4) + text


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_the_daemon_is_the_one_that_docker_host_names(
    monkeypatch: pytest.MonkeyPatch, kind: Literal["unix", "tcp"]
) -> None:
    async def connect() -> str:
        engine = await DockerEngine.connect()
        await engine.close()
        return engine.endpoint

    with daemon_at(kind) as daemon:
        daemon.says("GET /version", {"Version": "27"})
        monkeypatch.setenv("DOCKER_HOST", daemon.endpoint)
        assert asyncio.run(connect()) == daemon.endpoint
        assert daemon.calls == ["GET /version"]


@pytest.mark.parametrize(
    ("says", "exit_status", "has_socket", "endpoint"),
    [
        ("tcp://127.0.0.1:1", 0, True, "tcp://127.0.0.1:1"),
        # Without a context, as where the command's own configuration is broken.
        ("tcp://127.0.0.1:1", 1, True, "unix:///var/run/docker.sock"),
        ("", 0, True, "unix:///var/run/docker.sock"),
        ("", 0, False, None),
    ],
)
def test_without_docker_host_it_is_that_of_dockers_context_or_the_usual_socket(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    says: str,
    exit_status: int,
    has_socket: bool,
    endpoint: str | None,
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\n[ "$*" = "context inspect --format {{.Endpoints.docker.Host}}" ] || exit 9\n'
        f"echo {says}\nexit {exit_status}\n"
    )
    docker.chmod(0o755)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(
        Path, "exists", lambda path: has_socket and str(path) == "/var/run/docker.sock"
    )
    if endpoint:
        assert asyncio.run(docker_engine._endpoint()) == endpoint
    else:
        with pytest.raises(OSError, match="there is no Docker daemon"):
            asyncio.run(docker_engine._endpoint())


@pytest.mark.parametrize("status", [400, 500])
def test_a_daemon_that_refuses_is_none(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    daemon.says("GET /version", {"message": "too new for you"}, status=status)
    monkeypatch.setenv("DOCKER_HOST", daemon.endpoint)
    with pytest.raises(OSError, match=f"{daemon.endpoint}: too new for you"):
        asyncio.run(DockerEngine.connect())


def test_a_daemon_is_reached_by_a_socket_or_by_tcp_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://somewhere")
    with pytest.raises(OSError, match="ssh://somewhere is not supported; only unix:// and tcp"):
        asyncio.run(DockerEngine.connect())


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"Id": "a"}, {"Id": "a"}),
        ([{"Id": "a"}], [{"Id": "a"}]),
        (b"OK", "OK"),
        (b"", ""),
        # Lines of progress, each of which is JSON.
        (b'{"status": "a"}\n{"status": "b"}', '{"status": "a"}\n{"status": "b"}'),
    ],
)
def test_an_answer_is_json_or_text(daemon: Daemon, said: object, answer: object) -> None:
    daemon.says("POST /things", said)
    asked: dict[str, Any] = {"body": {"a": 1}, "query": {"b": "2"}, "headers": {"X-C": "3"}}
    assert with_engine(daemon, lambda engine: engine.call("POST", "/things", **asked)) == answer
    (request,) = daemon.asked
    assert (json.loads(request.body), request.query) == ({"a": 1}, [("b", "2")])
    assert request.headers["X-C"] == "3"


def test_nothing_to_be_changed_is_no_error(daemon: Daemon) -> None:
    daemon.says("POST /containers/a/start", b"", status=304)
    start = with_engine(daemon, lambda engine: engine.call("POST", "/containers/a/start"))
    assert start == ""


@pytest.mark.parametrize(
    ("said", "message"),
    [({"message": "no such image"}, "no such image"), (b" gone \n", "gone"), ([], "[]")],
)
def test_what_it_refuses_has_its_status_and_its_words(
    daemon: Daemon, said: object, message: str
) -> None:
    daemon.says("GET /images/a/json", said, status=409)
    with pytest.raises(DockerError) as error:
        with_engine(daemon, lambda engine: engine.image("a"))
    assert (error.value.status, str(error.value)) == (409, message)


@pytest.mark.parametrize("authorization", ["secret", None])
def test_an_image_is_pulled_as_whoever_may(daemon: Daemon, authorization: str | None) -> None:
    daemon.says("POST /images/create", b'{"status": "Pulling"}\r\n{"status": "Done"}\r\n')
    with_engine(daemon, lambda it: it.pull("a.example/b:1", authorization=authorization))
    (request,) = daemon.asked
    assert request.query == [("fromImage", "a.example/b:1")]
    assert request.headers.get("X-Registry-Auth") == authorization


@pytest.mark.parametrize("said", [b'{"error": "denied"}', b'{"status": "a"}\n{"error": "denied"}'])
def test_a_pull_fails_by_what_is_told_on_the_way(daemon: Daemon, said: bytes) -> None:
    daemon.says("POST /images/create", said)
    with pytest.raises(DockerError, match="denied") as error:
        with_engine(daemon, lambda engine: engine.pull("a", authorization=None))
    assert error.value.status == 404


def test_an_image_is_made_of_a_layer(daemon: Daemon) -> None:
    daemon.says("POST /images/create", b'{"status": "Importing"}\n{"status": "sha256:1"}\n')
    made = with_engine(
        daemon, lambda engine: engine.import_image(b"layer", labels={"whose": "mine"})
    )
    assert made == "sha256:1"
    (request,) = daemon.asked
    assert request.query == [("fromSrc", "-"), ("changes", "LABEL whose=mine")]
    assert request.body == b"layer"


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [({"error": "no space"}, 200, 500), ({"message": "no space"}, 400, 400)],
)
def test_a_layer_that_is_refused_makes_no_image(
    daemon: Daemon, said: object, status: int, told: int
) -> None:
    daemon.says("POST /images/create", said, status=status)
    with pytest.raises(DockerError, match="no space") as error:
        with_engine(daemon, lambda engine: engine.import_image(b"layer", labels={}))
    assert error.value.status == told


def test_an_image_is_asked_for_by_its_whole_reference(daemon: Daemon) -> None:
    daemon.says("GET /images/127.0.0.1:5000/app@sha256:1/json", {"Id": "sha256:2"})
    image = with_engine(daemon, lambda engine: engine.image("127.0.0.1:5000/app@sha256:1"))
    assert image == {"Id": "sha256:2"}
    assert with_engine(daemon, lambda engine: engine.image("other")) is None


def test_a_containers_lines_are_put_together_for_each_of_its_streams(daemon: Daemon) -> None:
    daemon.says(
        "GET /containers/a/logs",
        framed(1, b"T1 fir") + framed(2, b"T2 err\xff\nT3 no ") + framed(1, b"st line\nT4 \n")
        + framed(2, b"end\n") + framed(1, b"T5 not ended") + b"\x01\x00",
    )  # fmt: skip

    async def lines(engine: DockerEngine) -> list[tuple[str, str]]:
        return [line async for line in engine.logs("a", since="7.5")]

    assert with_engine(daemon, lines) == [
        ("T2", "err\ufffd"), ("T1", "first line"), ("T4", ""), ("T3", "no end"),
    ]  # fmt: skip
    assert dict(daemon.asked[0].query) == {
        "follow": "1", "stdout": "1", "stderr": "1", "timestamps": "1", "since": "7.5",
    }  # fmt: skip


@pytest.mark.parametrize(("said", "status"), [(3, 3), (0, 0), (None, 0)])
def test_a_program_in_a_container_is_waited_for(
    daemon: Daemon, said: int | None, status: int
) -> None:
    daemon.says("POST /containers/a/exec", {"Id": "e"}, status=201)
    daemon.says("POST /exec/e/start", b"")
    daemon.says("GET /exec/e/json", {"Running": True}, {"Running": False, "ExitCode": said})
    assert with_engine(daemon, lambda engine: engine.execute("a", ["ls", "-l"])) == status
    assert daemon.calls == [
        "POST /containers/a/exec", "POST /exec/e/start", "GET /exec/e/json", "GET /exec/e/json",
    ]  # fmt: skip
    assert json.loads(daemon.asked[0].body) == {"Cmd": ["ls", "-l"]}
    assert json.loads(daemon.asked[1].body) == {"Detach": False, "Tty": False}
