"""Whose AWS account the credentials open, before anything is planned in it."""

import asyncio
from typing import TYPE_CHECKING

from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.terraform_failures import no_credentials

if TYPE_CHECKING:
    from prod_e.settings import Environment


async def check_account(environment: "Environment") -> str:
    """The account's number; raises if it cannot be told or is not the settings' `account`."""
    account = await asyncio.to_thread(_ask, environment)
    if environment.account is not None and account != environment.account:
        raise UserMistake(
            f"The credentials belong to the AWS account {account}, but the settings of"
            f" {environment.name} say account = \"{environment.account}\". Nothing was changed.",
            next_step="Select the right credentials, for example with AWS_PROFILE, or correct"
            " `account` in environments/.",
        )
    return account


def _ask(environment: "Environment") -> str:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )
    from botocore.exceptions import ConnectionError as NoConnection

    asking = "The AWS account cannot be told"
    try:
        client = boto3.client(
            "sts",
            region_name=environment.region,
            config=Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}),
        )
        return str(client.get_caller_identity()["Account"])
    except (NoCredentialsError, PartialCredentialsError):
        raise no_credentials(asking) from None
    except ProfileNotFound as error:
        raise UserMistake(
            f"{asking}: {error}.",
            next_step="Set AWS_PROFILE to one of `aws configure list-profiles`.",
        ) from None
    except ClientError as error:
        raise UserMistake(
            f"{asking}: AWS does not accept the credentials ({error}).",
            next_step="Renew them, for example with `aws sso login`, and run the command again.",
        ) from None
    except (NoConnection, HTTPClientError) as error:
        raise OpsError(
            f"AWS cannot be reached: {error}",
            next_step="Check the network (and AWS_ENDPOINT_URL, if set) and run the command again;"
            " nothing was changed.",
        ) from None
    except BotoCoreError as error:
        raise OpsError(f"{asking}: {error}") from None
