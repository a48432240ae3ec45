"""Whether an alarm that rings is heard: from CloudWatch through SNS to somebody who subscribed."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from prod_e_ops.demo.checks import Clients
from prod_e_ops.errors import OpsError

_LONG_POLL_SECONDS = 10
_HEARD_TIMEOUT_SECONDS = 180.0
_REASON = "prod-e prove rings it to see who hears it"


def ring_and_hear(clients: Clients, *, environment: str, alarm: str) -> float:
    """Sets an alarm's state, and waits until a queue on its topic has the message.

    The queue and its subscription are there for that alone. Gives the seconds that it took; raises
    `OpsError` if nothing is heard: the alarm rings at nobody, or may not use the topic or its key.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html
    """
    cloudwatch = clients("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    if len(found) != 1 or len(found[0]["AlarmActions"]) != 1:
        raise OpsError(f"The alarm {alarm} does not tell one topic.")
    (topic,) = found[0]["AlarmActions"]
    with _subscribed_queue(clients, name=f"{environment}-heard", topic=topic) as url:
        began = time.monotonic()
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason=_REASON)
        while time.monotonic() - began < _HEARD_TIMEOUT_SECONDS:
            for message in _messages(clients("sqs"), url):
                if (message.get("AlarmName"), message.get("NewStateValue")) == (alarm, "ALARM"):
                    return time.monotonic() - began
    raise OpsError(
        f"The alarm {alarm} rang, and nobody heard it: SNS delivered nothing in"
        f" {_HEARD_TIMEOUT_SECONDS:.0f} seconds.",
        details=[
            "The alarm's history says whether CloudWatch could publish:",
            *_history(clients, alarm),
        ],
    )


@contextmanager
def _subscribed_queue(clients: Clients, *, name: str, topic: str) -> Iterator[str]:
    """A queue that gets what is published to a topic, as long as the block lasts."""
    sqs, sns = clients("sqs"), clients("sns")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    try:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = attributes["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic)})
        subscription = sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        try:
            yield url
        finally:
            sns.unsubscribe(SubscriptionArn=subscription)
    finally:
        sqs.delete_queue(QueueUrl=url)


def _policy(queue: str, topic: str) -> str:
    # https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
                }
            ],
        }
    )


def _messages(sqs: Any, url: str) -> Iterator[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=_LONG_POLL_SECONDS, MaxNumberOfMessages=10
    )
    for each in answer.get("Messages", ()):
        yield json.loads(json.loads(each["Body"])["Message"])


def _history(clients: Clients, alarm: str) -> list[str]:
    try:
        items = clients("cloudwatch").describe_alarm_history(
            AlarmName=alarm, HistoryItemType="Action", MaxRecords=5
        )["AlarmHistoryItems"]
    except ClientError as error:
        return [f"it cannot be read: {error}"]
    return [item["HistorySummary"] for item in items]
