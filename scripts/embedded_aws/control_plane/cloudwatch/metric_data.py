"""What CloudWatch keeps of the values that it is given.

Not each value: what those of a metric within five seconds come to, and after five minutes what
those within a minute do, for a day. So the memory that it takes does not grow with the requests.

AWS keeps seconds for three hours and minutes for fifteen days:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#metrics-retention
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import Dimension, MetricAggregatedDatum

_SECONDS = 5
_MINUTE = 60
_SECONDS_KEPT = 5 * _MINUTE
_MINUTES_KEPT = 24 * 60 * _MINUTE
"""An alarm looks at a day at the most, by periods of less than an hour:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html."""

_MOST_VALUES = 150
"""Different ones that are told apart, as in one datum of PutMetricData."""


class Datum(MetricAggregatedDatum):  # type: ignore[misc]
    """What some values of a metric come to. `timestamp`: of the first that was put.

    `counts`: how often each value came, for percentiles; the values have two significant digits
    where there are many. Those of statistic sets are not in it.
    """

    __slots__ = (
        "counts",
        "dimensions",
        "max",
        "min",
        "name",
        "namespace",
        "sample_count",
        "sum",
        "timestamp",
        "unit",
    )

    def __init__(self, of: Any, dimensions: Sequence[Dimension]) -> None:
        self.namespace, self.name, self.unit = of.namespace, of.name, of.unit
        self.dimensions, self.timestamp = dimensions, of.timestamp
        self.min, self.max, self.sum, self.sample_count = math.inf, -math.inf, 0.0, 0.0
        self.counts: dict[float, int] = {}

    def take(self, other: Any) -> None:
        """Adds a datum of moto's, or another of these."""
        if hasattr(other, "value"):
            least = most = total = other.value
            count, counts = 1.0, {other.value: 1}
        else:
            least, most, total, count = other.min, other.max, other.sum, other.sample_count
            counts = getattr(other, "counts", {})
        self.min, self.max = min(self.min, least), max(self.max, most)
        self.sum += total
        self.sample_count += count
        for value, times in counts.items():
            self.counts[value] = self.counts.get(value, 0) + times
        if len(self.counts) > _MOST_VALUES:
            exact, self.counts = self.counts, {}
            for value, times in exact.items():
                near = float(f"{value:.1e}")
                self.counts[near] = self.counts.get(near, 0) + times


@dataclass(kw_only=True)
class _Series:
    """A metric in one unit. `recent`, `minutes`: by the number of their seconds or minute."""

    dimensions: Sequence[Dimension]
    recent: dict[int, Datum] = field(default_factory=dict)
    minutes: dict[int, Datum] = field(default_factory=dict)

    def add(self, datum: Any) -> None:
        self._take(self.recent, math.floor(seconds_of(datum.timestamp) / _SECONDS), datum)

    def sum_up(self, now: float) -> None:
        for number in [n for n in self.recent if n * _SECONDS < now - _SECONDS_KEPT]:
            self._take(self.minutes, number * _SECONDS // _MINUTE, self.recent.pop(number))
        for number in [n for n in self.minutes if n * _MINUTE < now - _MINUTES_KEPT]:
            del self.minutes[number]

    def data(self) -> Iterator[Datum]:
        yield from self.minutes.values()
        yield from self.recent.values()

    def _take(self, data: dict[int, Datum], number: int, datum: Any) -> None:
        if number not in data:
            data[number] = Datum(datum, self.dimensions)
        data[number].take(datum)


class MetricData:
    """Takes the place of the list in which moto's CloudWatch keeps each value."""

    def __init__(self) -> None:
        self._series: dict[tuple[object, ...], _Series] = {}
        self._summed_up = -math.inf

    def append(self, datum: Any) -> None:
        """Takes over a value or a statistic set, as moto notes it down."""
        named = tuple(sorted((each.name, each.value) for each in datum.dimensions))
        series = self._series.setdefault(
            (datum.namespace, datum.name, named, datum.unit), _Series(dimensions=datum.dimensions)
        )
        series.add(datum)
        now = time.time()
        if now - self._summed_up >= _MINUTE:
            self._summed_up = now
            for key, each in list(self._series.items()):
                each.sum_up(now)
                if not each.recent and not each.minutes:
                    del self._series[key]

    def __add__(self, others: list[Any]) -> list[Any]:
        """All of them, and those that moto makes up when it is asked."""
        return [datum for each in self._series.values() for datum in each.data()] + others

    def of(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> Iterator[Datum]:
        """Those of a metric, in any unit."""
        named = tuple(sorted(dimensions.items()))
        for key, series in self._series.items():
            if key[:3] == (namespace, name, named):
                yield from series.data()


def seconds_of(moment: datetime) -> float:
    """A moment as moto has it, in UTC whether it says so or not, in seconds since 1970."""
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
