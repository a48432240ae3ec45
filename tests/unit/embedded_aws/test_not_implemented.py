"""What the embedded AWS answers to calls that it lacks, in the protocol of whoever asks."""

import json
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

import pytest

from embedded_aws.control_plane.not_implemented import answering_everything

FLASKS_NOT_FOUND = ("404 NOT FOUND", [("Content-Type", "text/html; charset=utf-8")])


class Asked:
    """What a service answers to a request. `app`: the service's own, in WSGI."""

    def __init__(self, app: Any, service: str, method: str = "POST", **environ: Any) -> None:
        self.told: list[Mapping[str, str]] = []
        content = environ.pop("content", b"")
        answering = answering_everything(app, service, tell=self.told.append)
        self.body = b"".join(
            answering(
                {
                    "REQUEST_METHOD": method,
                    "PATH_INFO": "/v1/things",
                    "CONTENT_LENGTH": str(len(content)),
                    "wsgi.input": BytesIO(content),
                    **environ,
                },
                self._start,
            )
        )

    def _start(self, status: str, headers: list[tuple[str, str]], *_: object) -> None:
        self.status, self.headers = status, dict(headers)


def app_of(status: str, headers: list[tuple[str, str]], body: bytes = b"body") -> Any:
    def app(_: object, start_response: Any) -> Iterable[bytes]:
        start_response(status, headers)
        return [body]

    return app


def lacking(*_: object) -> Iterable[bytes]:
    raise NotImplementedError


def test_what_is_there_is_answered_as_it_is() -> None:
    asked = Asked(app_of("200 OK", [("X-Header", "1")]), "s3")
    assert (asked.status, asked.headers, asked.body) == ("200 OK", {"X-Header": "1"}, b"body")
    assert asked.told == []


@pytest.mark.parametrize("app", [None, lacking, app_of(*FLASKS_NOT_FOUND)])
def test_what_is_lacking_is_told_by_its_name(app: Any) -> None:
    asked = Asked(app, "logs", HTTP_X_AMZ_TARGET="Logs_20140328.PutQueryDefinition")
    assert asked.told == [{"unimplemented": "logs.PutQueryDefinition"}]
    assert asked.status == "501 Not Implemented"
    assert json.loads(asked.body)["message"] == (
        "The embedded AWS does not implement logs.PutQueryDefinition."
    )


@pytest.mark.parametrize(
    "headers",
    [[("Content-Type", "application/xml")], [*FLASKS_NOT_FOUND[1], ("X-Amzn-RequestId", "1")], []],
)
def test_what_the_service_itself_does_not_find_is_not_found(headers: Any) -> None:
    asked = Asked(app_of("404 NOT FOUND", headers), "s3", "GET")
    assert (asked.status, asked.told) == ("404 NOT FOUND", [])


def test_whether_something_is_there_may_be_asked_of_anything() -> None:
    # An answer to HEAD has no body by which it could be told whose it is.
    asked = Asked(app_of(*FLASKS_NOT_FOUND), "s3", "HEAD")
    assert (asked.status, asked.told) == ("404 NOT FOUND", [])
    assert Asked(app_of(*FLASKS_NOT_FOUND), "s3", "GET").told == [
        {"unimplemented": "s3.GET /v1/things"}
    ]


def test_an_action_in_a_form_is_called_by_its_name_and_can_still_be_read() -> None:
    read: list[bytes] = []

    def app(environ: Any, _: object) -> Iterable[bytes]:
        read.append(environ["wsgi.input"].read())
        raise NotImplementedError

    content = b"Action=DescribeThings&Version=1"
    asked = Asked(app, "ec2", CONTENT_TYPE="application/x-www-form-urlencoded", content=content)
    assert asked.told == [{"unimplemented": "ec2.DescribeThings"}]
    assert read == [content]
    without = Asked(
        lacking, "ec2", CONTENT_TYPE="application/x-www-form-urlencoded", content=b"a=1"
    )
    assert without.told == [{"unimplemented": "ec2.POST /v1/things"}]


def test_what_breaks_is_told_with_its_error() -> None:
    def app(*_: object) -> Iterable[bytes]:
        raise KeyError("x")

    asked = Asked(app, "ecs", HTTP_X_AMZ_TARGET="A.CreateService")
    assert asked.told == [{"failed": "ecs.CreateService: KeyError: 'x'"}]
    assert asked.status == "501 Not Implemented"
    assert "broke on ecs.CreateService: KeyError: 'x'" in json.loads(asked.body)["message"]


@pytest.mark.parametrize(
    ("service", "beginning"),
    [("s3", "<Error><Code>"), ("ec2", "<Response><Errors><Error>"), ("rds", "<ErrorResponse")],
)
def test_an_error_is_xml_where_the_protocol_is(service: str, beginning: str) -> None:
    signed = (
        f"AWS4-HMAC-SHA256 Credential=key/20261129/us-west-2/{service}/aws4_request, Signature=1"
    )
    asked = Asked(lacking, service, HTTP_AUTHORIZATION=signed)
    text = asked.body.decode()
    assert text.startswith(beginning)
    assert "<Code>NotImplemented</Code>" in text
    assert "does not implement" in text
    assert asked.headers == {
        "Content-Type": "text/xml",
        "Content-Length": str(len(asked.body)),
        "x-amzn-errortype": "NotImplemented",
    }


def test_an_error_is_json_where_the_request_is() -> None:
    asked = Asked(lacking, "ecs", CONTENT_TYPE="application/x-amz-json-1.1")
    assert json.loads(asked.body)["__type"] == "NotImplemented"
    assert asked.headers["Content-Type"] == "application/x-amz-json-1.1"
