"""The embedded AWS hands out passwords of the form that the real ECR's have."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from embedded_aws import EmbeddedAws
from embedded_aws.ecr_password import make_password
from tests.support.aws.aws_clients import client_of

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import AuthorizationDataTypeDef


def authorization(aws: EmbeddedAws) -> "AuthorizationDataTypeDef":
    client: ECRClient = client_of(aws, "ecr")
    try:
        (data,) = client.get_authorization_token()["authorizationData"]
    finally:
        client.close()
    return data


def test_a_password_is_base64_of_a_json_text_that_says_when_it_expires(aws: EmbeddedAws) -> None:
    data = authorization(aws)
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    # Programs take one that begins like this for ECR's.
    assert password.startswith("ey")
    assert 1_800 < len(password) < 2_200
    values = json.loads(base64.b64decode(password, validate=True))
    assert list(values) == ["payload", "datakey", "version", "type", "expiration"]
    assert (values["version"], values["type"]) == ("2", "DATA_KEY")
    for key in ("payload", "datakey"):
        assert base64.b64decode(values[key], validate=True)
    expiration = datetime.fromtimestamp(values["expiration"], UTC)
    assert expiration > datetime.now(UTC)
    assert expiration == data["expiresAt"]


def test_no_two_passwords_are_the_same() -> None:
    assert len({make_password() for _ in range(3)}) == 3


def test_a_password_holds_for_twelve_hours() -> None:
    values = json.loads(base64.b64decode(make_password()))
    left = datetime.fromtimestamp(values["expiration"], UTC) - datetime.now(UTC)
    assert timedelta(hours=11, minutes=59) < left <= timedelta(hours=12)
