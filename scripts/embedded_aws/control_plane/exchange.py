"""The one endpoint through which the data plane reports what is, and learns what should be.

`POST /_embedded/exchange` takes a report and answers with what is desired, both JSON; what they
hold is in `embedded_aws.protocol`. `GET /_embedded/listeners` tells people where the load
balancers' listeners are. `GET /_embedded/` is the page for a browser, which shows what
`GET /_embedded/overview` tells in JSON and the picture that whoever started this has given.
"""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from embedded_aws.control_plane.not_implemented import Environ, StartResponse, WsgiApp
from embedded_aws.control_plane.overview.page import CONTENT_SECURITY_POLICY, page, picture

PREFIX = "/_embedded/"
_DATA_PLANE_VARIABLE = "EMBEDDED_AWS_DATA_PLANE"

Report = dict[str, Any]


def has_data_plane() -> bool:
    """Whether tasks, load balancers and databases run, or are only noted down."""
    return os.environ.get(_DATA_PLANE_VARIABLE) == "1"


def with_exchange(app: WsgiApp, *, state: Lock, load: Callable[[], None]) -> WsgiApp:
    """The app with the endpoint in front.

    `state`: held while moto's state is read or changed. `load`: loads the services that take part.
    """

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return app(environ, start_response)
        if path == PREFIX:
            return _answer(start_response, "200 OK", "text/html; charset=utf-8", page())
        if path == f"{PREFIX}picture.svg":
            drawn = picture(Path(os.environ["EMBEDDED_AWS_STATE_FOLDER"]))
            status = "200 OK" if drawn else "204 No Content"
            return _answer(start_response, status, "image/svg+xml", drawn)
        load()
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with state:
            # Late, because moto's code for these services takes a second to load.
            from embedded_aws.control_plane import desired

            if path == f"{PREFIX}exchange":
                answered: object = desired.exchange(json.loads(body))
            elif path == f"{PREFIX}listeners":
                answered = desired.listener_addresses()
            elif path == f"{PREFIX}overview":
                answered = desired.overview()
            else:
                return _json(start_response, "404 Not Found", {"message": f"No {path} here."})
        return _json(start_response, "200 OK", answered)

    return answer


def _json(start_response: StartResponse, status: str, value: object) -> Iterable[bytes]:
    body = json.dumps(value, default=str).encode()
    return _answer(start_response, status, "application/json", body)


def _answer(
    start_response: StartResponse, status: str, content_type: str, body: bytes
) -> Iterable[bytes]:
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start_response(status, headers)
    return [body]
