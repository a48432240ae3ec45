"""Services of ECS run their tasks for real, and replace them as ECS does."""

import json
import os
import re
import signal
import time
from typing import Any

import boto3
import pytest

from tests.embedded.world import World, eventually, get, write_source
from tests.support.command.processes import is_running


def test_a_service_is_steady_once_its_tasks_are_healthy_behind_the_load_balancer(
    world: World,
) -> None:
    world.create()
    world.until_steady()
    assert world.health() == ["healthy", "healthy"]
    assert {world.json("/")["pid"] for _ in range(8)} == world.task_pids()
    assert len(world.task_pids()) == 2
    events = world.events()
    assert re.search(r"\(service app\) has started 2 tasks: \(task [0-9a-f-]{36}\)", events)
    assert f"registered 1 targets in (target-group {world.group})" in events
    assert "has reached a steady state." in events


def test_a_new_version_loses_no_request(world: World) -> None:
    world.create()
    world.until_steady()
    before = world.task_pids()
    with world.load() as load:
        world.deploy("second")
        world.until_steady()
        assert world.json("/")["version"] == "second"
    assert load.lost == 0, load
    assert "second" in load.versions
    assert before.isdisjoint(world.task_pids())
    stopped = world.tasks("STOPPED")
    assert {task["stopCode"] for task in stopped} == {"ServiceSchedulerInitiated"}
    (deployment,) = world.service()["deployments"]
    assert {task["stoppedReason"] for task in stopped} == {
        f"Scaling activity initiated by (deployment {deployment['id']})"
    }


def test_within_100_percent_tasks_are_replaced_one_by_one(world: World) -> None:
    world.create(
        deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100},
    )
    world.until_steady()
    most = 0
    with world.load() as load:
        world.deploy("second")

        def is_done() -> bool:
            nonlocal most
            most = max(most, len(world.tasks()))
            return world.is_steady()

        eventually("the service is steady", is_done)
    assert most == 2
    assert load.lost == 0, load


def test_a_version_that_cannot_start_is_rolled_back_and_loses_no_request(world: World) -> None:
    world.create()
    world.until_steady()
    before, first = world.task_pids(), world.service()["deployments"][0]["id"]
    with world.load() as load:
        world.deploy("crash")
        deployment = world.until_deployment("ROLLBACK_SUCCESSFUL", "STOPPED", "SUCCESSFUL")
    assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
    assert deployment["statusReason"] == ("ECS deployment circuit breaker: tasks failed to start.")
    assert load.lost == 0, load
    assert world.task_pids() == before
    assert [d["id"] for d in world.service()["deployments"]] == [first]
    failed = [task for task in world.tasks("STOPPED") if task["startedBy"] != first]
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    assert len(failed) >= 3
    assert {task["stopCode"] for task in failed} <= {
        "EssentialContainerExited",
        "ServiceSchedulerInitiated",
    }
    codes = [task["containers"][0]["exitCode"] for task in failed]
    assert 3 in codes
    assert f"rolling back to deployment {first}." in world.events()
    assert "it cannot start" in world.log_lines()


def test_a_version_that_answers_500_is_rolled_back_and_loses_no_request(world: World) -> None:
    world.create(healthCheckGracePeriodSeconds=1)
    world.until_steady()
    before = world.task_pids()
    with world.load("/slow?ms=100") as load:
        world.deploy("unhealthy")
        world.until_deployment("ROLLBACK_SUCCESSFUL")
    assert load.lost == 0, load
    assert load.versions == {world.json("/")["version"]}
    assert world.task_pids() == before
    reasons = {task["stoppedReason"] for task in world.tasks("STOPPED")}
    assert f"Task failed ELB health checks in (target-group {world.group})" in reasons


def test_after_a_rollback_new_tasks_run_the_former_version(world: World) -> None:
    world.create()
    world.until_steady()
    former = world.json("/")["version"]
    world.deploy("crash")
    world.until_deployment("ROLLBACK_SUCCESSFUL")
    world.update(desiredCount=4)
    world.until_steady()
    assert {world.json("/")["version"] for _ in range(12)} == {former}


