"""CloudWatch."""

from typing import Any

from moto.cloudwatch.models import CloudWatchBackend


def apply() -> None:
    _new_alarms_have_insufficient_data()


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
