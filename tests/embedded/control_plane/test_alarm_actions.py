"""An alarm tells a topic of its state, if the topic's policy and its key's let CloudWatch."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.embedded.control_plane.clients import Clients

CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}
USES = ["kms:Decrypt", "kms:GenerateDataKey*"]


def statement(principal: Any, actions: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*", **more}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


MAY_PUBLISH = policy(statement(CLOUDWATCH, "sns:Publish"))
FROM_ELSEWHERE = policy(
    statement(
        CLOUDWATCH,
        "sns:Publish",
        Condition={"ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:*:*:alarm:another-*"}},
    )
)
ACCOUNT = statement({"AWS": "arn:aws:iam::123456789012:root"}, "kms:*")


@pytest.mark.parametrize(
    ("topic_policy", "key_policy", "is_heard"),
    [
        (None, None, True),
        (MAY_PUBLISH, None, True),
        (policy(statement({"Service": "events.amazonaws.com"}, "sns:Publish")), None, False),
        (FROM_ELSEWHERE, None, False),
        (MAY_PUBLISH, policy(ACCOUNT, statement(CLOUDWATCH, USES)), True),
        (MAY_PUBLISH, policy(ACCOUNT), False),
        (MAY_PUBLISH, policy(ACCOUNT, statement(CLOUDWATCH, "kms:Decrypt")), False),
        (MAY_PUBLISH, "alias/aws/sns", False),
    ],
)
def test_a_topic_hears_what_cloudwatch_may_publish_there(
    clients: Clients, topic_policy: str | None, key_policy: str | None, is_heard: bool
) -> None:
    name = f"alarm-{uuid4().hex[:8]}"
    sns, sqs, cloudwatch = clients("sns"), clients("sqs"), clients("cloudwatch")
    attributes = {"Policy": topic_policy} if topic_policy else {}
    if key_policy:
        key = (
            key_policy
            if key_policy.startswith("alias/")
            else clients("kms").create_key(Policy=key_policy)["KeyMetadata"]["KeyId"]
        )
        attributes["KmsMasterKeyId"] = key
    topic = sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="N",
        MetricName="m",
        Dimensions=[{"Name": "of", "Value": name}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    # Only a change of the state tells anybody.
    for _ in range(2):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    told = [json.loads(json.loads(each["Body"])["Message"]) for each in messages]
    assert [(each["AlarmName"], each["NewStateValue"]) for each in told] == (
        [(name, "ALARM")] if is_heard else []
    )
