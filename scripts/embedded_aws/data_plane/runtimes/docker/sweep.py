"""Removes a data plane's containers when nobody looks after them any more.

A script of its own that needs nothing but Python. `python sweep.py <endpoint> <label>` does
so at once; with `<heartbeat> <patience>` too when that file has not changed for so many seconds, or
is gone, and ends with that.
"""

import http.client
import json
import socket
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote


class _Connection(http.client.HTTPConnection):
    """A connection to a daemon at `unix://` or `tcp://`."""

    def __init__(self, endpoint: str) -> None:
        kind, _, self._place = endpoint.partition("://")
        self._is_socket = kind == "unix"
        super().__init__("docker" if self._is_socket else self._place, timeout=30)

    def connect(self) -> None:
        if not self._is_socket:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._place)


def _call(endpoint: str, method: str, path: str) -> bytes:
    with closing(_Connection(endpoint)) as connection:
        connection.request(method, f"/v1.41{path}")
        return connection.getresponse().read()


def _sweep(endpoint: str, label: str) -> None:
    filters = quote(json.dumps({"label": [label]}))
    found = json.loads(_call(endpoint, "GET", f"/containers/json?all=1&filters={filters}"))
    # This program's own container, where it runs in one, last: nothing is done after that.
    found.sort(key=lambda container: container["Id"].startswith(socket.gethostname()))
    for container in found:
        _call(endpoint, "DELETE", f"/containers/{container['Id']}?force=1&v=1")


def _watch(heartbeat: str, patience_seconds: int) -> None:
    """Returns when there is nobody any more."""
    beat, still_seconds = -1, 0
    while still_seconds < patience_seconds:
        try:
            last, beat = beat, Path(heartbeat).stat().st_mtime_ns
        except OSError:
            return
        still_seconds = still_seconds + 1 if beat == last else 0
        # Seconds in which this process ran: a machine that slept is no reason to end anything.
        time.sleep(1)


def main() -> None:
    """Removes all containers with the label."""
    endpoint, label, *watched = sys.argv[1:]
    if watched:
        _call(endpoint, "GET", "/_ping")
        print("watching", flush=True)
        _watch(watched[0], int(watched[1]))
    _sweep(endpoint, label)


if __name__ == "__main__":
    main()
