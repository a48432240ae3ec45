"""Reads the metrics that moto's CloudWatch has."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of CloudWatch. `dimensions`: all of them, by name."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]

    def values(self, backend: Any) -> list[tuple[float, float]]:
        """All values of it, each with its time in seconds since 1970."""
        return [
            (_seconds(datum.timestamp), datum.value)
            for datum in backend.metric_data
            if datum.name == self.name
            and datum.namespace == self.namespace
            and hasattr(datum, "value")
            and {d.name: d.value for d in datum.dimensions} == self.dimensions
        ]


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
