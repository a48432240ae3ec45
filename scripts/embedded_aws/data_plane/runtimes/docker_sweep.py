"""Removes a data plane's containers when nobody looks after them any more.

A script of its own that needs nothing but Python: `python docker_sweep.py <endpoint> <label>`.
"""

import http.client
import json
import socket
import sys
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
    connection = _Connection(endpoint)
    connection.request(method, f"/v1.41{path}")
    return connection.getresponse().read()


def main() -> None:
    """Removes all containers with the label."""
    endpoint, label = sys.argv[1:]
    filters = quote(json.dumps({"label": [label]}))
    for container in json.loads(
        _call(endpoint, "GET", f"/containers/json?all=1&filters={filters}")
    ):
        _call(endpoint, "DELETE", f"/containers/{container['Id']}?force=1&v=1")


if __name__ == "__main__":
    main()
