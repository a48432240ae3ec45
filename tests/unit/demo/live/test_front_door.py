"""The load balancer as its users ask it: what is sent, and what is made of the answers."""

import io
import json
import ssl
from collections.abc import Mapping, Sequence
from email.message import Message
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.request import Request

import pytest

from prod_e_ops.demo.live import front_door
from prod_e_ops.demo.live.front_door import CLIENTS, Answer, FrontDoor
from prod_e_ops.errors import OpsError

URL = "https://127.0.0.1:4443"


class Opener:
    """Opens nothing: it notes what is asked for, and answers with a status and a body."""

    def __init__(self, status: int = 200, body: bytes = b"{}") -> None:
        self.status = status
        self.asked: list[Request] = []
        self.fails: OSError | None = None
        self._body = body

    def open(self, request: Request, *, timeout: float) -> Self:
        assert timeout > 0
        self.asked.append(request)
        if self.fails:
            raise self.fails
        if self.status >= 400:
            body = io.BytesIO(self._body)
            raise HTTPError(request.full_url, self.status, "", Message(), body)
        return self

    def read(self) -> bytes:
        return self._body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def door_to(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> FrontDoor:
    monkeypatch.setattr(front_door, "build_opener", lambda *_: opener)
    return FrontDoor(url=URL, tls=ssl.create_default_context())


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize(
    ("body", "read"), [(b'{"version": "1"}', {"version": "1"}), (b"no JSON", {}), (b"[1]", {})]
)
def test_an_answer_is_its_status_and_its_json_whatever_it_is(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, read: Mapping[str, Any]
) -> None:
    opener = Opener(status, body)
    assert door_to(opener, monkeypatch).get("/health") == Answer(status=status, body=read)
    (request,) = opener.asked
    assert (request.get_method(), request.full_url) == ("GET", f"{URL}/health")


def test_what_is_sent_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    opener = Opener(201)
    assert door_to(opener, monkeypatch).post("/notes", {"title": "a"}).status == 201
    (request,) = opener.asked
    assert (request.get_method(), request.full_url) == ("POST", f"{URL}/notes")
    assert isinstance(request.data, bytes)
    assert json.loads(request.data) == {"title": "a"}
    assert request.get_header("Content-type") == "application/json"


def test_a_door_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    opener = Opener()
    opener.fails = URLError("connection refused")
    with pytest.raises(OpsError, match=f"{URL}/health does not answer: .*connection refused"):
        door_to(opener, monkeypatch).get("/health")


def test_users_ask_for_a_path_of_it_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    door = door_to(Opener(), monkeypatch)
    load = door.load("/notes")
    assert (load.url, load.clients, load.tls) == (f"{URL}/notes", CLIENTS, door.tls)
    assert 0 < load.pause_seconds < 1


class Listening:
    """An embedded AWS with listeners."""

    certificate_authority_file = "ca.pem"

    def __init__(self, *listeners: tuple[str, int]) -> None:
        self._listeners = listeners

    def listeners(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"load_balancer": name, "port": port, "url": f"{name} at {port}"}
            for name, port in self._listeners
        ]


@pytest.mark.parametrize(
    ("ports", "found"), [([80, 443], "tiny-e-alb at 443"), ([80], "tiny-e-alb at 80")]
)
def test_it_is_the_listener_for_https_or_else_for_http(
    monkeypatch: pytest.MonkeyPatch, ports: Sequence[int], found: str
) -> None:
    trusted: list[str] = []

    def trust(*, cafile: str) -> None:
        trusted.append(cafile)

    monkeypatch.setattr(ssl, "create_default_context", trust)
    aws: Any = Listening(("other-e-alb", 8443), *(("tiny-e-alb", port) for port in ports))
    assert FrontDoor.of(aws, "tiny-e").url == found
    assert trusted == ["ca.pem"]


def test_a_load_balancer_that_listens_nowhere_is_an_error() -> None:
    aws: Any = Listening(("other-e-alb", 443))
    with pytest.raises(OpsError, match="tiny-e-alb listens nowhere"):
        FrontDoor.of(aws, "tiny-e")
