"""How many requests load balancers answer, second by second."""

from collections import defaultdict
from collections.abc import Mapping
from typing import TypedDict

from embedded_aws.protocol import RequestReport

SECONDS = 60
"""How far back it is known."""


class Rate(TypedDict):
    """What was answered within a second. `failed`: see `RequestReport`."""

    requests: int
    failed: int


class RequestRates:
    """Those of all load balancers, by their ARNs."""

    def __init__(self) -> None:
        self._last: dict[str, RequestReport] = {}
        self._seconds: dict[str, dict[int, Rate]] = defaultdict(dict)

    def take(self, totals: Mapping[str, RequestReport], *, now: float) -> None:
        """Takes over what was counted by `now`, in seconds since the epoch."""
        second = int(now)
        for arn, total in totals.items():
            before = self._last.get(arn, {"count": 0, "failed": 0})
            if total["count"] < before["count"]:
                # A data plane that is started again counts from nothing.
                before = {"count": 0, "failed": 0}
            self._last[arn] = total
            rates = self._seconds[arn]
            rate = rates.setdefault(second, {"requests": 0, "failed": 0})
            rate["requests"] += total["count"] - before["count"]
            rate["failed"] += total["failed"] - before["failed"]
            for old in [each for each in rates if each < second - SECONDS]:
                del rates[old]

    def history(self, arn: str, *, now: float) -> list[Rate]:
        """The last seconds that are over, the newest last."""
        rates = self._seconds.get(arn, {})
        over = int(now)
        none: Rate = {"requests": 0, "failed": 0}
        return [rates.get(second, none) for second in range(over - SECONDS, over)]

    def total(self, arn: str) -> RequestReport:
        """All that was ever reported of a load balancer."""
        return self._last.get(arn, {"count": 0, "failed": 0})


request_rates = RequestRates()
"""Those of this server."""