def test_without_a_circuit_breaker_it_keeps_trying_and_keeps_serving(world: World) -> None:
    world.create(deploymentConfiguration={})
    world.until_steady()
    world.deploy("crash")
    failed = eventually(
        "five tasks have failed", lambda: world.service()["deployments"][0]["failedTasks"] >= 5
    )
    assert failed
    assert world.deployment()["status"] == "IN_PROGRESS"
    assert world.get("/")[0] == 200
    assert "is unable to consistently start tasks successfully." in world.events()


def test_a_killed_task_costs_at_most_what_was_in_flight_on_it_and_is_replaced(
    world: World,
) -> None:
    world.create()
    world.until_steady()
    before = world.task_pids()
    victim = min(before)
    with world.load(clients=8) as load:
        os.kill(victim, signal.SIGKILL)
        eventually("it is replaced", lambda: len(world.task_pids() - before) == 1)
        world.until_steady()
    # Each client has one request in flight.
    assert load.lost <= 8, load
    assert set(load.statuses) <= {200, 502}
    (stopped,) = world.tasks("STOPPED")
    assert stopped["stopCode"] == "EssentialContainerExited"
    assert stopped["stoppedReason"] == "Essential container in task exited"
    assert stopped["containers"][0]["exitCode"] == 137


def test_scaling_out_and_in_loses_no_request(world: World) -> None:
    world.create(desiredCount=1)
    world.until_steady()
    with world.load() as load:
        world.update(desiredCount=4)
        world.until_steady()
        assert len(world.task_pids()) == 4
        world.update(desiredCount=1)
        world.until_steady()
        eventually("tasks have ended", lambda: len(world.tasks("STOPPED")) == 3)
    assert load.lost == 0, load
    eventually("one target is left", lambda: world.health() == ["healthy"])


def test_a_task_is_drained_before_it_is_stopped(world: World) -> None:
    # It would not finish by itself what it is answering.
    write_source(world.source, "abrupt")
    world.create(desiredCount=1)
    world.until_steady()
    with world.load("/slow?ms=1500", clients=4) as load:
        world.deploy()
        eventually("one drains", lambda: "draining" in world.health())
        world.until_steady()
        eventually("it was stopped", lambda: "stopping" in world.log_lines())
    assert load.lost == 0, load


def test_stop_task_says_who_stopped_it_and_another_takes_its_place(world: World) -> None:
    world.create()
    world.until_steady()
    victim = world.tasks()[0]["taskArn"]
    world.ecs.stop_task(cluster=world.name, task=victim, reason="a person's reason")
    eventually("it is stopped", lambda: world.tasks("STOPPED"))
    world.until_steady()
    (stopped,) = eventually(
        "it has ended", lambda: [t for t in world.tasks("STOPPED") if t["lastStatus"] == "STOPPED"]
    )
    assert stopped["taskArn"] == victim
    assert stopped["stopCode"] == "UserInitiated"
    assert stopped["stoppedReason"] == "a person's reason"
    assert len(world.task_pids()) == 2


def test_within_its_grace_period_a_task_is_not_replaced_for_its_health(world: World) -> None:
    write_source(world.source, "unhealthy")
    breaker = {"deploymentCircuitBreaker": {"enable": False, "rollback": False}}
    world.create(
        desiredCount=1, healthCheckGracePeriodSeconds=3_600, deploymentConfiguration=breaker
    )
    eventually("its target is unhealthy", lambda: world.health() == ["unhealthy"])
    # Long enough for what would replace it to have done so.
    time.sleep(3)
    assert world.tasks("STOPPED") == []
    world.update(healthCheckGracePeriodSeconds=0)
    stopped = eventually("it is replaced", lambda: world.tasks("STOPPED"))
    assert "failed ELB health checks" in stopped[0]["stoppedReason"]


