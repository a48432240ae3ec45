"""CloudWatch."""

from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, Statistics

from embedded_aws.control_plane.cloudwatch.alarm_actions import tell_topics
from embedded_aws.control_plane.cloudwatch.metric_data import Datum, MetricData
from embedded_aws.control_plane.cloudwatch.metrics import statistic


def apply() -> None:
    _metrics_are_summed_up()
    _percentiles_are_statistics()
    _new_alarms_have_insufficient_data()
    _alarms_tell_topics()


def _metrics_are_summed_up() -> None:
    make = CloudWatchBackend.__init__

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        self.metric_data = MetricData()

    CloudWatchBackend.__init__ = init


def _percentiles_are_statistics() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
    get = Statistics.get_statistics_for_type

    def get_statistics_for_type(self: Any, stat: str) -> Any:
        if stat.startswith("p"):
            return statistic([each for each in self.metric_data if isinstance(each, Datum)], stat)
        return get(self, stat)

    Statistics.get_statistics_for_type = get_statistics_for_type


def _alarms_tell_topics() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
    update = Alarm.update_state

    def update_state(self: Any, reason: str, reason_data: str, state_value: str) -> None:
        former = self.state_value
        update(self, reason, reason_data, state_value)
        if state_value != former:
            tell_topics(self, former=former)

    Alarm.update_state = update_state


def _new_alarms_have_insufficient_data() -> None:
    # moto says that all is well, and forgets an alarm's state when the alarm is changed.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    put = CloudWatchBackend.put_metric_alarm

    def put_metric_alarm(self: Any, name: str, *arguments: Any, **named: Any) -> Any:
        former = self.alarms.get(name)
        alarm = put(self, name, *arguments, **named)
        if former is None:
            alarm.state_value = "INSUFFICIENT_DATA"
        else:
            for field in ("state_value", "state_reason", "state_reason_data"):
                setattr(alarm, field, getattr(former, field))
        return alarm

    CloudWatchBackend.put_metric_alarm = put_metric_alarm
