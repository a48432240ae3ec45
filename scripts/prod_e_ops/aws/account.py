"""Whose AWS account the credentials open, before anything is planned in it."""

import asyncio
from typing import TYPE_CHECKING

from prod_e_ops.aws.clients import aws_client, aws_errors
from prod_e_ops.errors import WrongAccount

if TYPE_CHECKING:
    from prod_e.settings import Environment


async def check_account(environment: "Environment") -> str:
    """The account's number; raises if it cannot be told or is not the settings' `account`."""
    account = await asyncio.to_thread(_ask, environment)
    if environment.account is not None and account != environment.account:
        raise WrongAccount(
            f"The credentials belong to the AWS account {account}, but the settings of"
            f' {environment.name} say account = "{environment.account}". Nothing was changed.',
            next_step="Select the right credentials, for example with AWS_PROFILE, or correct"
            " `account` in environments/.",
        )
    return account


def _ask(environment: "Environment") -> str:
    with aws_errors("The AWS account cannot be told"):
        client = aws_client("sts", region=environment.region)
        return str(client.get_caller_identity()["Account"])
