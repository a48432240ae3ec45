"""What answers in AWS's stead is told, whatever botocore makes of it."""

from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from prod_e_ops.aws.clients import aws_client, aws_errors
from prod_e_ops.errors import AwsFailed

PAGE = b"<!DOCTYPE html><html><body><h1>Please sign in</h1></body></html>"


def answering(client: Any, body: bytes) -> None:
    """Has a client get this body, with status 200, in place of any answer."""

    class Raw:
        def stream(self, **_: object) -> list[bytes]:
            return [body]

    client.meta.events.register(
        "before-send", lambda request, **_: AWSResponse(request.url, 200, HTTPHeaders(), Raw())
    )


@pytest.mark.parametrize(
    ("service", "operation"),
    [("sts", "get_caller_identity"), ("ec2", "describe_vpcs"), ("ecs", "list_clusters")],
)
@pytest.mark.parametrize("body", [PAGE, b"\x00\xff{<\x1b[31m", b"", b"[1]"])
def test_what_is_no_answer_of_aws_is_told_or_read_as_nothing(
    service: Any, operation: str, body: bytes
) -> None:
    client = boto3.client(
        service, region_name="us-west-2", aws_access_key_id="a", aws_secret_access_key="b"
    )
    answering(client, body)
    try:
        with aws_errors("It cannot be told"):
            answer = getattr(client, operation)()
    except AwsFailed as error:
        assert error.message == (
            "It cannot be told: what answered is not AWS, or its answer was cut."
        )
        assert "sign-in page" in str(error.next_step)
    else:
        assert not any(answer[key] for key in answer if key != "ResponseMetadata")
    client.close()


@pytest.mark.parametrize("body", [PAGE, b"\x00\xff{<\x1b[31m", b"[1]"])
def test_what_is_no_json_is_no_answer_with_nothing_in_it(
    monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    client = aws_client("ecs", region="us-west-2")
    answering(client, body)
    with (
        pytest.raises(AwsFailed, match="what answered is not AWS"),
        aws_errors("It cannot be told"),
    ):
        client.describe_services(cluster="some", services=["some"])
    client.close()


def test_a_mistake_of_our_own_is_not_taken_for_an_answer() -> None:
    with pytest.raises(KeyError), aws_errors("It cannot be told"):
        raise KeyError("a")
