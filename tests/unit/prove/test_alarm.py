"""Whether an alarm that rings is heard: a proof fails where nobody hears it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from prod_e_ops.errors import OpsError
from prod_e_ops.prove import alarm as alarm_module
from prod_e_ops.prove.alarm import ring_and_hear


class Heard:
    """CloudWatch, SNS and SQS; `messages`: what the queue has, each time that it is asked."""

    def __init__(self, *messages: Sequence[Mapping[str, str]], topics: int = 1) -> None:
        self.called: list[tuple[str, Mapping[str, Any]]] = []
        self._messages = list(messages)
        self._topics = [f"arn:topic{number or ''}" for number in range(topics)]
        self.history: Any = {"AlarmHistoryItems": [{"HistorySummary": "Failed to execute"}]}

    def __call__(self, _: str) -> "Heard":
        return self

    def describe_alarms(self, *, AlarmNames: Sequence[str]) -> Any:  # noqa: N803
        assert AlarmNames == ["a-cpu"]
        return {"MetricAlarms": [{"AlarmActions": self._topics}]}

    def describe_alarm_history(self, **_: object) -> Any:
        if isinstance(self.history, Exception):
            raise self.history
        return self.history

    def get_queue_attributes(self, *, QueueUrl: str, **_: object) -> Any:  # noqa: N803
        assert QueueUrl == "https://queue"
        return {"Attributes": {"QueueArn": "arn:queue"}}

    def receive_message(self, *, QueueUrl: str, **_: object) -> Any:  # noqa: N803
        assert QueueUrl == "https://queue"
        now = self._messages.pop(0) if self._messages else ()
        bodies = [json.dumps({"Message": json.dumps(each)}) for each in now]
        return {"Messages": [{"Body": each} for each in bodies]} if bodies else {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.called.append((name, arguments))
            return {"QueueUrl": "https://queue", "SubscriptionArn": "arn:subscription"}

        return call


CLEANED = [
    ("unsubscribe", {"SubscriptionArn": "arn:subscription"}),
    ("delete_queue", {"QueueUrl": "https://queue"}),
]


def test_an_alarm_is_heard_by_a_queue_that_is_there_for_that_alone() -> None:
    others = [{"AlarmName": "b", "NewStateValue": "ALARM"}, {"AlarmName": "a-cpu"}]
    mine = {"AlarmName": "a-cpu", "NewStateValue": "ALARM"}
    aws = Heard((), others, [mine])
    assert 0 <= ring_and_hear(aws, environment="a", alarm="a-cpu") < 60
    made, policy, subscribed, rung, *cleaned = aws.called
    assert made == ("create_queue", {"QueueName": "a-heard"})
    assert policy[0] == "set_queue_attributes"
    assert "arn:topic" in policy[1]["Attributes"]["Policy"]
    assert subscribed[1] == {
        "TopicArn": "arn:topic",
        "Protocol": "sqs",
        "Endpoint": "arn:queue",
        "ReturnSubscriptionArn": True,
    }
    assert rung[0] == "set_alarm_state"
    assert (rung[1]["AlarmName"], rung[1]["StateValue"]) == ("a-cpu", "ALARM")
    assert cleaned == CLEANED


DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarmHistory")


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ({"AlarmHistoryItems": [{"HistorySummary": "Failed to execute"}]}, "Failed to execute"),
        (DENIED, f"it cannot be read: {DENIED}"),
    ],
)
def test_an_alarm_that_nobody_hears_fails_the_proof_and_leaves_no_queue(
    monkeypatch: pytest.MonkeyPatch, history: object, told: str
) -> None:
    monkeypatch.setattr(alarm_module, "_HEARD_TIMEOUT_SECONDS", 0.05)
    aws = Heard()
    aws.history = history
    with pytest.raises(OpsError, match="The alarm a-cpu rang, and nobody heard it") as error:
        ring_and_hear(aws, environment="a", alarm="a-cpu")
    assert error.value.details[1:] == (told,)
    assert aws.called[-2:] == CLEANED


@pytest.mark.parametrize("topics", [0, 2])
def test_an_alarm_that_does_not_tell_one_topic_is_not_rung(topics: int) -> None:
    aws = Heard(topics=topics)
    with pytest.raises(OpsError, match="does not tell one topic"):
        ring_and_hear(aws, environment="a", alarm="a-cpu")
    assert aws.called == []
