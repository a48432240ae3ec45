"""Alarms, who is told, and logs."""

from typing import Any

from prod_e.settings import Thresholds
from tests.support.synthesised import MINIMAL

ABOVE, BELOW = "GreaterThanThreshold", "LessThanThreshold"
RINGS = {
    "http_5xx_percent": ("backend-5xx", ABOVE, 2.5, 2.5),
    "p95_latency_seconds": ("backend-p95-latency", ABOVE, 0.25, 0.25),
    "task_cpu_percent": ("backend-cpu", ABOVE, 71, 71),
    "task_memory_percent": ("backend-memory", ABOVE, 72, 72),
    "database_cpu_percent": ("database-cpu", ABOVE, 73, 73),
    "database_connections": ("database-connections", ABOVE, 74, 74),
    "database_free_storage_percent": ("database-storage", BELOW, 10, 10 * 1024**3),
}
"""Of each threshold in the settings: its alarm, how it compares, what is set, and with what."""

WATCHED = (
    MINIMAL
    + """
[database]
storage_gib = 100
[monitoring]
alarm_emails = ["one@example.com", "two@example.com"]
log_retention_days = 545
[monitoring.thresholds]
"""
    + "".join(f"{key} = {value}\n" for key, (_, _, value, _) in RINGS.items())
)


def test_alarms_ring_where_the_settings_say(synthesised: Any) -> None:
    stack = synthesised(WATCHED)["tiny-e"]
    for name, comparison, _, threshold in RINGS.values():
        alarm = stack.one("aws_cloudwatch_metric_alarm", alarm_name=f"tiny-e-{name}")
        assert (alarm["comparison_operator"], alarm["threshold"]) == (comparison, threshold)
    assert set(Thresholds.model_fields) == set(RINGS)


def test_everybody_who_is_to_be_told_is_told(synthesised: Any, seed: Any) -> None:
    stack = synthesised(WATCHED)["tiny-e"]
    topic = stack.reference("aws_sns_topic", "arn")
    addresses = [
        subscription["endpoint"]
        for subscription in stack.all("aws_sns_topic_subscription")
        if (subscription["protocol"], subscription["topic_arn"]) == ("email", topic)
    ]
    assert addresses == ["one@example.com", "two@example.com"]
    for alarm in stack.all("aws_cloudwatch_metric_alarm"):
        assert alarm["alarm_actions"] == alarm["ok_actions"] == [topic]
    assert not seed["prod-e"].all("aws_sns_topic_subscription")


def test_logs_of_services_and_of_the_database_are_kept_as_long_as_the_settings_say(
    synthesised: Any,
) -> None:
    groups = synthesised(WATCHED)["tiny-e"].all("aws_cloudwatch_log_group")
    kept = {group["name"]: group["retention_in_days"] for group in groups}
    assert kept.pop("/vpc/tiny-e-flow-log") == 14
    assert kept
    assert set(kept.values()) == {545}


def test_a_failed_deployment_is_told(seed: Any) -> None:
    rule = seed["prod-e"].one("aws_cloudwatch_event_rule", name="prod-e-backend-failed-deployment")
    assert "SERVICE_DEPLOYMENT_FAILED" in rule["event_pattern"]
