"""A load generator, which counts what became of each request."""

import http.client
import json
import ssl
import threading
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 30.0


@dataclass(kw_only=True)
class Load:
    """Sends GET requests all the time between `start` and `stop`, or inside of a `with` block.

    Each client sends one after the other on a connection that it keeps.

    `url`: what is asked for. `clients`: how many send at once. `pause_seconds`: how long each
    waits between an answer and its next request. `tls`: how a server is verified, for an https URL.

    `statuses`: how often each HTTP status came. `broken`: requests that ended without an answer.
    `versions`: what JSON answers with status 200 had as `version`. `seconds`: how long each answer
    took, in the order in which they came.
    """

    url: str
    clients: int = 8
    pause_seconds: float = 0.0
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    versions: set[str] = field(default_factory=set)
    seconds: "array[float]" = field(default_factory=lambda: array("d"), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _is_over: threading.Event = field(default_factory=threading.Event, repr=False)
    _threads: list[threading.Thread] = field(default_factory=list, repr=False)

    @property
    def sent(self) -> int:
        """How many requests have ended, one way or another."""
        with self._lock:
            return sum(self.statuses.values()) + self.broken

    @property
    def lost(self) -> int:
        """How many of those were not answered with status 200."""
        with self._lock:
            return sum(self.statuses.values()) + self.broken - self.statuses[HTTPStatus.OK]

    def start(self) -> None:
        """Begins to send."""
        self._threads = [
            threading.Thread(target=self._send, daemon=True) for _ in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Sends no more, and waits for the answers that are still to come."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int, *, timeout_seconds: float = 60.0) -> None:
        """Waits until so many more requests have ended; raises `TimeoutError`."""
        enough, deadline = self.sent + count, time.monotonic() + timeout_seconds
        while self.sent < enough:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.url} does not answer: {self}")
            time.sleep(0.05)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _send(self) -> None:
        place = urlsplit(self.url)
        connection = (
            http.client.HTTPSConnection(place.netloc, timeout=_TIMEOUT_SECONDS, context=self.tls)
            if place.scheme == "https"
            else http.client.HTTPConnection(place.netloc, timeout=_TIMEOUT_SECONDS)
        )
        path = self.url.split(place.netloc, 1)[1] or "/"
        while not self._is_over.is_set():
            began = time.perf_counter()
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                self._note(answer.status, body, seconds=time.perf_counter() - began)
            except (OSError, http.client.HTTPException):
                connection.close()
                with self._lock:
                    self.broken += 1
            self._is_over.wait(self.pause_seconds)
        connection.close()

    def _note(self, status: int, body: bytes, *, seconds: float) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.seconds.append(seconds)
            if status == HTTPStatus.OK and b'"version"' in body:
                self.versions.add(json.loads(body)["version"])
