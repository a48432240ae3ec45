"""What tasks use is measured, and services grow and shrink by it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.world import World, eventually, most_used

DIMENSION = "ecs:service:DesiredCount"


class Scaling:
    """The scalable target of a world's service."""

    def __init__(self, world: World, *, most: int = 3) -> None:
        self.world = world
        self.client = world.client("application-autoscaling")
        self.resource = f"service/{world.name}/app"
        self.register(most)

    def register(self, most: int) -> None:
        self.client.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=self.resource,
            ScalableDimension=DIMENSION,
            MinCapacity=1,
            MaxCapacity=most,
        )

    def follow(self, metric: str, aim: float, **configuration: Any) -> None:
        label = {}
        if metric == "ALBRequestCountPerTarget":
            balancer = self.world.balancer.rpartition(":loadbalancer/")[2]
            label = {"ResourceLabel": f"{balancer}/{self.world.group.rpartition(':')[2]}"}
        self.client.put_scaling_policy(
            PolicyName=f"follow-{metric}",
            PolicyType="TargetTrackingScaling",
            ServiceNamespace="ecs",
            ResourceId=self.resource,
            ScalableDimension=DIMENSION,
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": aim,
                "PredefinedMetricSpecification": {"PredefinedMetricType": metric, **label},
                "ScaleOutCooldown": 1,
                "ScaleInCooldown": 1,
                **configuration,
            },
        )

    def activities(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.describe_scaling_activities(
            ServiceNamespace="ecs", ResourceId=self.resource
        )["ScalingActivities"]
        return found

    def until_running(self, count: int, *, seconds: float = 60) -> None:
        eventually(
            f"{count} tasks run",
            lambda: self.world.service()["runningCount"] == count and self.world.is_steady(),
            seconds=seconds,
        )


@pytest.fixture
def one_task(world: World) -> Iterator[World]:
    world.create(desiredCount=1)
    world.until_steady()
    yield world
    scaling = world.client("application-autoscaling")
    for target in scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]:
        scaling.deregister_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=target["ResourceId"],
            ScalableDimension=DIMENSION,
        )


def test_what_a_service_uses_is_in_cloudwatch(one_task: World) -> None:
    idle_memory = eventually("memory is measured", lambda: most_used(one_task, "MemoryUtilization"))
    # Node.js in 512 MiB.
    assert 2 < idle_memory < 60
    eventually("CPU is measured", lambda: most_used(one_task, "CPUUtilization") is not None)
    one_task.get("/burn?ms=60000")
    one_task.get("/fill")
    # Up to half a core, of a quarter; 400 MiB of 512.
    eventually("CPU is used", lambda: (most_used(one_task, "CPUUtilization") or 0) > 40)
    eventually(
        "memory is used",
        lambda: (most_used(one_task, "MemoryUtilization") or 0) > idle_memory + 50,
    )


def test_tasks_are_added_when_cpu_is_above_the_target_and_not_before_the_cooldown_is_over(
    one_task: World,
) -> None:
    scaling = Scaling(one_task, most=2)
    scaling.follow("ECSServiceAverageCPUUtilization", 10, ScaleOutCooldown=3600)
    one_task.get("/burn?ms=120000")
    scaling.until_running(2)
    (activity,) = scaling.activities()
    assert activity["Description"] == "Setting desired count to 2."
    assert activity["Cause"].endswith("triggered policy follow-ECSServiceAverageCPUUtilization")
    scaling.register(3)
    time.sleep(12)
    assert one_task.service()["desiredCount"] == 2
    scaling.follow("ECSServiceAverageCPUUtilization", 10, ScaleOutCooldown=1)
    scaling.until_running(3)


def test_a_policy_has_the_alarms_of_its_metric(one_task: World) -> None:
    scaling = Scaling(one_task)
    scaling.follow("ALBRequestCountPerTarget", 100)
    named = f"TargetTracking-{scaling.resource}"
    alarms = one_task.client("cloudwatch").describe_alarms(AlarmNamePrefix=named)["MetricAlarms"]
    told = {
        (a["Namespace"], a["MetricName"], a["ComparisonOperator"], a["Threshold"]) for a in alarms
    }
    metric = ("AWS/ApplicationELB", "RequestCountPerTarget")
    assert told == {
        (*metric, "GreaterThanThreshold", 100.0),
        (*metric, "LessThanThreshold", 90.0),
    }


@pytest.mark.slow
def test_a_service_follows_the_requests_that_it_gets_without_losing_any(one_task: World) -> None:
    scaling = Scaling(one_task)
    scaling.follow("ALBRequestCountPerTarget", 60)
    with one_task.load("/") as load:
        scaling.until_running(3)
    # A few requests: without any there is no metric, and nothing happens.
    with one_task.load("/slow?ms=3000", clients=1) as few:
        scaling.until_running(1, seconds=150)
    assert (load.lost, few.lost) == (0, 0)
    assert one_task.service()["desiredCount"] == 1
    assert len(scaling.activities()) >= 2


@pytest.mark.slow
def test_a_policy_without_data_agrees_to_no_scaling_in(one_task: World) -> None:
    scaling = Scaling(one_task)
    one_task.update(desiredCount=2)
    scaling.until_running(2)
    scaling.follow("ECSServiceAverageCPUUtilization", 80)
    scaling.follow("ALBRequestCountPerTarget", 60)
    time.sleep(20)
    assert one_task.service()["desiredCount"] == 2
    scaling.client.delete_scaling_policy(
        PolicyName="follow-ALBRequestCountPerTarget",
        ServiceNamespace="ecs",
        ResourceId=scaling.resource,
        ScalableDimension=DIMENSION,
    )
    scaling.until_running(1)
