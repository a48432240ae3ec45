"""Whose AWS account the credentials open, before anything is planned in it."""

from typing import TYPE_CHECKING

from prod_e_ops.aws.clients import aws_client, aws_errors, not_aws
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.errors import WrongAccount

if TYPE_CHECKING:
    from prod_e.settings import Environment


async def check_account(environment: "Environment") -> str:
    """The account's number; raises if it cannot be told or is not the settings' `account`."""
    failed = "Cannot determine the AWS account"
    with aws_errors(failed):
        identity = await in_thread(
            lambda: aws_client("sts", region=environment.region).get_caller_identity()
        )
    account = str(identity.get("Account", ""))
    if not account.isdecimal():
        raise not_aws(failed)
    if environment.account is not None and account != environment.account:
        raise WrongAccount(
            f"The credentials belong to the AWS account {account}, but the settings of"
            f' {environment.name} say account = "{environment.account}".',
            details=["Nothing was changed."],
            next_step="Select the right credentials, for example with AWS_PROFILE, or correct"
            " `account` in environments/.",
        )
    return account
