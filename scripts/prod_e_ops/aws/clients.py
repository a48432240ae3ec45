"""How AWS is asked: clients that do not wait for long, and its errors as messages."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, overload

from prod_e_ops.errors import (
    AccessDenied,
    AwsFailed,
    AwsUnreachable,
    CredentialsMissing,
    CredentialsRefused,
    UserMistake,
)

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sts import STSClient

# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
_CREDENTIALS_REFUSED = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_NOT_ALLOWED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


@overload
def aws_client(service: Literal["ecr"], *, region: str) -> "ECRClient": ...
@overload
def aws_client(service: Literal["ecs"], *, region: str) -> "ECSClient": ...
@overload
def aws_client(service: Literal["elbv2"], *, region: str) -> "ElasticLoadBalancingv2Client": ...
@overload
def aws_client(service: Literal["events"], *, region: str) -> "EventBridgeClient": ...
@overload
def aws_client(service: Literal["logs"], *, region: str) -> "CloudWatchLogsClient": ...
@overload
def aws_client(service: Literal["sts"], *, region: str) -> "STSClient": ...
@overload
def aws_client(service: str, *, region: str) -> Any: ...
def aws_client(service: str, *, region: str) -> Any:
    """A boto3 client that gives up within half a minute; threads may share it.

    `service`: boto3's name, such as `ecr`. Raises what `aws_errors` maps.
    """
    import boto3
    from botocore.config import Config

    # A session of its own: boto3's common one must not be used by two threads at once.
    session: Any = boto3.Session()
    client = session.client(
        service,
        region_name=region,
        config=Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}),
    )
    client.meta.events.register("after-call", _refuse_what_is_not_json)
    return client


class _NotJson(Exception):
    """What answered is not AWS."""


def _refuse_what_is_not_json(http_response: Any, model: Any, **_: Any) -> None:
    # botocore takes it for an answer without anything in it.
    is_json = model.service_model.metadata["protocol"] in ("json", "rest-json")
    body = http_response.content.lstrip() if is_json and model.output_shape else b""
    if body and not body.startswith(b"{") and http_response.status_code < 300:
        raise _NotJson


@contextmanager
def aws_errors(failed: str, *, left: str = "nothing was changed") -> Iterator[None]:
    """Tells whatever goes wrong with AWS inside of it as a message.

    `failed`: the beginning of a sentence, such as `Cannot list the images of prod-e-backend`.
    `left`: in what state that leaves things, a sentence without its capital and its full stop.

    Raises `UserMistake` for credentials that are missing, refused or not allowed to, and `OpsError`
    for all else.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
        SSOError,
        TokenRetrievalError,
    )
    from botocore.exceptions import ConnectionError as NoConnection

    state = left[:1].upper() + left[1:]
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise CredentialsMissing(failed) from None
    except ProfileNotFound as error:
        raise UserMistake(
            f"{failed}: {error}.",
            next_step="Set AWS_PROFILE to one of `aws configure list-profiles`.",
        ) from None
    except (SSOError, TokenRetrievalError) as error:
        raise _refused(failed, error) from None
    except ClientError as error:
        code = error_code(error)
        if code in _CREDENTIALS_REFUSED:
            raise _refused(failed, error) from None
        if code in _NOT_ALLOWED:
            raise AccessDenied(
                f"{failed}: the credentials may not do that.",
                details=[str(error), f"{state}."],
                next_step="Have the action allowed, or select other credentials, for example with"
                " AWS_PROFILE.",
            ) from None
        raise AwsFailed(
            f"{failed}: {error}",
            details=[f"{state}."],
            next_step="Fix what AWS reports, or try again later.",
        ) from None
    except (NoConnection, HTTPClientError) as error:
        raise AwsUnreachable(
            f"{failed}: AWS cannot be reached: {error}",
            details=[f"{state}."],
            next_step="Check the network (and AWS_ENDPOINT_URL, if set) and run the command again.",
        ) from None
    except BotoCoreError as error:
        raise AwsFailed(f"{failed}: {error}", details=[f"{state}."]) from None
    except Exception as error:
        if not (isinstance(error, _NotJson) or _is_of_the_parser(error)):
            raise
        raise not_aws(failed, left=left) from None


def error_code(error: Exception) -> str:
    """AWS's code of a `ClientError`, such as `ImageNotFoundException`."""
    response: dict[str, dict[str, str]] = getattr(error, "response", {})
    return response.get("Error", {}).get("Code", "")


def not_aws(failed: str, *, left: str = "nothing was changed") -> AwsFailed:
    """The error of an answer that AWS does not give. `failed`, `left`: see `aws_errors`."""
    return AwsFailed(
        f"{failed}: what answered is not AWS, or its answer was cut.",
        details=[f"{left[:1].upper()}{left[1:]}."],
        next_step="Look for a proxy or a sign-in page between here and AWS (and AWS_ENDPOINT_URL,"
        " if set), and run the command again.",
    )


def _is_of_the_parser(error: Exception) -> bool:
    """Whether botocore could not read an answer: it then raises whatever comes, a KeyError say."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") == "botocore.parsers" for frame, _ in frames)


def _refused(failed: str, error: Exception) -> CredentialsRefused:
    return CredentialsRefused(
        f"{failed}: AWS does not accept the credentials ({error}).",
        next_step="Renew them, for example with `aws sso login`, and run the command again.",
    )