def test_stop_service_deployment_rolls_back(world: World) -> None:
    world.create(healthCheckGracePeriodSeconds=300)
    world.until_steady()
    former = world.json("/")["version"]
    world.deploy("unhealthy")
    eventually("new tasks run", lambda: len(world.tasks()) == 4)
    arn = world.deployment()["serviceDeploymentArn"]
    world.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    world.until_deployment("ROLLBACK_SUCCESSFUL")
    assert world.json("/")["version"] == former


def test_an_alarm_rolls_a_deployment_back(world: World) -> None:
    cloudwatch = world.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=world.name,
        Namespace="Test",
        MetricName="never",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    alarms = {"alarmNames": [world.name], "enable": True, "rollback": True}
    world.create(deploymentConfiguration={"alarms": alarms}, healthCheckGracePeriodSeconds=300)
    world.until_steady()
    former = world.json("/")["version"]
    world.deploy("unhealthy")
    cloudwatch.set_alarm_state(AlarmName=world.name, StateValue="ALARM", StateReason="a test")
    deployment = world.until_deployment("ROLLBACK_SUCCESSFUL")
    assert world.name in deployment["statusReason"]
    assert world.json("/")["version"] == former


def test_a_task_that_is_run_once_ends_with_its_exit_code(world: World) -> None:
    write_source(world.source, "job 7")
    (task,) = world.ecs.run_task(
        cluster=world.name,
        taskDefinition=world.define(),
        launchType="FARGATE",
        networkConfiguration=world.network,
    )["tasks"]

    def stopped() -> bool:
        (found,) = world.ecs.describe_tasks(cluster=world.name, tasks=[task["taskArn"]])["tasks"]
        return bool(found["lastStatus"] == "STOPPED")

    eventually("it has ended", stopped)
    (ended,) = world.ecs.describe_tasks(cluster=world.name, tasks=[task["taskArn"]])["tasks"]
    assert ended["containers"][0]["exitCode"] == 7
    assert ended["stopCode"] == "EssentialContainerExited"
    eventually("its output is logged", lambda: "the job is done" in world.log_lines())


def test_what_a_container_writes_is_in_its_log_while_it_runs(world: World) -> None:
    world.create(desiredCount=1)
    world.until_steady()
    world.get("/log?text=hello-from-the-task")
    eventually("it is there", lambda: "hello-from-the-task" in world.log_lines(), seconds=10)
    (task,) = world.tasks()
    streams = world.logs.describe_log_streams(logGroupName=f"/ecs/{world.name}")["logStreams"]
    id = task["taskArn"].rpartition("/")[2]
    assert [stream["logStreamName"] for stream in streams] == [f"ecs/app/{id}"]


def test_secrets_and_environment_are_as_the_task_definition_says(world: World) -> None:
    secret = world.client("secretsmanager").create_secret(
        Name=world.name, SecretString='{"key": "of json"}'
    )["ARN"]
    world.client("ssm").put_parameter(Name=f"/{world.name}", Value="of ssm", Type="SecureString")
    container = world.container(
        environment=[{"name": "PORT", "value": "3000"}, {"name": "GREETING", "value": "hello"}],
        secrets=[
            {"name": "FROM_SECRET", "valueFrom": f"{secret}:key::"},
            {"name": "FROM_PARAMETER", "valueFrom": f"/{world.name}"},
        ],
    )
    world.create(world.define(container), desiredCount=1)
    world.until_steady()
    environment = world.json("/env")
    assert environment["GREETING"] == "hello"
    assert environment["FROM_SECRET"] == "of json"
    assert environment["FROM_PARAMETER"] == "of ssm"
    # Nothing of this machine's user gets in.
    assert "AWS_ACCESS_KEY_ID" not in environment


