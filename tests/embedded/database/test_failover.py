"""A database that fails over while new tasks start rolls nothing back and ends no task."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from embedded_aws import EmbeddedAws
from tests.embedded.backend_world import BACKEND_RUNS, is_available, serving_backend
from tests.embedded.world import World, eventually
from tests.support.project.project_folder import PROJECT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1_200),
    pytest.mark.usefixtures("with_postgresql"),
]

STACK = json.loads((PROJECT / "tests" / "synthesis" / "snapshots" / "prod-e.json").read_text())
PERIOD_SECONDS = 15
"""In place of a minute."""
PERIODS = 2
THRESHOLD_PERCENT = 20
"""So high that it does not matter in which period CloudWatch counts a request."""
AWAY_SECONDS = PERIOD_SECONDS * (PERIODS + 2)
BAKE_SECONDS = PERIOD_SECONDS * PERIODS


@pytest.fixture
def serving() -> Iterator[World]:
    with EmbeddedAws(data_plane=BACKEND_RUNS, alarm_bake_seconds=BAKE_SECONDS) as aws:
        yield serving_backend(aws)


class Alarms:
    """The stack's metric filters and alarms, of a world's service."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cloudwatch = world.client("cloudwatch")
        self.names = [f"{world.name}-5xx", f"{world.name}-away"]
        for each in STACK["resource"]["aws_cloudwatch_log_metric_filter"].values():
            transformation = each["metric_transformation"]
            world.logs.put_metric_filter(
                logGroupName=f"/ecs/{world.name}",
                filterName=each["name"],
                filterPattern=each["pattern"],
                metricTransformations=[
                    {
                        "metricNamespace": transformation["namespace"],
                        "metricName": transformation["name"],
                        "metricValue": transformation["value"],
                    }
                ],
            )
        errors, away = self._of_stack("5xx"), self._of_stack("database-unavailable")
        self.cloudwatch.put_metric_alarm(
            AlarmName=self.names[0],
            Metrics=[self._query(each) for each in errors["metric_query"]],
            Threshold=THRESHOLD_PERCENT,
            EvaluationPeriods=PERIODS,
            **self._rest(errors),
        )
        self.cloudwatch.put_metric_alarm(
            AlarmName=self.names[1],
            Namespace=away["namespace"],
            MetricName=away["metric_name"],
            Statistic=away["statistic"],
            Period=PERIOD_SECONDS,
            Threshold=away["threshold"],
            EvaluationPeriods=away["evaluation_periods"],
            **self._rest(away),
        )

    def _of_stack(self, kind: str) -> dict[str, Any]:
        (found,) = (
            each
            for each in STACK["resource"]["aws_cloudwatch_metric_alarm"].values()
            if each["alarm_name"] == f"prod-e-backend-{kind}"
        )
        return dict(found)

    def _rest(self, alarm: dict[str, Any]) -> dict[str, Any]:
        return {
            "ComparisonOperator": alarm["comparison_operator"],
            "TreatMissingData": alarm["treat_missing_data"],
        }

    def _query(self, query: dict[str, Any]) -> dict[str, Any]:
        if "expression" in query:
            return {"Id": query["id"], "Expression": query["expression"], "ReturnData": True}
        metric = query["metric"]
        here = {
            "LoadBalancer": self.world.balancer.partition("loadbalancer/")[2],
            "TargetGroup": self.world.group.rpartition(":")[2],
        }
        return {
            "Id": query["id"],
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": metric["namespace"],
                    "MetricName": metric["metric_name"],
                    "Dimensions": [
                        {"Name": name, "Value": here[name]} for name in metric["dimensions"]
                    ],
                },
                "Period": PERIOD_SECONDS,
                "Stat": metric["stat"],
            },
        }

    def ringing(self) -> set[str]:
        alarms = self.cloudwatch.describe_alarms(AlarmNames=self.names)["MetricAlarms"]
        return {each["AlarmName"] for each in alarms if each["StateValue"] == "ALARM"}


def test_a_failover_while_new_tasks_start_rolls_nothing_back(serving: World) -> None:
    alarms = Alarms(serving)
    before = {task["taskArn"] for task in serving.tasks()}
    (service,) = STACK["resource"]["aws_ecs_service"].values()
    (group,) = STACK["resource"]["aws_lb_target_group"].values()
    serving.elb.modify_target_group(
        TargetGroupArn=serving.group,
        HealthCheckIntervalSeconds=group["health_check"]["interval"],
        HealthCheckTimeoutSeconds=group["health_check"]["timeout"],
    )
    rang: set[str] = set()
    with serving.load("/notes", clients=4) as load:
        serving.update(
            forceNewDeployment=True,
            healthCheckGracePeriodSeconds=service["health_check_grace_period_seconds"],
            deploymentConfiguration={
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
                "alarms": {"alarmNames": [alarms.names[0]], "enable": True, "rollback": True},
            },
        )
        end = time.monotonic() + AWAY_SECONDS
        while time.monotonic() < end:
            if is_available(serving):
                serving.client("rds").reboot_db_instance(
                    DBInstanceIdentifier="notes", ForceFailover=True
                )
            rang |= alarms.ringing()
        eventually("the database is back", lambda: is_available(serving))
        eventually("notes are read", lambda: serving.get("/notes")[0] == 200)
    # Enough to ring, were they counted.
    assert set(load.statuses) == {200, 503}, (load, serving.events())
    assert load.statuses[503] > load.sent * THRESHOLD_PERCENT / 100, load
    assert load.broken == 0
    assert rang == {alarms.names[1]}
    eventually("it is over", lambda: serving.deployment()["status"] != "IN_PROGRESS", seconds=240)
    for task in serving.tasks("STOPPED"):
        assert task["stoppedReason"].startswith("Scaling activity"), (task, serving.log_lines())
    assert serving.deployment()["status"] == "SUCCESSFUL", serving.events()
    (deployment,) = serving.service()["deployments"]
    assert deployment["failedTasks"] == 0, serving.events()
    assert not before & {task["taskArn"] for task in serving.tasks()}
