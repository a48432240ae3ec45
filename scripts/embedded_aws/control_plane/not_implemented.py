"""What is answered where moto has no answer.

A client retries a 500 for minutes and takes a page of HTML for a broken network. AWS answers an
action that it does not know with an error in the protocol of the service, which no client retries;
so does this.
"""

import io
import json
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Tell = Callable[[dict[str, str]], None]

_logger = logging.getLogger(__name__)


def answering_everything(app: WsgiApp | None, service: str, *, tell: Tell) -> WsgiApp:
    """Wraps the app of a service: calls that it lacks, or on which it breaks, get a 501.

    `tell` is given each of them: `{"unimplemented": "logs.PutQueryDefinition"}` or
    `{"failed": "logs.PutQueryDefinition: KeyError: 'x'"}`.
    """

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        action = f"{service}.{_action(environ)}"

        def unimplemented() -> Iterable[bytes]:
            tell({"unimplemented": action})
            message = f"The embedded AWS does not implement {action}."
            return _error(environ, start_response, "501 Not Implemented", "NotImplemented", message)

        if app is None:
            return unimplemented()
        held = _HeldResponse()
        try:
            body = app(environ, held)
        except NotImplementedError:
            return unimplemented()
        except Exception as error:
            _logger.exception("%s broke", action)
            reason = f"{action}: {type(error).__name__}: {error}"
            tell({"failed": reason})
            message = f"The embedded AWS broke on {reason}"
            return _error(environ, start_response, "501 Not Implemented", "NotImplemented", message)
        if held.is_flask_not_found and environ["REQUEST_METHOD"] != "HEAD":
            return unimplemented()
        start_response(*held.arguments)
        return body

    return answer


class _HeldResponse:
    """Keeps a response's head back until it is known whether it is the one to send."""

    arguments: tuple[Any, ...] = ()

    def __call__(self, *arguments: Any) -> None:
        self.arguments = arguments

    @property
    def is_flask_not_found(self) -> bool:
        """No route matched: an action of a service with an address for each action."""
        status, headers = self.arguments[0], dict(self.arguments[1])
        return bool(
            status.startswith("404 ")
            and headers.get("Content-Type", "").startswith("text/html")
            and "x-amzn-requestid" not in {name.lower() for name in headers}
        )


def read_body(environ: Environ) -> bytes:
    """The body of a request, which is there to be read again."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _action(environ: Environ) -> str:
    """The name of the action, or method and path where the address is the action."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target).rsplit(".", 1)[-1]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        named = parse_qs(read_body(environ).decode("utf-8", "replace")).get("Action")
        if named:
            return str(named[0])
    return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def _error(
    environ: Environ, start_response: StartResponse, status: str, code: str, message: str
) -> Iterable[bytes]:
    """An error in the protocol of the request: JSON, or the XML that S3, EC2 and Query share."""
    if re.search("json", environ.get("CONTENT_TYPE", "")) or "HTTP_X_AMZ_TARGET" in environ:
        content_type = "application/x-amz-json-1.1"
        body = json.dumps({"__type": code, "message": message})
    else:
        content_type = "text/xml"
        error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        bodies = {
            "s3": f"<Error>{error}</Error>",
            "ec2": f"<Response><Errors><Error>{error}</Error></Errors></Response>",
        }
        query = f"<ErrorResponse><Error><Type>Receiver</Type>{error}</Error></ErrorResponse>"
        body = bodies.get(_signing_service(environ), query)
    encoded = body.encode()
    start_response(
        status,
        [
            ("Content-Type", content_type),
            ("Content-Length", str(len(encoded))),
            ("x-amzn-errortype", code),
        ],
    )
    return [encoded]


def _signing_service(environ: Environ) -> str:
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return scope.group(1) if scope else ""
