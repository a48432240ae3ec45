"""How answers are sent, so that clients in Go take them whole.

The AWS SDK for Go closes the body of a request as soon as the head of the answer is there. Where
what sends the body ends later than that, because the answer came within a millisecond and the
processors are busy, Go closes the connection: what the SDK has not read by then is lost, and it
makes the request, which was carried out, once more. AWS hardly ever is that fast.

https://github.com/aws/aws-sdk-go-v2/issues/2737
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.serving import WSGIRequestHandler

from embedded_aws.control_plane.not_implemented import Environ, StartResponse, WsgiApp

READ_AT_ONCE_BYTES = 4_096 - 512
"""Of the body of an answer, beside its head: what Go's HTTP client reads of a connection at once.

https://pkg.go.dev/net/http#Transport (`ReadBufferSize`)
"""
SENT_SECONDS = 0.02
"""How long a client may take to notice that it has sent its request."""


class RequestHandler(WSGIRequestHandler):
    """Sends head and body of an answer at once, and logs nothing."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1024 * 1024

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: standard output is the caller's, and clients tell what they were answered."""


def large_answers_not_at_once(
    app: WsgiApp, *, sleep: Callable[[float], None] = time.sleep
) -> WsgiApp:
    """Wraps an app: what a client may have to read in parts waits until its request is sent."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if int(dict(headers).get("Content-Length", 0)) > READ_AT_ONCE_BYTES:
                sleep(SENT_SECONDS)
            return start_response(status, headers, *rest)

        return app(environ, start)

    return answer
