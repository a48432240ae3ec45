"""Answers are sent so that the AWS SDK for Go takes them whole."""

import socket
from collections.abc import Iterable
from typing import Any

import pytest
from werkzeug.serving import make_server

from embedded_aws.control_plane.connections import (
    READ_AT_ONCE_BYTES,
    RequestHandler,
    large_answers_not_at_once,
)


class RecordingSocket(socket.socket):
    """Keeps what is sent with each call, and sends nothing."""

    sent: list[bytes]

    def send(self, data: Any, flags: int = 0) -> int:
        self.sent.append(bytes(data))
        return len(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.sent.append(bytes(data))


def answering(length: int) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(length))])
        return [b"x" * length]

    return app


def sent(length: int) -> list[bytes]:
    """What is sent at once of an answer with a body of that length."""
    server = make_server("127.0.0.1", 0, answering(length), request_handler=RequestHandler)
    ours, theirs = socket.socketpair()
    with theirs, RecordingSocket(fileno=ours.detach()) as connection:
        connection.sent = []
        theirs.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        theirs.shutdown(socket.SHUT_WR)
        RequestHandler(connection, ("127.0.0.1", 1), server)
    server.server_close()
    return connection.sent


@pytest.mark.parametrize("length", [10, 50_000])
def test_head_and_body_of_an_answer_are_sent_at_once(length: int) -> None:
    (answer,) = sent(length)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n" + b"x" * length)


def test_no_more_than_a_mebibyte_is_kept_to_be_sent_at_once() -> None:
    length = 1_000_000
    (answer,) = sent(length)
    longest = 2**20 - (len(answer) - length)
    assert len(sent(longest)) == 1
    assert len(sent(longest + 1)) > 1


@pytest.mark.parametrize(
    ("length", "waits"), [(READ_AT_ONCE_BYTES, False), (READ_AT_ONCE_BYTES + 1, True)]
)
def test_an_answer_that_is_read_in_parts_waits_until_its_request_is_sent(
    length: int, waits: bool
) -> None:
    waited: list[float] = []
    told: list[str] = []
    app = large_answers_not_at_once(answering(length), sleep=waited.append)
    assert app({}, lambda status, headers: told.append(status)) == [b"x" * length]
    assert told == ["200 OK"]
    assert [seconds > 0 for seconds in waited] == [True] * waits
