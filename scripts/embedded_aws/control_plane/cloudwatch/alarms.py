"""Alarms that ring from the metrics there are, as CloudWatch evaluates them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

import ast
import json
import math
import operator
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from embedded_aws.control_plane.backends import all_backends
from embedded_aws.control_plane.cloudwatch.metric_data import Datum
from embedded_aws.control_plane.cloudwatch.metrics import Metric, statistic

_EVERY_SECONDS = 5.0
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_last = [0.0]


def evaluate() -> None:
    """Sets the state of every metric alarm whose metric has ever had a value.

    An alarm without any is left as it is, so that one can be set by SetAlarmState.
    """
    if time.monotonic() - _last[0] < _EVERY_SECONDS:
        return
    _last[0] = time.monotonic()
    now = datetime.now(UTC).timestamp()
    for backend in all_backends(cloudwatch_backends):
        for alarm in list(backend.alarms.values()):
            if not alarm.rule:
                _evaluate(backend, alarm, now)


def _evaluate(backend: Any, alarm: Any, now: float) -> None:
    period, series = _series(backend, alarm, now)
    if not period or series is None or alarm.comparison_operator not in _COMPARISONS:
        return
    periods = alarm.evaluation_periods
    last = math.floor(now / period)
    values = [series(last - back) for back in range(periods)]
    breaches = _COMPARISONS[alarm.comparison_operator]
    missing = alarm.treat_missing_data or "missing"
    judged = [
        {"breaching": True, "notBreaching": False}.get(missing)
        if value is None
        else breaches(value, alarm.threshold)
        for value in values
    ]
    if all(each is None for each in judged):
        return  # Nothing to go by; where data is merely missing, the state stays.
    needed = alarm.datapoints_to_alarm or periods
    state = "ALARM" if judged.count(True) >= needed else "OK"
    if state != alarm.state_value:
        shown = [round(value, 4) for value in values if value is not None]
        alarm.update_state(
            f"Threshold Crossed: {judged.count(True)} out of the last {periods} datapoints {shown}"
            f" were {alarm.comparison_operator} ({alarm.threshold}).",
            json.dumps({"version": "1.0", "recentDatapoints": shown, "threshold": alarm.threshold}),
            state,
        )


Series = Callable[[int], float | None]
"""A metric's value in the period with that number."""


def _series(backend: Any, alarm: Any, now: float) -> tuple[int, Series | None]:
    def since(period: int) -> float:
        return (math.floor(now / period) - int(alarm.evaluation_periods)) * float(period)

    if alarm.metric_name:
        period = int(alarm.period)
        metric = Metric(
            namespace=alarm.namespace,
            name=alarm.metric_name,
            dimensions={d.name: d.value for d in alarm.dimensions},
        )
        name = alarm.statistic or alarm.extended_statistic
        return period, _metric(
            backend, metric, period=period, statistic_name=name, since=since(period)
        )
    period, known, result = 0, {}, None
    for query in alarm.metric_data_queries:
        if query.metric_stat:
            stat = query.metric_stat
            period = int(stat.period)
            metric = Metric(
                namespace=stat.metric.namespace,
                name=stat.metric.metric_name,
                dimensions={d.name: d.value for d in stat.metric.dimensions},
            )
            known[query.id] = _metric(
                backend, metric, period=period, statistic_name=stat.stat, since=since(period)
            )
            if query.return_data in (True, "true"):
                result = query.id
    for query in alarm.metric_data_queries:
        if query.expression:
            known[query.id] = _expression(query.expression, known)
            if query.return_data in (True, "true", None):
                result = query.id
    return period, known.get(result) if result else None


def _metric(
    backend: Any, metric: Metric, *, period: int, statistic_name: str, since: float
) -> Series:
    buckets: dict[int, list[Datum]] = {}
    for seconds, datum in metric.data(backend, since=since):
        buckets.setdefault(math.floor(seconds / period), []).append(datum)
    return lambda number: statistic(buckets.get(number, []), statistic_name)


def _expression(text: str, known: Mapping[str, Series]) -> Series:
    """Metric math: numbers, `+ - * /`, brackets, other series and FILL."""
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    tree = ast.parse(text.strip(), mode="eval").body

    def value(node: ast.expr, number: int) -> float | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in known:
            return known[node.id](number)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "FILL":
            filled = value(node.args[0], number)
            return value(node.args[1], number) if filled is None else filled
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            left, right = value(node.left, number), value(node.right, number)
            if left is None or right is None or (isinstance(node.op, ast.Div) and right == 0):
                return None
            return _OPERATORS[type(node.op)](left, right)
        return None

    return lambda number: value(tree, number)
