"""What CloudWatch keeps of values does not grow with their number, and its statistics are right."""

import random
import statistics
from collections.abc import Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum

from embedded_aws.control_plane.cloudwatch import metric_data
from embedded_aws.control_plane.cloudwatch.metric_data import Datum, MetricData
from embedded_aws.control_plane.cloudwatch.metrics import Metric, statistic

MOMENT = 1_800_000_000.0
"""At the beginning of a minute."""

METRIC = Metric(namespace="N", name="seconds", dimensions={"of": "web"})
NO_OTHERS: list[Any] = []
DIMENSIONS = [{"Name": "of", "Value": "web"}]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake: Any = SimpleNamespace(now=MOMENT)
    fake.time = lambda: fake.now
    monkeypatch.setattr(metric_data, "time", fake)
    return fake


def value(number: float, *, at: float = MOMENT) -> MetricDatum:
    moment = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
    return MetricDatum("N", "seconds", number, DIMENSIONS, moment, "Seconds")


def kept(data: MetricData, *, since: float = 0) -> list[Datum]:
    backend = SimpleNamespace(metric_data=data)
    return [datum for _, datum in METRIC.data(backend, since=since)]


def of(values: Iterable[float]) -> MetricData:
    data = MetricData()
    for each in values:
        data.append(value(each))
    return data


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sum", 10.0),
        ("Average", 2.5),
        ("Minimum", 1.0),
        ("Maximum", 4.0),
        ("SampleCount", 4.0),
        ("p50", 2.0),
        ("p99", 4.0),
        ("p0.0", 1.0),
        ("TM90", None),
    ],
)
def test_a_statistic_is_that_of_the_values(name: str, expected: float | None) -> None:
    assert statistic(kept(of([4, 1, 3, 2])), name) == expected


def test_without_values_there_is_no_statistic() -> None:
    assert statistic([], "Sum") is None


def test_many_values_are_one_datum_whose_percentiles_are_near() -> None:
    chance = random.Random(1)
    values = [chance.lognormvariate(-2, 1) for _ in range(5_000)]
    (datum,) = kept(of(values))
    assert len(datum.counts) < 500
    exact = statistics.quantiles(values, n=100)
    for percent in (50, 90, 99):
        assert statistic([datum], f"p{percent}") == pytest.approx(exact[percent - 1], rel=0.05)
    assert statistic([datum], "Sum") == pytest.approx(sum(values))
    assert statistic([datum], "SampleCount") == 5_000


def test_a_statistic_set_counts_for_all_but_percentiles() -> None:
    data = of([10.0])
    moment = value(1).timestamp
    data.append(MetricAggregatedDatum("N", "seconds", 1, 40, 4, 50, DIMENSIONS, moment, "Seconds"))
    found = {name: statistic(kept(data), name) for name in ("Sum", "SampleCount", "Maximum", "p50")}
    assert found == {"Sum": 60.0, "SampleCount": 5.0, "Maximum": 40, "p50": 10.0}
    only = MetricData()
    only.append(MetricAggregatedDatum("N", "seconds", 1, 40, 4, 50, DIMENSIONS, moment, "Seconds"))
    assert statistic(kept(only), "p50") is None


def test_seconds_are_told_apart_for_minutes_and_minutes_for_a_day(clock: Any) -> None:
    data = MetricData()
    for second in range(0, 120, 5):
        data.append(value(1, at=MOMENT + second))
    assert len(kept(data)) == 24
    assert sum(datum.sum for datum in kept(data, since=MOMENT + 60)) == 12

    clock.now = MOMENT + 20 * 60
    data.append(value(1, at=clock.now))
    assert [datum.sum for datum in kept(data)] == [12, 12, 1]

    clock.now = MOMENT + 25 * 60 * 60
    data.append(value(1, at=clock.now))
    assert [datum.sum for datum in kept(data)] == [1]


def test_a_day_of_values_takes_no_more_room_than_its_minutes(clock: Any) -> None:
    data = MetricData()
    for second in range(0, 26 * 60 * 60, 20):
        clock.now = MOMENT + second
        data.append(value(second % 7, at=clock.now))
    assert 24 * 60 <= len(kept(data)) <= 24 * 60 + 100


def test_a_metric_that_gets_no_more_values_goes(clock: Any) -> None:
    data = of([1])
    clock.now = MOMENT + 25 * 60 * 60
    moment = datetime.fromtimestamp(clock.now, UTC).replace(tzinfo=None)
    data.append(MetricDatum("N", "another", 1, DIMENSIONS, moment, "Seconds"))
    assert [datum.name for datum in data + NO_OTHERS] == ["another"]


def test_metrics_are_told_apart_by_name_dimensions_and_unit() -> None:
    data = of([1])
    for name, dimensions in (("another", DIMENSIONS), ("seconds", []), ("seconds", DIMENSIONS)):
        moment = value(1).timestamp
        data.append(MetricDatum("N", name, 2, dimensions, moment, "Count"))
    assert [(datum.sum, datum.unit) for datum in kept(data)] == [(1, "Seconds"), (2, "Count")]
    assert len(data + NO_OTHERS) == 4


def test_a_datum_says_when_its_first_value_was() -> None:
    data = MetricData()
    for second in (1.5, 3.0):
        data.append(value(1, at=MOMENT + second))
    ((seconds, datum),) = METRIC.data(SimpleNamespace(metric_data=data), since=MOMENT + 1)
    assert (seconds, datum.sum) == (MOMENT + 1.5, 2)
    assert not METRIC.data(SimpleNamespace(metric_data=data), since=MOMENT + 2)
