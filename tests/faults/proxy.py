"""A proxy in front of the embedded AWS that lets one request go wrong."""

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from embedded_aws.control_plane.connections import RequestHandler

_READS = ("Describe", "List", "Get", "Head", "Validate", "BatchGet")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a client asks of AWS. `action`: such as `CreateVpc`, or method and path."""

    action: str
    headers: Message
    body: bytes

    @property
    def changes(self) -> bool:
        """Whether it can change anything in AWS."""
        return not self.action.startswith((*_READS, "GET ", "HEAD "))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is sent back."""

    status: int
    headers: dict[str, str]
    body: bytes


Ask = Callable[[], Answer]
Fault = Callable[[Request, Ask], Answer | None]
"""Answers a request, having asked AWS or not; None: the connection is cut without an answer."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Terraform makes thirty requests at once, and a busy machine is slow to take them.
    request_queue_size = 128


class FaultyAws:
    """Hands requests on, those apart that the fault of the moment takes.

    `fault`: gets every request; absent: all go through. `url`: where it listens, on a free port of
    the loopback interface, which stays the same.
    """

    def __init__(self, endpoint_url: str) -> None:
        self._host = urlsplit(endpoint_url).netloc
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.fault: Fault | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def listen(self) -> None:
        """Takes connections."""
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever).start()

    def refuse(self) -> None:
        """Takes no connection any more; those that are there stay."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, request: Request, ask: Ask) -> Answer | None:
        """What the client gets."""
        fault = self.fault
        return fault(request, ask) if fault else ask()

    def ask(self, method: str, path: str, request: Request) -> Answer:
        """What the embedded AWS answers."""
        connection = http.client.HTTPConnection(self._host, timeout=120)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        dropped = ("transfer-encoding", "connection", "content-length")
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in dropped}
        return Answer(status=answer.status, headers=headers, body=body)


@contextmanager
def faulty_aws(endpoint_url: str) -> Iterator[FaultyAws]:
    """A proxy in front of `endpoint_url`."""
    faulty = FaultyAws(endpoint_url)
    faulty.listen()
    try:
        yield faulty
    finally:
        faulty.refuse()


def _handler(faulty: FaultyAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are sent at once: see `embedded_aws.control_plane.connections`.
        wbufsize = RequestHandler.wbufsize

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = _action(self.command, self.path, self.headers, body)
            request = Request(action=action, headers=self.headers, body=body)
            answer = faulty.answer(request, lambda: faulty.ask(self.command, self.path, request))
            if answer is None:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody wants to read of each request."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True  # Its client was killed.

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._handle)
    return Handler


def _action(method: str, path: str, headers: Message, body: bytes) -> str:
    if target := headers.get("X-Amz-Target"):
        return target.rpartition(".")[2]
    if "x-www-form-urlencoded" in headers.get("Content-Type", ""):
        return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
    if found := re.search(r"[?&]Action=(\w+)", path):
        return found[1]
    return f"{method} {path}"


def one_of_a_kind(action: str, fault: Fault) -> Fault:
    """A fault of the first request of an action, and of none after it."""
    lock = threading.Lock()
    left = [action]

    def answer(request: Request, ask: Ask) -> Answer | None:
        with lock:
            is_it = request.action in left
            if is_it:
                left.remove(action)
        return fault(request, ask) if is_it else ask()

    return answer


def lost(_: Request, ask: Ask) -> Answer | None:
    """AWS does what it is asked, and its answer never arrives."""
    ask()
    return None


def answered_after(event: threading.Event) -> Fault:
    """AWS does what it is asked at once, and its answer arrives after an event."""

    def answer(_: Request, ask: Ask) -> Answer:
        made = ask()
        event.wait()
        return made

    return answer


def refused(_: Request, ask: Ask) -> Answer | None:
    """The connection is cut before AWS has read anything."""
    return None


def unwell(status: int) -> Fault:
    """AWS answers nothing but a status of 5xx."""
    return lambda _request, _ask: Answer(status=status, headers={}, body=b"")


def web_page(_: Request, _ask: Ask) -> Answer:
    """Something between answers in AWS's stead, as a captive portal does."""
    body = b"<!DOCTYPE html><html><body><h1>Please sign in</h1></body></html>"
    return Answer(status=200, headers={"Content-Type": "text/html"}, body=body)


def garbage(_: Request, ask: Ask) -> Answer:
    """AWS does what it is asked; what arrives of its answer is not what it sent."""
    return Answer(status=ask().status, headers={}, body=b"\x00\xff{<\x1b[31m not what was sent")


def throttled(request: Request, _: Ask) -> Answer:
    """AWS has had too many requests.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
    """
    kind = "text/xml"
    if request.headers.get("X-Amz-Target"):
        body = b'{"__type":"ThrottlingException","message":"Rate exceeded"}'
        kind = "application/x-amz-json-1.1"
    elif "/ec2/aws4_request" in request.headers.get("Authorization", ""):
        error = b"<Error><Code>RequestLimitExceeded</Code><Message>Slow down</Message></Error>"
        body = b"<Response><Errors>" + error + b"</Errors><RequestID>1</RequestID></Response>"
    else:
        error = b"<Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
        body = b"<ErrorResponse>" + error + b"<RequestId>1</RequestId></ErrorResponse>"
    return Answer(status=400, headers={"Content-Type": kind}, body=body)
