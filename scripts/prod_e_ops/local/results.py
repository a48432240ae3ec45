"""What `prod-e local` prints with `--json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LocalListener:
    """Where a listener is on this machine."""

    load_balancer: str
    """The load balancer's name."""

    port: int
    """The listener's own port."""

    url: str
    """Where it is."""


@dataclass(frozen=True, kw_only=True)
class LocalResult:
    """An environment that is up, printed once it answers; the command goes on."""

    environment: str
    """Its name."""

    seconds: float
    """How long it took to answer."""

    page: str
    """The page for a browser that shows what happens."""

    listeners: Sequence[LocalListener]
    """The listeners that there are."""

    variables: Mapping[str, str]
    """The environment variables that lead AWS's tools there."""
