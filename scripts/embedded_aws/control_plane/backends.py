"""What moto keeps of a service, in every account and region."""

from collections.abc import Iterator
from typing import Any


def all_backends(backends: Any) -> Iterator[Any]:
    """Each backend of a service, such as of moto's `ecs_backends`; more may come meanwhile."""
    for of_account in list(backends.values()):
        yield from list(of_account.values())
