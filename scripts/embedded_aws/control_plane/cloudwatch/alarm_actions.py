"""What an alarm does when its state changes: it tells SNS topics, if it may."""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from moto.kms.models import kms_backends
from moto.sns.models import sns_backends

_CLOUDWATCH = "cloudwatch.amazonaws.com"
_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


def tell_topics(alarm: Any, *, former: str) -> None:
    """Publishes an alarm's new state to the topics of that state which CloudWatch may publish to.

    A topic whose policy, or whose key's, does not let it, hears nothing, and nobody is told.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    if str(alarm.actions_enabled).lower() == "false":
        return
    topics = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }
    for arn in topics.get(alarm.state_value) or ():
        _, _, service, region, account, _ = arn.split(":", 5)
        topic = sns_backends[account][region].topics.get(arn) if service == "sns" else None
        if topic and _may_publish(topic, alarm) and _may_use_key(topic, account, region):
            topic.publish(
                json.dumps(_message(alarm, former, account)),
                subject=f'{alarm.state_value}: "{alarm.name}" in {region}'[:100],
            )


def _message(alarm: Any, former: str, account: str) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": alarm.state_updated_timestamp.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "Region": alarm.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": former,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
    }


def _may_publish(topic: Any, alarm: Any) -> bool:
    for statement in _allowed(json.loads(topic.policy)):
        sources = statement.get("Condition", {}).get("ArnLike", {}).get("aws:SourceArn", "*")
        # A topic without a policy of one's own lets its account publish, CloudWatch among it.
        if _names(statement, "sns:Publish") and (
            statement["Principal"] == {"AWS": "*"}
            or (
                _is_for_cloudwatch(statement)
                and any(fnmatchcase(alarm.alarm_arn, each) for each in _list(sources))
            )
        ):
            return True
    return False


def _may_use_key(topic: Any, account: str, region: str) -> bool:
    if not topic.kms_master_key_id:
        return True
    keys = kms_backends[account][region]
    key = keys.keys.get(keys.get_key_id(topic.kms_master_key_id))
    # `alias/aws/sns`, AWS's own, is not among them, and lets CloudWatch do nothing.
    # https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger
    statements = list(_allowed(json.loads(key.policy))) if key else []
    return all(
        any(_is_for_cloudwatch(each) and _names(each, action) for each in statements)
        for action in _KEY_ACTIONS
    )


def _allowed(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (each for each in policy["Statement"] if each["Effect"] == "Allow")


def _is_for_cloudwatch(statement: Mapping[str, Any]) -> bool:
    principal = statement["Principal"]
    return principal == "*" or _CLOUDWATCH in _list(principal.get("Service", ()))


def _names(statement: Mapping[str, Any], action: str) -> bool:
    return any(fnmatchcase(action.lower(), each.lower()) for each in _list(statement["Action"]))


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
