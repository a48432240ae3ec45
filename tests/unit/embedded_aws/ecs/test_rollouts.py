"""How a service's deployment ends: by the circuit breaker, by an alarm, by hand, or well."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws.control_plane.ecs import rollouts
from embedded_aws.control_plane.ecs.rollouts import Rollout, stop, threshold
from embedded_aws.control_plane.registrations import registrations
from tests.unit.embedded_aws.ecs.deploying import (
    ON,
    ONE_ALARM,
    SERVICE_ARN,
    Deploying,
    running_task,
)


@pytest.fixture(autouse=True)
def no_targets_are_left() -> Iterator[None]:
    yield
    registrations.forget_group("group")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake: Any = SimpleNamespace(now=1000.0)
    fake.monotonic = lambda: fake.now
    monkeypatch.setattr(rollouts, "time", fake)
    return fake


@pytest.mark.parametrize(
    ("desired", "failures"), [(0, 3), (6, 3), (7, 4), (8, 4), (400, 200), (500, 200)]
)
def test_the_circuit_breaker_allows_failures_of_half_the_tasks_from_3_to_200(
    desired: int, failures: int
) -> None:
    assert threshold(SimpleNamespace(desired_count=desired)) == failures


def test_a_service_without_a_deployment_configuration_has_an_empty_one() -> None:
    assert rollouts.configuration(SimpleNamespace()) == {}
    assert rollouts.configuration(SimpleNamespace(deployment_configuration=None)) == {}


def test_the_pauses_between_tasks_that_fail_double_up_to_a_minute(clock: Any) -> None:
    world = Deploying()
    pauses = []
    for _ in range(10):
        world.fail(1)
        pauses.append(world.rollout.pause_until - clock.now)
    # The first is replaced at once.
    assert pauses == [-1000, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_failure_of_an_older_deployment_is_none_of_the_newest() -> None:
    world = Deploying(breaker=ON)
    world.fail(5, deployment="ecs-svc/1")
    assert (world.rollout.failures, world.primary["failedTasks"]) == (0, 0)
    assert "deploymentCircuitBreaker" not in world.record


def test_without_a_circuit_breaker_tasks_fail_for_ever_and_it_is_told_once() -> None:
    world = Deploying()
    world.fail(2)
    assert world.told == []
    world.fail(3)
    world.judge()
    assert world.told == ["is unable to consistently start tasks successfully."]
    assert (world.primary["failedTasks"], world.primary["rolloutState"]) == (5, "IN_PROGRESS")
    assert world.rollout.is_in_progress


def test_failures_after_a_deployment_are_told_and_do_not_count_against_it() -> None:
    world = Deploying(breaker=ON)
    world.rollout.is_in_progress = False
    world.fail(3)
    world.judge()
    assert world.told == ["is unable to consistently start tasks successfully."]
    assert world.primary["failedTasks"] == 0
    assert "deploymentCircuitBreaker" not in world.record


def test_the_circuit_breaker_counts_until_it_is_triggered() -> None:
    world = Deploying(breaker={"enable": True, "rollback": False})
    world.fail(2)
    world.judge()
    counted = {"status": "MONITORING", "failureCount": 2, "threshold": 3}
    assert world.record["deploymentCircuitBreaker"] == counted
    assert world.record["status"] == "IN_PROGRESS"
    world.fail(1)
    world.judge()
    triggered = {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert world.record["deploymentCircuitBreaker"] == triggered
    assert world.told == ["(deployment ecs-svc/2) deployment failed: tasks failed to start."]


def test_a_deployment_that_fails_without_rollback_is_given_up() -> None:
    world = Deploying(breaker={"enable": True, "rollback": False})
    world.fail(3)
    world.judge()
    reason = "ECS deployment circuit breaker: tasks failed to start."
    assert (world.primary["id"], world.primary["rolloutState"]) == ("ecs-svc/2", "FAILED")
    assert world.primary["rolloutStateReason"] == world.record["statusReason"] == reason
    assert world.record["status"] == "STOPPED"
    assert world.record["finishedAt"] == world.record["updatedAt"] == world.primary["updatedAt"]
    assert (world.rollout.is_given_up, world.rollout.is_in_progress) == (True, False)
    world.complete(running_task(), running_task())
    assert world.primary["rolloutState"] == "FAILED"


def test_a_rollback_without_a_deployment_that_succeeded_fails() -> None:
    world = Deploying(breaker=ON)
    world.service.past_deployments.pop()
    world.fail(3)
    world.judge()
    assert world.record["status"] == "ROLLBACK_FAILED"
    assert world.rollout.is_given_up


def test_a_rollback_follows_the_last_deployment_that_succeeded() -> None:
    world = Deploying(breaker=ON)
    world.fail(3)
    world.judge()
    reason = "ECS deployment circuit breaker: tasks failed to start."
    record, now = world.record, world.record["updatedAt"]
    assert record["status"] == "ROLLBACK_IN_PROGRESS"
    assert record["rollback"] == {
        "reason": reason, "startedAt": now, "serviceRevisionArn": f"{SERVICE_ARN}/1",
    }  # fmt: skip
    assert "finishedAt" not in record
    former = dict(world.primary)
    assert former.pop("createdAt") == former.pop("updatedAt") >= now
    assert former == {
        "id": "ecs-svc/1",
        "status": "PRIMARY",
        "taskDefinition": "old",
        "capacityProviderStrategy": "old strategy",
        "networkConfiguration": "old subnets",
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": f"{reason.rstrip('.')}: rolling back to deploymentId ecs-svc/1.",
        "failedTasks": 0,
        "launchType": "FARGATE",
    }
    failed = world.service.deployments[1]
    assert (failed["id"], failed["status"], failed["rolloutState"]) == (
        "ecs-svc/2", "ACTIVE", "FAILED",
    )  # fmt: skip
    assert len(world.service.deployments) == 2
    assert world.service.task_definition == "old"
    assert world.service.network_configuration == "old subnets"
    assert world.told[-1] == "rolling back to deployment ecs-svc/1."


def test_a_rollback_makes_a_deployment_anew_of_which_no_task_is_left() -> None:
    world = Deploying(breaker=ON)
    world.service.deployments.pop()
    world.fail(3)
    world.judge()
    now, failed = world.service.deployments
    assert (now["id"], now["launchType"], now["status"]) == ("ecs-svc/1", "FARGATE", "PRIMARY")
    assert (failed["id"], failed["taskDefinition"]) == ("ecs-svc/2", "new")


def test_a_rollback_is_not_rolled_back_and_succeeds_once_its_tasks_run() -> None:
    world = Deploying(breaker=ON)
    world.fail(3)
    world.judge()
    world.fail(9, deployment="ecs-svc/1")
    world.judge()
    assert world.rollout.is_rollback
    assert world.record["status"] == "ROLLBACK_IN_PROGRESS"
    world.complete(running_task("ecs-svc/1"), running_task("ecs-svc/1"))
    assert world.record["status"] == "ROLLBACK_SUCCESSFUL"
    assert world.primary["rolloutState"] == "COMPLETED"


def test_an_alarm_that_rings_ends_a_deployment() -> None:
    world = Deploying(alarms=ONE_ALARM)
    world.alarm("calm", "OK")
    world.alarm("errors", "INSUFFICIENT_DATA")
    world.alarm("another", "ALARM")
    world.judge()
    assert world.record["status"] == "IN_PROGRESS"
    world.alarm("errors", "ALARM")
    world.judge()
    assert world.record["alarms"] == {
        "status": "TRIGGERED",
        "alarmNames": ["gone", "errors", "calm"],
        "triggeredAlarmNames": ["errors"],
    }
    assert world.record["statusReason"] == "ECS deployment failed: alarm(s) detected: errors."
    assert world.record["status"] == "ROLLBACK_IN_PROGRESS"
    assert world.told[0] == "(deployment ecs-svc/2) deployment failed: alarm detected."


def test_an_alarm_without_rollback_gives_the_deployment_up() -> None:
    world = Deploying(alarms={**ONE_ALARM, "rollback": False})
    world.alarm("errors", "ALARM")
    world.judge()
    assert world.record["status"] == "STOPPED"


@pytest.mark.parametrize("alarms", [None, {**ONE_ALARM, "enable": False}])
def test_alarms_that_are_not_watched_end_nothing(alarms: Any) -> None:
    world = Deploying(alarms=alarms)
    world.alarm("errors", "ALARM")
    world.judge()
    assert world.record["status"] == "IN_PROGRESS"


def test_an_alarm_that_rang_before_a_deployment_does_not_end_it() -> None:
    world = Deploying(alarms=ONE_ALARM)
    world.alarm("errors", "ALARM")
    world.service.rollout = Rollout.begin(world.backend, world.service)
    world.judge()
    assert world.record["status"] == "IN_PROGRESS"


def test_a_deployment_is_complete_once_all_its_tasks_are_steady_and_no_others_run() -> None:
    world = Deploying()
    steady = [running_task(), running_task()]
    for running in (
        steady[:1],
        [*steady, running_task()],
        [*steady, running_task("ecs-svc/1")],
        [steady[0], running_task(target="initial")],
        [steady[0], running_task(status="PENDING")],
    ):
        world.complete(*running)
        assert world.primary["rolloutState"] == "IN_PROGRESS"
    world.complete(*steady)
    assert world.primary["rolloutState"] == "COMPLETED"
    assert world.primary["rolloutStateReason"] == "ECS deployment ecs-svc/2 completed."
    assert world.record["status"] == "SUCCESSFUL"
    assert world.record["finishedAt"] == world.record["updatedAt"] == world.primary["updatedAt"]
    assert not world.rollout.is_in_progress
    world.complete(*steady)
    assert world.told == [
        "(deployment ecs-svc/2) deployment completed.", "has reached a steady state.",
    ]  # fmt: skip


def test_a_steady_state_is_told_after_each_deployment() -> None:
    world = Deploying()
    steady = [running_task(), running_task()]
    for _ in range(2):
        world.rollout.is_in_progress = True
        world.complete(*steady)
    assert world.told.count("has reached a steady state.") == 2


def test_an_older_deployment_is_known_as_long_as_its_tasks_run() -> None:
    world = Deploying()
    world.complete(running_task("ecs-svc/1"))
    assert [each["id"] for each in world.service.deployments] == ["ecs-svc/2", "ecs-svc/1"]
    world.complete(running_task("ecs-svc/2"))
    assert [each["id"] for each in world.service.deployments] == ["ecs-svc/2"]


def test_failures_are_forgotten_once_a_task_of_the_deployment_is_healthy() -> None:
    world = Deploying(breaker=ON)
    world.fail(2)
    world.complete(running_task("ecs-svc/1"), running_task(target="initial"))
    assert world.rollout.failures == 2
    world.complete(running_task(), running_task(target="initial"))
    assert world.rollout.failures == 0


def test_where_alarms_are_watched_a_deployment_bakes_first(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDED_AWS_ALARM_BAKE_SECONDS", "10")
    world = Deploying(alarms=ONE_ALARM)
    steady = [running_task(), running_task()]
    states = []
    for clock.now in (1000, 1009, 1010):
        world.complete(*steady)
        states.append(world.primary["rolloutState"])
    assert states == ["IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]


@pytest.mark.parametrize(
    ("alarms", "rings"), [(None, False), ({**ONE_ALARM, "enable": False}, False), (ONE_ALARM, True)]
)
def test_where_no_alarm_is_watched_a_deployment_does_not_bake(
    alarms: Any, *, rings: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDED_AWS_ALARM_BAKE_SECONDS", "10")
    world = Deploying(alarms=alarms)
    world.rollout.watches_alarms = not rings
    world.complete(running_task(), running_task())
    assert world.primary["rolloutState"] == "COMPLETED"


def test_a_deployment_bakes_for_no_time_where_none_is_given(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMBEDDED_AWS_ALARM_BAKE_SECONDS", raising=False)
    world = Deploying(alarms=ONE_ALARM)
    world.complete(running_task(), running_task())
    assert world.primary["rolloutState"] == "COMPLETED"


@pytest.mark.parametrize(
    ("kind", "status"), [("ROLLBACK", "ROLLBACK_IN_PROGRESS"), ("ABORT", "STOPPED")]
)
def test_a_deployment_in_progress_is_stopped_by_hand(kind: str, status: str) -> None:
    world = Deploying()
    stop(world.backend, world.service, world.record, kind)
    assert world.record["status"] == status
    assert world.record["statusReason"].endswith("was stopped by StopServiceDeployment.")
    assert world.record["stoppedAt"] <= world.record["updatedAt"]


@pytest.mark.parametrize(("record", "is_in_progress"), [(0, False), (1, True)])
def test_a_deployment_that_has_ended_stays_as_it_is(record: int, *, is_in_progress: bool) -> None:
    world = Deploying()
    world.rollout.is_in_progress = is_in_progress
    before = [dict(each) for each in world.service.past_deployments]
    stop(world.backend, world.service, world.service.past_deployments[record], "ABORT")
    assert world.service.past_deployments == before
