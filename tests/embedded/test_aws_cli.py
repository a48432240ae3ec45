"""The AWS CLI, unmodified, against an embedded AWS whose tasks run."""

import base64
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from embedded_aws import EmbeddedAws
from tests.embedded.world import World, eventually, write_source
from tests.support.command.aws_cli import (
    AwsCliUnavailableError,
    of_this_machine,
    version_1_from_pypi,
)

pytestmark = pytest.mark.slow

COMMAND_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class AwsCli:
    """Its program and the environment that leads it to the embedded AWS. `major`: its version."""

    major: str
    program: str
    aws: EmbeddedAws

    def run(self, *arguments: str) -> str:
        """Gives what it prints."""
        done = subprocess.run(
            # Releases of version 2 before 2.13 do not know AWS_ENDPOINT_URL.
            [self.program, "--endpoint-url", self.aws.endpoint_url, *arguments],
            env={**self.aws.environment(), "AWS_PAGER": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--output", "json"))

    def text(self, query: str, *arguments: str) -> list[str]:
        """What a query of the answer gives, word by word."""
        return self.run(*arguments, "--query", query, "--output", "text").split()


@pytest.fixture(scope="module", params=["1", "2"])
def cli(
    request: pytest.FixtureRequest, aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory
) -> AwsCli:
    try:
        program = (
            version_1_from_pypi(tmp_path_factory.mktemp("aws-cli"))
            if request.param == "1"
            else of_this_machine()
        )
    except AwsCliUnavailableError as missing:
        if os.environ.get("PROD_E_REQUIRE_AWS_CLI") == "1":
            pytest.fail(f"{missing} PROD_E_REQUIRE_AWS_CLI=1 asks for these tests.")
        pytest.skip(str(missing))
    found = AwsCli(major=request.param, program=program, aws=aws)
    assert found.run("--version").startswith(f"aws-cli/{request.param}.")
    return found


def test_services_and_tasks(cli: AwsCli, world: World) -> None:
    world.create(desiredCount=1)
    service = ("--cluster", world.name, "--services", "app")
    cli.run("ecs", "wait", "services-stable", *service)
    of_cluster = ("ecs", "describe-clusters", "--clusters", world.name)
    assert cli.text("clusters[0].runningTasksCount", *of_cluster) == ["1"]
    (arn,) = cli.json("ecs", "list-services", "--cluster", world.name)["serviceArns"]
    assert arn.endswith("/app")
    (described,) = cli.json("ecs", "describe-services", *service)["services"]
    assert (described["runningCount"], described["desiredCount"]) == (1, 1)
    assert "has reached a steady state." in json.dumps(described["events"])
    definition = described["taskDefinition"]
    family = ("--family-prefix", world.name)
    assert cli.text("taskDefinitionArns", "ecs", "list-task-definitions", *family) == [definition]
    found = cli.json("ecs", "describe-task-definition", "--task-definition", definition)
    assert found["taskDefinition"]["containerDefinitions"][0]["image"] == world.image

    grown = ("ecs", "update-service", "--cluster", world.name, "--service", "app")
    cli.run(*grown, "--desired-count", "2")
    cli.run("ecs", "wait", "services-stable", *service)
    tasks = cli.text("taskArns", "ecs", "list-tasks", "--cluster", world.name)
    assert len(tasks) == 2

    stopped = ("--cluster", world.name, "--task", tasks[0], "--reason", "by hand")
    cli.run("ecs", "stop-task", *stopped)
    cli.run("ecs", "wait", "tasks-stopped", "--cluster", world.name, "--tasks", tasks[0])
    (ended,) = cli.json("ecs", "describe-tasks", "--cluster", world.name, "--tasks", tasks[0])[
        "tasks"
    ]
    assert (ended["lastStatus"], ended["stopCode"]) == ("STOPPED", "UserInitiated")
    cli.run("ecs", "wait", "services-stable", *service)
    assert tasks[0] not in cli.text("taskArns", "ecs", "list-tasks", "--cluster", world.name)


def _eventually(what: str, condition: Callable[[], Any]) -> Any:
    """Each look is a start of the AWS CLI, which takes its time on a busy machine."""
    return eventually(what, condition, seconds=COMMAND_SECONDS)


def _stopped(cli: AwsCli, world: World) -> dict[str, Any]:
    """A task of the service that has stopped by itself, as AWS's page says how to find it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-errors.html
    """
    of_cluster = ("--cluster", world.name)
    stopped = (
        *("ecs", "list-tasks", *of_cluster, "--service-name", "app"),
        *("--desired-status", "STOPPED"),
    )
    task, *_ = _eventually("a task has stopped", lambda: cli.text("taskArns", *stopped))
    (found,) = cli.json("ecs", "describe-tasks", *of_cluster, "--tasks", task)["tasks"]
    assert isinstance(found, dict)
    return found


def _events(cli: AwsCli, world: World) -> str:
    service = ("--cluster", world.name, "--services", "app")
    return cli.run(
        *("ecs", "describe-services", *service),
        *("--query", "services[0].events[].message", "--output", "text"),
    )


def test_why_a_service_does_not_start(cli: AwsCli, world: World) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html"""
    write_source(world.source, f"crash {world.name}")
    world.create(desiredCount=1)
    task = _stopped(cli, world)
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["containers"][0]["exitCode"] == 3
    said = ("logs", "filter-log-events", "--log-group-name", f"/ecs/{world.name}")
    assert "it cannot start" in cli.run(*said, "--query", "events[].message")

    def gives_up() -> bool:
        return "deployment failed: tasks failed to start." in _events(cli, world)

    _eventually("ECS gives up", gives_up)
    assert "has started 1 tasks: (task " in _events(cli, world)
    service = ("--cluster", world.name, "--services", "app")
    state = "services[0].deployments[0].rolloutStateReason"
    told = "ECS deployment circuit breaker: tasks failed to start."
    assert told in " ".join(cli.text(state, "ecs", "describe-services", *service))


def test_why_an_image_cannot_be_pulled(cli: AwsCli, world: World) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html"""
    absent = world.container(image=world.image.replace(":latest", f"-{world.name}:latest"))
    world.create(world.define(absent), desiredCount=1)
    task = _stopped(cli, world)
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "exitCode" not in task["containers"][0]


def test_why_a_task_does_not_join_its_load_balancer(cli: AwsCli, world: World) -> None:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/check-target-health.html"""
    write_source(world.source, f"unhealthy {world.name}")
    # As long as ECS does not replace it for that, it can be looked at.
    world.create(desiredCount=1, healthCheckGracePeriodSeconds=7_200)
    of_group = ("elbv2", "describe-target-health", "--target-group-arn", world.group)
    unhealthy = "TargetHealthDescriptions[?TargetHealth.State=='unhealthy'].TargetHealth"

    def targets() -> Any:
        return json.loads(cli.run(*of_group, "--query", unhealthy, "--output", "json"))

    told = "Health checks failed with these codes: [500]"
    (health,) = _eventually("a target is unhealthy", targets)
    assert (health["Reason"], health["Description"]) == ("Target.ResponseCodeMismatch", told)
    service = ("--cluster", world.name, "--service", "app")
    cli.run("ecs", "update-service", *service, "--health-check-grace-period-seconds", "0")
    task = _stopped(cli, world)
    group = f"(target-group {world.group})"
    assert task["stoppedReason"] == f"Task failed ELB health checks in {group}"
    id = task["taskArn"].rpartition("/")[2]
    event = f"(service app) (task {id}) (port 3000) is unhealthy in {group} due to (reason {told})"
    assert event in _events(cli, world)


def test_a_task_of_its_own_and_what_it_says(cli: AwsCli, world: World) -> None:
    definition = world.define(world.container(command=["node", "-e", "console.log('by hand')"]))
    network = json.dumps(world.network)
    begun = cli.json(
        *("ecs", "run-task", "--cluster", world.name, "--task-definition", definition),
        *("--launch-type", "FARGATE", "--network-configuration", network),
    )
    (task,) = begun["tasks"]
    which = ("--cluster", world.name, "--tasks", task["taskArn"])
    cli.run("ecs", "wait", "tasks-stopped", *which)
    exit_code = "tasks[0].containers[0].exitCode"
    assert cli.text(exit_code, "ecs", "describe-tasks", *which) == ["0"]
    group = f"/ecs/{world.name}"
    assert cli.text(
        "logGroups[].logGroupName", "logs", "describe-log-groups", "--log-group-name-prefix", group
    ) == [group]
    (stream,) = cli.text(
        "logStreams[].logStreamName", "logs", "describe-log-streams", "--log-group-name", group
    )
    assert stream == f"ecs/app/{task['taskArn'].rpartition('/')[2]}"
    said = ("logs", "filter-log-events", "--log-group-name", group)
    assert cli.text("events[].message", *said) == ["by", "hand"]
    if cli.major == "2":
        assert "by hand" in cli.run("logs", "tail", group)


def test_load_balancers(cli: AwsCli, world: World) -> None:
    world.create(desiredCount=1)
    world.until_steady()
    found = cli.json("elbv2", "describe-load-balancers", "--names", world.name)
    (balancer,) = found["LoadBalancers"]
    of_balancer = ("--load-balancer-arn", balancer["LoadBalancerArn"])
    assert balancer["State"]["Code"] == "active"
    (listener,) = cli.json("elbv2", "describe-listeners", *of_balancer)["Listeners"]
    assert listener["ListenerArn"] == world.listener
    (group,) = cli.json("elbv2", "describe-target-groups", *of_balancer)["TargetGroups"]
    of_group = ("--target-group-arn", group["TargetGroupArn"])
    health = "TargetHealthDescriptions[].TargetHealth.State"
    assert cli.text(health, "elbv2", "describe-target-health", *of_group) == ["healthy"]
    cli.run("elbv2", "wait", "target-in-service", *of_group)
    of_listener = ("--listener-arn", world.listener)
    teapot = "StatusCode=418,MessageBody=teapot,ContentType=text/plain"
    answer = f"Type=fixed-response,FixedResponseConfig={{{teapot}}}"
    (rule,) = cli.json(
        *("elbv2", "create-rule", *of_listener, "--priority", "5"),
        *("--conditions", "Field=path-pattern,Values=/tea", "--actions", answer),
    )["Rules"]
    rules = cli.text("Rules[].RuleArn", "elbv2", "describe-rules", *of_listener)
    assert rule["RuleArn"] in rules


@pytest.mark.usefixtures("with_postgresql")
def test_databases(cli: AwsCli) -> None:
    name = f"d{uuid4().hex[:8]}"
    which = ("--db-instance-identifier", name)
    cli.run(
        *("rds", "create-db-instance", *which, "--engine", "postgres"),
        *("--db-instance-class", "db.t4g.micro", "--allocated-storage", "20"),
        *("--master-username", "app", "--manage-master-user-password", "--db-name", "app"),
    )
    cli.run("rds", "wait", "db-instance-available", *which)
    (instance,) = cli.json("rds", "describe-db-instances", *which)["DBInstances"]
    assert (instance["DBInstanceStatus"], instance["Engine"]) == ("available", "postgres")
    secret = instance["MasterUserSecret"]["SecretArn"]
    asked = ("secretsmanager", "get-secret-value", "--secret-id", secret)
    assert '"username"' in cli.run(*asked, "--query", "SecretString", "--output", "text")
    snapshot = ("--db-snapshot-identifier", f"{name}-s")
    cli.run("rds", "create-db-snapshot", *which, *snapshot)
    cli.run("rds", "wait", "db-snapshot-available", *snapshot)
    of_snapshot = ("rds", "describe-db-snapshots", *snapshot)
    assert cli.text("DBSnapshots[].DBInstanceIdentifier", *of_snapshot) == [name]
    cli.run("rds", "delete-db-instance", *which, "--skip-final-snapshot")
    cli.run("rds", "wait", "db-instance-deleted", *which)


def test_images(cli: AwsCli, tmp_path: Path) -> None:
    name = f"r{uuid4().hex[:8]}"
    which = ("--repository-name", name)
    made = cli.json("ecr", "create-repository", *which)["repository"]
    host = cli.aws.registry_address
    assert made["repositoryUri"] == f"{host}/{name}"
    password = cli.run("ecr", "get-login-password").strip()
    assert requests.get(f"http://{host}/v2/", auth=("AWS", password), timeout=30).ok
    manifest = tmp_path / "manifest.json"
    layer = f"sha256:{'0' * 64}"
    manifest.write_text(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": {"size": 2, "digest": layer},
                "layers": [{"size": 40, "digest": layer}],
            }
        )
    )
    image = ("--image-tag", "v1", "--image-manifest", f"file://{manifest}")
    cli.run("ecr", "put-image", *which, *image)
    assert cli.text("imageDetails[0].imageSizeInBytes", "ecr", "describe-images", *which) == ["42"]
    assert cli.text("imageIds[].imageTag", "ecr", "list-images", *which) == ["v1"]
    got = cli.json("ecr", "batch-get-image", *which, "--image-ids", "imageTag=v1")["images"]
    assert got[0]["imageManifest"] == manifest.read_text()
    cli.run("ecr", "batch-delete-image", *which, "--image-ids", "imageTag=v1")
    assert cli.json("ecr", "list-images", *which)["imageIds"] == []
    cli.run("ecr", "delete-repository", *which)
    token = "authorizationData[0].authorizationToken"
    (given,) = cli.text(token, "ecr", "get-authorization-token")
    assert base64.b64decode(given).startswith(b"AWS:ey")
