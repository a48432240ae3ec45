"""The passwords that ECR's registry takes: those that GetAuthorizationToken handed out."""

from datetime import UTC, datetime

from embedded_aws.control_plane.registry.errors import RegistryError
from embedded_aws.ecr_password import expiration_of, make_password

_handed_out: set[str] = set()


def hand_out() -> str:
    """A new one."""
    password = make_password()
    _handed_out.add(password)
    return password


def check(user: str, password: str) -> None:
    """Raises `RegistryError`, as ECR answers, for others, and for those that have run out."""
    if user != "AWS" or password not in _handed_out:
        # https://github.com/aws/aws-cli/issues/5317
        raise RegistryError(400, "DENIED", "Your authorization token is invalid.")
    if expiration_of(password) <= datetime.now(UTC):
        raise RegistryError(
            403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."
        )
