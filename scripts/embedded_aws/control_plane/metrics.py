"""Reads the metrics that moto's CloudWatch has."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

_LATE_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of CloudWatch. `dimensions`: all of them, by name."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]

    def values(self, backend: Any, *, since: float) -> list[tuple[float, float]]:
        """Its values from a time on, each with its own time; both in seconds since 1970."""
        found = []
        # What comes late is not far from its place.
        for datum in reversed(backend.metric_data):
            seconds = _seconds(datum.timestamp)
            if seconds < since - _LATE_SECONDS:
                break
            if (
                seconds >= since
                and datum.name == self.name
                and datum.namespace == self.namespace
                and hasattr(datum, "value")
                and {d.name: d.value for d in datum.dimensions} == self.dimensions
            ):
                found.append((seconds, datum.value))
        return found


def statistic(values: list[float], name: str) -> float | None:
    """A statistic of values, by CloudWatch's name of it; None without values.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    if not values:
        return None
    if name.startswith("p"):
        ordered = sorted(values)
        return ordered[min(len(ordered) - 1, math.ceil(float(name[1:]) / 100 * len(ordered)) - 1)]
    of: Mapping[str, Callable[[list[float]], float]] = {
        "Sum": sum,
        "Average": lambda v: sum(v) / len(v),
        "Minimum": min,
        "Maximum": max,
        "SampleCount": len,
    }
    return of[name](values) if name in of else None


def _seconds(moment: Any) -> float:
    seconds: float = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return seconds
