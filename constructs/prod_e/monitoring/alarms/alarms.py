"""How alarms are made; which there are is said in the modules `..._alarms`."""

from collections.abc import Mapping
from typing import Literal

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import (
    CloudwatchMetricAlarm,
    CloudwatchMetricAlarmMetricQuery,
    CloudwatchMetricAlarmMetricQueryMetric,
)
from constructs import Construct

from prod_e.monitoring.metric import PERIOD_SECONDS, Metric

Missing = Literal["breaching", "notBreaching", "ignore", "missing"]
"""What an alarm makes of a minute without a value:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html"""


class Alarms:
    """Makes alarms below `scope`, named `<name>-<id>`, that tell a topic when they ring and stop.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
    """

    def __init__(self, scope: Construct, *, name: str, topic_arn: str) -> None:
        self._scope = scope
        self._name = name
        self._topic_arn = topic_arn

    def metric_alarm(
        self,
        id: str,
        description: str,
        metric: Metric,
        *,
        threshold: float,
        periods: int,
        missing: Missing,
        below: bool = False,
        after: ITerraformDependable | None = None,
    ) -> CloudwatchMetricAlarm:
        """Rings when a metric is above (or `below`) its threshold for `periods` minutes.

        `after`: what must be there first, where the alarm would ring without it.
        """
        is_percentile = metric.statistic.startswith("p")
        return CloudwatchMetricAlarm(
            self._scope,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=description,
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=metric.dimensions,
            statistic=None if is_percentile else metric.statistic,
            extended_statistic=metric.statistic if is_percentile else None,
            period=PERIOD_SECONDS,
            comparison_operator="LessThanThreshold" if below else "GreaterThanThreshold",
            threshold=threshold,
            evaluation_periods=periods,
            treat_missing_data=missing,
            alarm_actions=[self._topic_arn],
            ok_actions=[self._topic_arn],
            depends_on=[after] if after else None,
        )

    def math_alarm(
        self,
        id: str,
        description: str,
        expression: str,
        metrics: Mapping[str, Metric],
        *,
        threshold: float,
        periods: int,
        missing: Missing,
    ) -> CloudwatchMetricAlarm:
        """Rings when an expression of metrics is above its threshold for `periods` minutes."""
        return CloudwatchMetricAlarm(
            self._scope,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=description,
            metric_query=[
                CloudwatchMetricAlarmMetricQuery(
                    id="result", expression=expression, label=description, return_data=True
                ),
                *(
                    CloudwatchMetricAlarmMetricQuery(
                        id=key,
                        metric=CloudwatchMetricAlarmMetricQueryMetric(
                            namespace=metric.namespace,
                            metric_name=metric.name,
                            dimensions=metric.dimensions,
                            stat=metric.statistic,
                            period=PERIOD_SECONDS,
                        ),
                    )
                    for key, metric in metrics.items()
                ),
            ],
            comparison_operator="GreaterThanThreshold",
            threshold=threshold,
            evaluation_periods=periods,
            treat_missing_data=missing,
            alarm_actions=[self._topic_arn],
            ok_actions=[self._topic_arn],
        )
