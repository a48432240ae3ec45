"""What a service's log tells of its database."""

from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)

from prod_e.monitoring.metric import Metric
from prod_e.monitoring.watch import Watch
from prod_e.service.fargate_service import FargateService

_IS_AWAY = '{ $.database = "unavailable" }'
_ANSWER = '{ ($.status = 503) && ($.code = "database_unavailable") }'


def watch_database_log(service: FargateService, watch: Watch) -> Metric:
    """An alarm that rings while the log says that the service's database is away.

    It rolls nothing back: no other task would reach it either. Returns how many requests were
    answered 503 for that reason, which the log tells too. The log is JSON, a line an event:
    `"database": "unavailable"` every few seconds while it is away, and `"status": 503` with
    `"code": "database_unavailable"` for each such answer. A log without these rings nothing.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
    """
    away = _counted(service, watch, "database-unavailable", _IS_AWAY)
    answers = _counted(service, watch, "database-unavailable-answers", _ANSWER)
    watch.alarms.metric_alarm(
        f"{watch.id}-database-unavailable",
        "The database is away: requests that need it are answered 503",
        away,
        threshold=0,
        periods=1,
        missing="notBreaching",  # the log says nothing of it
    )
    watch.dashboard.add(
        f"{watch.id}: database away", [answers.widget_row("503"), away.widget_row("log lines")]
    )
    return answers


def _counted(service: FargateService, watch: Watch, kind: str, pattern: str) -> Metric:
    """How many lines of the log match a pattern."""
    metric = Metric(namespace=watch.name, name=f"{watch.id}-{kind}", dimensions={}, statistic="Sum")
    CloudwatchLogMetricFilter(
        watch.scope,
        f"{metric.name}-filter",
        name=f"{watch.name}-{metric.name}",
        log_group_name=service.log_group.name,
        pattern=pattern,
        metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
            namespace=metric.namespace, name=metric.name, value="1", unit="Count"
        ),
    )
    return metric