def test_a_secret_that_cannot_be_read_says_so_in_the_stopped_reason(world: World) -> None:
    missing = f"arn:aws:secretsmanager:us-west-2:123456789012:secret:{world.name}-AbCdEf"
    container = world.container(secrets=[{"name": "X", "valueFrom": missing}])
    world.create(world.define(container), desiredCount=1)
    stopped = eventually("a task has failed", lambda: world.tasks("STOPPED"))
    assert stopped[0]["stopCode"] == "TaskFailedToStart"
    assert stopped[0]["stoppedReason"].startswith("ResourceInitializationError: unable to pull")


@pytest.mark.parametrize(("exits", "health"), [(0, "HEALTHY"), (1, "UNHEALTHY")])
def test_the_container_health_check_is_run(world: World, exits: int, health: str) -> None:
    check = {
        "command": ["CMD-SHELL", f"exit {exits}"],
        "interval": 5,
        "timeout": 2,
        "retries": 1,
    }
    container = world.container(healthCheck=check)
    world.create(world.define(container), desiredCount=1)
    if health == "HEALTHY":
        world.until_steady()
        assert world.tasks()[0]["healthStatus"] == health
    else:
        stopped = eventually("it is replaced", lambda: world.tasks("STOPPED"))
        assert stopped[0]["stoppedReason"] == "Task failed container health checks"


def test_a_deleted_service_is_draining_until_its_last_task_has_ended(world: World) -> None:
    world.create()
    world.until_steady()
    pids = world.task_pids()
    world.ecs.delete_service(cluster=world.name, service="app", force=True)
    assert world.service()["status"] == "DRAINING"
    eventually("it is gone", lambda: world.service()["status"] == "INACTIVE")
    for pid in pids:
        assert not is_running(pid)


def test_a_task_role_gives_its_task_credentials(world: World) -> None:
    role = world.client("iam").create_role(RoleName=world.name, AssumeRolePolicyDocument="{}")
    arn = role["Role"]["Arn"]
    world.create(world.define(taskRoleArn=arn), desiredCount=1)
    world.until_steady()
    address = world.json("/env")["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    status, _, body = get(address)
    assert status == 200
    given = json.loads(body)
    assert given["RoleArn"] == arn
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", given["Expiration"])
    identity = boto3.client(
        "sts",
        endpoint_url=world.aws.endpoint_url,
        region_name="us-west-2",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    ).get_caller_identity()
    assert f":assumed-role/{world.name}/" in identity["Arn"]
    assert get(address[:-1] + "x")[0] == 404


def test_a_task_goes_on_without_a_container_that_is_not_essential(world: World) -> None:
    helper = world.container(
        name="helper",
        essential=False,
        portMappings=[],
        command=["node", "-e", "console.log('helped'); process.exit(4)"],
    )
    definition = world.define(containerDefinitions=[world.container(), helper])
    world.create(definition, desiredCount=1)
    world.until_steady()
    eventually("it has helped", lambda: "helped" in world.log_lines())

    def codes() -> dict[str, int | None]:
        (task,) = world.tasks()
        return {c["name"]: c.get("exitCode") for c in task["containers"]}

    eventually("it has ended", lambda: codes() == {"app": None, "helper": 4})
    assert world.get("/")[0] == 200


def test_a_container_that_does_not_stop_is_killed_when_its_stop_timeout_is_over(
    world: World,
) -> None:
    stubborn = "process.on('SIGTERM', () => console.log('no')); setInterval(() => {}, 1000)"
    container = world.container(command=["node", "-e", stubborn], stopTimeout=2)
    world.create(world.define(container), desiredCount=1, loadBalancers=[])
    world.until_steady()
    (task,) = world.tasks()
    world.ecs.stop_task(cluster=world.name, task=task["taskArn"])

    def ended() -> Any:
        (found,) = world.ecs.describe_tasks(cluster=world.name, tasks=[task["taskArn"]])["tasks"]
        return found if found["containers"][0].get("exitCode") == 137 else None

    killed = eventually("it is killed", ended, seconds=20)
    assert (killed["stoppedAt"] - killed["stoppingAt"]).total_seconds() >= 2
    eventually("it was asked", lambda: "no" in world.log_lines())
