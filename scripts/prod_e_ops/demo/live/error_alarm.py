"""The alarm on a service's errors, which rolls a deployment back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from prod_e_ops.demo.checks import Clients

PERIOD_SECONDS = 10
"""In place of the minute for which AWS counts the answers of a load balancer."""

_SUFFIX = "-5xx"
_ANSWERED_ONLY = frozenset(
    {
        "AlarmArn",
        "AlarmConfigurationUpdatedTimestamp",
        "EvaluationState",
        "StateReason",
        "StateReasonData",
        "StateTransitionedTimestamp",
        "StateUpdatedTimestamp",
        "StateValue",
    }
)
"""What DescribeAlarms tells of an alarm and PutMetricAlarm does not take."""


@dataclass(frozen=True, kw_only=True)
class ErrorAlarm:
    """One that a deployment of a service watches. `settings`: what PutMetricAlarm takes."""

    settings: Mapping[str, Any]
    clients: Clients = field(repr=False)

    @classmethod
    def of(cls, clients: Clients, *, cluster: str, service: str) -> "ErrorAlarm | None":
        """That of a service; None if its deployments watch none."""
        (described,) = clients("ecs").describe_services(cluster=cluster, services=[service])[
            "services"
        ]
        watched = described["deploymentConfiguration"].get("alarms") or {}
        names = [name for name in watched.get("alarmNames", ()) if name.endswith(_SUFFIX)]
        if not names or not watched.get("enable"):
            return None
        found = clients("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
        return next(
            (
                cls(
                    settings={k: v for k, v in alarm.items() if k not in _ANSWERED_ONLY},
                    clients=clients,
                )
                for alarm in found
                if alarm.get("Metrics")
            ),
            None,
        )

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.settings["AlarmName"])

    @property
    def periods(self) -> int:
        """For how many periods in a row errors must be too many."""
        return int(self.settings["EvaluationPeriods"])

    @contextmanager
    def quick(self) -> Iterator[None]:
        """Its periods are shorter within the block, and nothing else of it is otherwise."""
        cloudwatch = self.clients("cloudwatch")
        cloudwatch.put_metric_alarm(
            **{**self.settings, "Metrics": [_quick(each) for each in self.settings["Metrics"]]}
        )
        try:
            yield
        finally:
            cloudwatch.put_metric_alarm(**self.settings)


def _quick(query: Mapping[str, Any]) -> Mapping[str, Any]:
    if "MetricStat" not in query:
        return query
    return {**query, "MetricStat": {**query["MetricStat"], "Period": PERIOD_SECONDS}}
