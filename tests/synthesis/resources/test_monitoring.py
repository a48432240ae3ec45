"""Alarms, who is told, and logs."""

import json
from typing import Any

from prod_e.settings import Thresholds
from tests.support.synthesised import MINIMAL

ABOVE, BELOW = "GreaterThanThreshold", "LessThanThreshold"
RINGS = {
    "http_5xx_percent": ("backend-5xx", ABOVE, 2.5, 2.5),
    "load_balancer_5xx_per_minute": ("load-balancer-5xx", ABOVE, 7, 7),
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


def alarm(stack: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.one("aws_cloudwatch_metric_alarm", alarm_name=f"prod-e-{name}")
    return found


def test_errors_of_the_load_balancer_and_the_lack_of_healthy_tasks_ring_and_roll_nothing_back(
    seed: Any,
) -> None:
    stack = seed["prod-e"]
    errors = alarm(stack, "load-balancer-5xx")
    assert errors["metric_name"] == "HTTPCode_ELB_5XX_Count"
    assert set(errors["dimensions"]) == {"LoadBalancer"}
    healthy = alarm(stack, "backend-no-healthy-hosts")
    assert (healthy["metric_name"], healthy["statistic"]) == ("HealthyHostCount", "Maximum")
    assert (healthy["comparison_operator"], healthy["threshold"]) == (BELOW, 1)
    # ELB reports no number of healthy targets while none is registered.
    assert healthy["treat_missing_data"] == "breaching"
    (service,) = stack.values["resource"]["aws_ecs_service"]
    assert healthy["depends_on"] == [f"aws_ecs_service.{service}"]
    rolling_back = stack.one("aws_ecs_service")["alarms"]["alarm_names"]
    names = {
        f"${{aws_cloudwatch_metric_alarm.{key}.alarm_name}}": each["alarm_name"]
        for key, each in stack.values["resource"]["aws_cloudwatch_metric_alarm"].items()
    }
    assert {names[name] for name in rolling_back} == {
        "prod-e-backend-5xx",
        "prod-e-backend-unhealthy-hosts",
    }


def test_an_alarm_of_the_database_does_not_fall_silent_when_the_database_does(seed: Any) -> None:
    of_database = [
        each
        for each in seed["prod-e"].all("aws_cloudwatch_metric_alarm")
        if each.get("namespace") == "AWS/RDS"
    ]
    assert of_database
    assert {each["treat_missing_data"] for each in of_database} == {"ignore"}


def test_a_push_that_is_not_deployed_rings_and_is_logged(seed: Any) -> None:
    stack = seed["prod-e"]
    failed = alarm(stack, "backend-redeploy-failed")
    watched = {
        (metric["metric_name"], *metric["dimensions"].values())
        for query in failed["metric_query"]
        for metric in [query.get("metric")]
        if metric
    }
    assert watched == {
        ("ExecutionsFailed", stack.reference("aws_sfn_state_machine", "arn")),
        (
            "FailedInvocations",
            stack.reference("aws_cloudwatch_event_rule", "name", name="prod-e-backend-redeploy"),
        ),
    }
    group = stack.reference(
        "aws_cloudwatch_log_group", "arn", name="/aws/vendedlogs/states/prod-e-backend-redeploy"
    )
    logging = stack.one("aws_sfn_state_machine")["logging_configuration"]
    assert (logging["level"], logging["log_destination"]) == ("ERROR", f"{group}:*")


def test_rules_publish_with_a_role_because_eventbridge_honours_no_condition_of_a_topic(
    seed: Any,
) -> None:
    stack = seed["prod-e"]
    topic = stack.reference("aws_sns_topic", "arn")
    targets = [t for t in stack.all("aws_cloudwatch_event_target") if t["arn"] == topic]
    role = stack.reference("aws_iam_role", "arn", name="prod-e-alarms")
    assert [target["role_arn"] for target in targets] == [role, role]
    policy = json.loads(stack.one("aws_iam_role_policy", name="prod-e-alarms")["policy"])
    assert [(s["Action"], s["Resource"]) for s in policy["Statement"]] == [
        (["sns:Publish"], [topic]),
        (["kms:Decrypt", "kms:GenerateDataKey"], [stack.reference("aws_kms_key", "arn")]),
    ]
    publishers = json.loads(stack.one("aws_sns_topic_policy")["policy"])["Statement"]
    assert [s["Principal"] for s in publishers] == [{"Service": "cloudwatch.amazonaws.com"}]


def test_a_failed_deployment_is_told(seed: Any) -> None:
    rule = seed["prod-e"].one("aws_cloudwatch_event_rule", name="prod-e-backend-failed-deployment")
    assert "SERVICE_DEPLOYMENT_FAILED" in rule["event_pattern"]


def test_a_database_that_is_away_rings_and_its_503s_roll_nothing_back(
    synthesised: Any, seed: Any
) -> None:
    stack = seed["prod-e"]
    filters = {
        each["metric_transformation"]["name"]: each["pattern"]
        for each in stack.all("aws_cloudwatch_log_metric_filter")
    }
    assert filters == {
        "backend-database-unavailable": '{ $.database = "unavailable" }',
        "backend-database-unavailable-answers": (
            '{ ($.status = 503) && ($.code = "database_unavailable") }'
        ),
    }
    away = alarm(stack, "backend-database-unavailable")
    assert (away["namespace"], away["metric_name"]) == ("prod-e", "backend-database-unavailable")
    assert (away["threshold"], away["treat_missing_data"]) == (0, "notBreaching")

    def errors(stack: Any, name: str) -> tuple[str, dict[str, str]]:
        queries = stack.one("aws_cloudwatch_metric_alarm", alarm_name=name)["metric_query"]
        (expression,) = (each["expression"] for each in queries if "expression" in each)
        metrics = {
            each["id"]: each["metric"]["metric_name"] for each in queries if "metric" in each
        }
        return expression, metrics

    expression, metrics = errors(stack, "prod-e-backend-5xx")
    assert expression == "100 * (FILL(errors, 0) - FILL(excused, 0)) / requests"
    assert metrics["excused"] == "backend-database-unavailable-answers"
    without = synthesised(MINIMAL)["tiny-e"]
    assert errors(without, "tiny-e-backend-5xx")[0] == "100 * FILL(errors, 0) / requests"
    assert not without.all("aws_cloudwatch_log_metric_filter")
