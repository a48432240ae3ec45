"""How many connections the tasks of an environment may have to its database."""

from collections.abc import Mapping
from dataclasses import dataclass

_SIZES = {"micro": 1, "small": 2, "medium": 4, "large": 8}
_GIB_OF_LARGE = {
    **dict.fromkeys(("t3", "t4g"), 8),
    **dict.fromkeys(("m5", "m5d", "m6g", "m6gd", "m6i", "m6id", "m7g", "m7i", "m8g"), 8),
    **dict.fromkeys(("r5", "r5d", "r6g", "r6gd", "r6i", "r6id", "r7g", "r7i", "r8g"), 16),
}
"""Memory of a family's size `large`: https://aws.amazon.com/rds/instance-types"""

_TAKEN_BYTES = 410 * 1024**2
"""What RDS and its operating system take of an instance's memory, which AWS does not tell. Somebody
read 181 connections off a db.t4g.small, whose 2 GiB would give 225:
https://github.com/kirill-markin/flashcards-open-source-app/pull/1657"""

_BYTES_PER_CONNECTION = 9_531_392
_MOST_CONNECTIONS = 5_000
_RESERVED = 5
"""Three for superusers and two for RDS itself."""

_MOST_OF_A_TASK = 10
_FOR_HEALTH = 1
"""A connection of its own, for which no request has to wait."""


def connections_allowed(instance_class: str) -> int | None:
    """How many connections an RDS instance for PostgreSQL allows to its users.

    `None` for a class that is not known here.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
    """
    _, family, size = instance_class.split(".")
    if family not in _GIB_OF_LARGE:
        return None
    if size in _SIZES and (size == "large" or family.startswith("t")):
        gib = _GIB_OF_LARGE[family] * _SIZES[size] / _SIZES["large"]
    elif size.endswith("xlarge") and (times := size.removesuffix("xlarge") or "1").isdecimal():
        gib = _GIB_OF_LARGE[family] * 2 * int(times)
    else:
        return None
    connections = int((gib * 1024**3 - _TAKEN_BYTES) / _BYTES_PER_CONNECTION)
    return min(connections, _MOST_CONNECTIONS) - _RESERVED


@dataclass(frozen=True, kw_only=True)
class ConnectingService:
    """A service that reaches the database.

    `given`: the most connections of a task, if somebody says so.
    """

    max_tasks: int
    given: int | None


@dataclass(frozen=True, kw_only=True)
class Connections:
    """All services that share a database. `allowed`: to all of them together, if that is known.

    A deployment runs every task twice: the old ones stop when the new ones are healthy.
    """

    allowed: int | None
    services: Mapping[str, ConnectingService]

    def of(self, key: str) -> int:
        """The most connections of one task of the service, besides the one for health."""
        given = self.services[key].given
        return given if given is not None else max(1, min(_MOST_OF_A_TASK, self._left()))

    def problem(self) -> str | None:
        """Why the database allows too few, with the arithmetic."""
        terms = [
            f"{service.max_tasks} tasks of {key} x ({self.of(key)} + {_FOR_HEALTH} for health) x 2"
            for key, service in self.services.items()
        ]
        needed = sum(
            2 * service.max_tasks * (self.of(key) + _FOR_HEALTH)
            for key, service in self.services.items()
        )
        if self.allowed is None or needed <= self.allowed:
            return None
        return (
            f"allows some {self.allowed} connections, and a deployment may need {needed}:"
            f" {' + '.join(terms)}"
        )

    def _left(self) -> int:
        """What a task may have of a service that says nothing."""
        if self.allowed is None:
            return _MOST_OF_A_TASK
        silent = sum(s.max_tasks for s in self.services.values() if s.given is None)
        taken = sum(
            2 * s.max_tasks * (s.given + _FOR_HEALTH)
            for s in self.services.values()
            if s.given is not None
        )
        return (self.allowed - taken) // (2 * silent) - _FOR_HEALTH
