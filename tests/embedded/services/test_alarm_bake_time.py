"""The alarms of a deployment are watched for a while after its last task runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from tests.embedded.world import World, eventually, write_source

BAKE_SECONDS = 15


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    source = tmp_path / "app"
    write_source(source, "first")
    data_plane = DataPlane(
        sources={"app": source}, runtime="process", cache_folder=tmp_path / "builds"
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        aws.watch_alarms_for(BAKE_SECONDS)
        world = World(aws, source, repository="app")
        world.client("cloudwatch").put_metric_alarm(
            AlarmName=world.name,
            Namespace="tests",
            MetricName="errors",
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            Period=60,
            Statistic="Sum",
            Threshold=0,
        )
        yield world
        world.remove()


def all_run_the_newest(world: World) -> bool:
    deployments = world.service()["deployments"]
    return len(deployments) == 1 and deployments[0]["runningCount"] == 1


def test_an_alarm_that_rings_after_the_last_task_runs_rolls_back(world: World) -> None:
    alarms = {"alarmNames": [world.name], "enable": True, "rollback": True}
    world.create(
        desiredCount=1,
        deploymentConfiguration={"alarms": alarms},
        healthCheckGracePeriodSeconds=300,
    )
    world.until_deployment("SUCCESSFUL")
    world.deploy("second")
    eventually("the second alone runs", lambda: all_run_the_newest(world))
    eventually("it serves", lambda: world.json("/")["version"] == "second")
    assert world.deployment()["status"] == "IN_PROGRESS"
    world.client("cloudwatch").set_alarm_state(
        AlarmName=world.name, StateValue="ALARM", StateReason="a test"
    )
    world.until_deployment("ROLLBACK_SUCCESSFUL")
    assert world.json("/")["version"] == "first"
