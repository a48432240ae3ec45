"""What the registry refuses, in the words of ECR."""

import json


class RegistryError(Exception):
    """`status` is HTTP's; `code` is one of the distribution specification's.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def as_json(self) -> str:
        """The body of the answer."""
        return json.dumps({"errors": [{"code": self.code, "message": str(self)}]})


def no_such_repository(name: str, account_id: str) -> RegistryError:
    """A repository is not created by a push to it."""
    return RegistryError(
        404,
        "NAME_UNKNOWN",
        f"The repository with name '{name}' does not exist in the registry with id '{account_id}'",
    )


def digest_invalid(digest: str, found: str) -> RegistryError:
    """What was sent is not what its digest says."""
    return RegistryError(400, "DIGEST_INVALID", f"The content has the digest {found}, not {digest}")
