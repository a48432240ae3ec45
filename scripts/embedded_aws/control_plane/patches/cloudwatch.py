"""CloudWatch."""

from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend

from embedded_aws.control_plane.alarm_actions import tell_topics


def apply() -> None:
    _new_alarms_have_insufficient_data()
    _alarms_tell_topics()


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
