"""Reads the metrics that moto's CloudWatch has."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedded_aws.control_plane.cloudwatch.metric_data import Datum, seconds_of


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of CloudWatch. `dimensions`: all of them, by name."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]

    def data(self, backend: Any, *, since: float) -> list[tuple[float, Datum]]:
        """Its data from a time on, each with its own time; both in seconds since 1970."""
        found = backend.metric_data.of(self.namespace, self.name, self.dimensions)
        timed = ((seconds_of(datum.timestamp), datum) for datum in found)
        return [(seconds, datum) for seconds, datum in timed if seconds >= since]


def statistic(data: Sequence[Datum], name: str) -> float | None:
    """A statistic of data, by CloudWatch's name of it; None without data, or for one not known.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    if not data:
        return None
    if name.startswith("p"):
        return _percentile(data, float(name[1:]))
    total = sum(datum.sum for datum in data)
    count = sum(datum.sample_count for datum in data)
    known = {
        "Sum": total,
        "Average": total / count if count else None,
        "Minimum": min(datum.min for datum in data),
        "Maximum": max(datum.max for datum in data),
        "SampleCount": count,
    }
    return known.get(name)


def _percentile(data: Sequence[Datum], percent: float) -> float | None:
    counts: Counter[float] = Counter()
    for datum in data:
        counts.update(datum.counts)
    left = max(1, math.ceil(percent / 100 * counts.total()))
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return None  # Statistic sets alone, of which nobody knows.
