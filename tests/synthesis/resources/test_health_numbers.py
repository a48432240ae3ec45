"""The numbers of health, start and stop fit each other across backend, image, task and balancer."""

import re
import tomllib
from typing import Any

import pytest

from prod_e import ContainerHealthCheck, HealthCheck
from prod_e.settings import Service
from tests.support.project.project_folder import PROJECT

LIMITS = (PROJECT / "backend" / "src" / "limits.ts").read_text()
LONGEST_START_PERIOD_SECONDS = 300
"""https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html"""


def milliseconds(name: str) -> int:
    """A limit of the backend."""
    (found,) = re.findall(rf"^export const {name} = ([\d_]+);", LIMITS, re.MULTILINE)
    return int(found.replace("_", ""))


def of_dockerfile(option: str) -> int:
    """The seconds of an option of the image's own health check."""
    text = (PROJECT / "backend" / "Dockerfile").read_text()
    (found,) = re.findall(rf"--{option}=(\d+)", text)
    return int(found)


@pytest.fixture
def check(seed: Any) -> dict[str, Any]:
    """The health check of the seed's container."""
    return dict(seed["prod-e"].container()["healthCheck"])


@pytest.fixture
def target_group(seed: Any) -> dict[str, Any]:
    return dict(seed["prod-e"].one("aws_lb_target_group"))


def test_the_task_has_the_health_check_of_the_image(check: dict[str, Any]) -> None:
    (command,) = re.findall(
        r"^  CMD (\[.*\])$", (PROJECT / "backend" / "Dockerfile").read_text(), re.MULTILINE
    )
    assert check["command"] == ["CMD", *tomllib.loads(f"x = {command}")["x"]]
    assert check["interval"] == of_dockerfile("interval")
    assert check["timeout"] == of_dockerfile("timeout")
    assert check["startPeriod"] == of_dockerfile("start-period")
    assert check["retries"] == of_dockerfile("retries")


def test_a_task_may_migrate_before_anybody_minds_that_it_is_not_healthy(
    seed: Any, check: dict[str, Any], target_group: dict[str, Any]
) -> None:
    migration = milliseconds("MIGRATION_MS") / 1000
    assert migration < check["startPeriod"] <= LONGEST_START_PERIOD_SECONDS
    found = target_group["health_check"]
    until_found_healthy = found["interval"] * found["healthy_threshold"]
    grace = seed["prod-e"].one("aws_ecs_service")["health_check_grace_period_seconds"]
    assert grace >= check["startPeriod"] + until_found_healthy


def test_a_task_that_migrates_rolls_no_deployment_back(seed: Any) -> None:
    grace = seed["prod-e"].one("aws_ecs_service")["health_check_grace_period_seconds"]
    alarm = seed["prod-e"].one(
        "aws_cloudwatch_metric_alarm", alarm_name="prod-e-backend-unhealthy-hosts"
    )
    # A time of that length touches one period more than it has whole ones.
    assert alarm["period"] * (alarm["evaluation_periods"] - 1) > grace


def test_the_service_answers_for_health_before_anybody_has_waited_too_long(
    check: dict[str, Any], target_group: dict[str, Any]
) -> None:
    found = target_group["health_check"]
    for timeout, interval in (
        (check["timeout"], check["interval"]),
        (found["timeout"], found["interval"]),
    ):
        assert milliseconds("PROBE_MS") / 1000 < timeout < interval


def test_a_task_that_stops_loses_nothing(seed: Any, target_group: dict[str, Any]) -> None:
    drain = int(re.findall(r"DRAIN_SECONDS = \{ from: \d+, to: (\d+),", LIMITS)[0])
    deregistration = int(target_group["deregistration_delay"])
    cut = milliseconds("CUT_AFTER_STOP_MS") / 1000
    stop = milliseconds("STOP_WITHIN_MS") / 1000
    assert drain < cut < deregistration < stop < seed["prod-e"].container()["stopTimeout"]


def test_connections_outlive_the_load_balancers_use_of_them(seed: Any) -> None:
    idle = seed["prod-e"].one("aws_lb")["idle_timeout"]
    assert milliseconds("KEEP_ALIVE_MS") / 1000 > idle
    assert milliseconds("EXCHANGE_MS") / 1000 == idle


def test_the_defaults_of_settings_and_constructs_are_the_same() -> None:
    container = ContainerHealthCheck(command=("CMD", "true"))
    balancer = HealthCheck()
    service = Service.model_validate({})
    assert service.startup_seconds == container.start_period_seconds
    assert service.health_interval_seconds == container.interval_seconds
    assert service.health_interval_seconds == balancer.interval_seconds
    assert balancer.grace_period_seconds > container.start_period_seconds


def test_the_settings_say_how_long_a_task_may_take_to_start(synthesised: Any) -> None:
    stack = synthesised('name = "tiny-e"\n[services.backend]\nstartup_seconds = 40\n')["tiny-e"]
    assert stack.container()["healthCheck"]["startPeriod"] == 40
    assert stack.one("aws_ecs_service")["health_check_grace_period_seconds"] == 70


def test_a_migration_ends_before_ecs_gives_its_task_up() -> None:
    # How long a container waits for what it depends on, on Fargate and without startTimeout:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    waits_ms = 180_000
    assert milliseconds("MIGRATION_MS") < milliseconds("MIGRATE_WITHIN_MS") < waits_ms
