"""What ECS answers becomes a service, its deployments and its tasks."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from prod_e.settings import load_environments
from prod_e_ops import next_commands
from prod_e_ops.errors import AwsFailed, ServiceNotDeployed
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.model import (
    Deployment,
    Event,
    Revision,
    ServiceStatus,
    Task,
    TaskDefinition,
)
from tests.unit.aws.stubbed import stubbed

ARN = "arn:aws:ecs:us-west-2:123456789012"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
IN_SERVICE = {"cluster": "tiny-e-cluster", "service": "tiny-e-backend"}
REGISTRY = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
GROUP = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/tiny/1"


@pytest.fixture
def deployments(tmp_path: Path) -> Deployments:
    (tmp_path / "tiny-e.toml").write_text('name = "tiny-e"\n[services.backend]\n')
    (environment,) = load_environments(tmp_path)
    return Deployments(environment, "backend")


@pytest.fixture
def ecs(deployments: Deployments) -> Iterator[Stubber]:
    with stubbed(deployments, "_ecs", "ecs") as stubber:
        yield stubber


@pytest.fixture
def elb(deployments: Deployments) -> Iterator[Stubber]:
    with stubbed(deployments, "_elbv2", "elbv2") as stubber:
        yield stubber


def revision_arn(number: int) -> str:
    return f"{ARN}:service-revision/tiny-e-cluster/tiny-e-backend/{number}"


def deployment_arn(number: int) -> str:
    return f"{ARN}:service-deployment/tiny-e-cluster/tiny-e-backend/d{number}"


def listed(number: int, *, status: str = "SUCCESSFUL", **more: Any) -> dict[str, Any]:
    return {
        "serviceDeploymentArn": deployment_arn(number),
        "status": status,
        "createdAt": NOW + timedelta(hours=number),
        "targetServiceRevisionArn": revision_arn(number),
        **more,
    }


def described(number: int) -> dict[str, Any]:
    return {
        "serviceRevisionArn": revision_arn(number),
        "taskDefinition": f"{ARN}:task-definition/tiny-e-backend:{number}",
        "containerImages": [
            {"containerName": "sidecar", "image": "envoy:1", "imageDigest": "sha256:envoy"},
            {
                "containerName": "tiny-e-backend",
                "image": f"{REGISTRY}/tiny-e-backend:latest",
                "imageDigest": f"sha256:{number}",
            },
        ],
    }


def revision(number: int) -> Revision:
    return Revision(
        id=str(number),
        task_definition=f"tiny-e-backend:{number}",
        image=f"{REGISTRY}/tiny-e-backend:latest",
        digest=f"sha256:{number}",
    )


def task(number: int, **more: Any) -> dict[str, Any]:
    return {
        "taskArn": f"{ARN}:task/tiny-e-cluster/t{number}",
        "lastStatus": "RUNNING",
        "startedBy": f"ecs-svc/{number}",
        "taskDefinitionArn": f"{ARN}:task-definition/tiny-e-backend:{number}",
        "containers": [
            {"name": "tiny-e-backend", "imageDigest": f"sha256:{number}"},
            {"name": "sidecar", "imageDigest": "sha256:envoy"},
        ],
        **more,
    }


def service(**more: Any) -> dict[str, Any]:
    return {
        "status": "ACTIVE",
        "taskDefinition": f"{ARN}:task-definition/tiny-e-backend:2",
        "desiredCount": 4,
        "runningCount": 3,
        "pendingCount": 1,
        "deployments": [
            {"status": "ACTIVE", "id": "ecs-svc/1", "createdAt": NOW - timedelta(days=30)},
            {
                "status": "PRIMARY",
                "id": "ecs-svc/2",
                "createdAt": NOW,
                "rolloutState": "IN_PROGRESS",
                "taskDefinition": f"{ARN}:task-definition/tiny-e-backend:2",
            },
        ],
        "loadBalancers": [{"targetGroupArn": GROUP}, {"loadBalancerName": "a classic one"}],
        "events": [{"id": "e1", "createdAt": NOW, "message": "has reached a steady state."}],
        **more,
    }


def expect_service(ecs: Stubber, *found: dict[str, Any]) -> None:
    asked = {"cluster": "tiny-e-cluster", "services": ["tiny-e-backend"]}
    ecs.add_response("describe_services", {"services": list(found)}, asked)


def expect_tasks(ecs: Stubber, *found: dict[str, Any], desired: str = "RUNNING") -> None:
    arns = [each["taskArn"] for each in found]
    ecs.add_response(
        "list_tasks",
        {"taskArns": arns},
        {"cluster": "tiny-e-cluster", "serviceName": "tiny-e-backend", "desiredStatus": desired},
    )
    if found:
        asked = {"cluster": "tiny-e-cluster", "tasks": arns}
        ecs.add_response("describe_tasks", {"tasks": list(found)}, asked)


def expect_history(ecs: Stubber, *found: dict[str, Any], after: datetime | None = None) -> None:
    limit = {"createdAt": {"after": after}} if after else {}
    ecs.add_response(
        "list_service_deployments", {"serviceDeployments": list(found)}, {**IN_SERVICE, **limit}
    )
    if found:
        numbers = [int(each["targetServiceRevisionArn"].rpartition("/")[2]) for each in found]
        ecs.add_response(
            "describe_service_revisions",
            {"serviceRevisions": [described(number) for number in numbers]},
            {"serviceRevisionArns": sorted(map(revision_arn, numbers))},
        )


def expect_definition(ecs: Stubber, name: str, *, status: str = "ACTIVE") -> None:
    ecs.add_response(
        "describe_task_definition",
        {
            "taskDefinition": {
                "taskDefinitionArn": f"{ARN}:task-definition/{name}",
                "status": status,
                "containerDefinitions": [
                    {"name": "sidecar", "image": "envoy:1"},
                    {"name": "tiny-e-backend", "image": f"of {name}"},
                ],
            }
        },
        {"taskDefinition": name},
    )


def test_the_status_is_the_service_its_tasks_its_targets_and_its_newest_deployment(
    deployments: Deployments, ecs: Stubber, elb: Stubber
) -> None:
    expect_service(ecs, service())
    # After a rollback, the primary deployment began later than the newest that is recorded.
    expect_history(ecs, listed(1), listed(2, status="IN_PROGRESS"), after=NOW - timedelta(days=2))
    old, starting = task(1), task(1, lastStatus="PENDING")
    expect_tasks(ecs, old, starting, task(2), task(2))
    elb.add_response(
        "describe_target_health",
        {
            "TargetHealthDescriptions": [
                {"TargetHealth": {"State": state}} for state in ("initial", "healthy", "healthy")
            ]
        },
        {"TargetGroupArn": GROUP},
    )
    assert asyncio.run(deployments.status()) == ServiceStatus(
        key="backend",
        service="tiny-e-backend",
        cluster="tiny-e-cluster",
        task_definition="tiny-e-backend:2",
        desired=4,
        running=3,
        pending=1,
        old_running=1,
        digests=("sha256:1", "sha256:2"),
        targets={"healthy": 2, "initial": 1},
        deployment=Deployment(
            id="d2",
            status="IN_PROGRESS",
            reason="",
            created_at=NOW + timedelta(hours=2),
            finished_at=None,
            revision=revision(2),
        ),
        events=(Event(id="e1", at=NOW, message="has reached a steady state."),),
    )


@pytest.mark.parametrize(
    ("rollout", "status"),
    [
        ("IN_PROGRESS", "IN_PROGRESS"),
        ("COMPLETED", "SUCCESSFUL"),
        ("FAILED", "FAILED"),
        (None, "SUCCESSFUL"),
    ],
)
def test_without_a_record_of_deployments_the_primary_one_is_the_newest(
    deployments: Deployments, ecs: Stubber, rollout: str | None, status: str
) -> None:
    primary = service()["deployments"][1]
    del primary["rolloutState"]
    if rollout:
        primary["rolloutState"] = rollout
    expect_service(ecs, service(deployments=[primary], loadBalancers=[], events=[]))
    expect_history(ecs, after=NOW - timedelta(days=2))
    expect_definition(ecs, "tiny-e-backend:2")
    expect_tasks(ecs)
    found = asyncio.run(deployments.status())
    assert found.targets == {}
    assert found.deployment == Deployment(
        id="2",
        status=status,
        reason="",
        created_at=NOW,
        finished_at=None,
        revision=Revision(
            id="2", task_definition="tiny-e-backend:2", image="of tiny-e-backend:2", digest=None
        ),
    )


def test_a_service_that_is_not_there_names_the_command_that_deploys_it(
    deployments: Deployments, ecs: Stubber
) -> None:
    expect_service(ecs, service(status="INACTIVE"))
    with pytest.raises(ServiceNotDeployed) as refusal:
        asyncio.run(deployments.status())
    assert refusal.value.message == (
        "There is no service tiny-e-backend in the cluster tiny-e-cluster (us-west-2)."
    )
    assert refusal.value.next_step == (
        f"Deploy the environment first: {next_commands.deploy('tiny-e')}"
    )


def test_whether_a_service_exists(deployments: Deployments, ecs: Stubber) -> None:
    expect_service(ecs, service(status="INACTIVE"), service())
    assert asyncio.run(deployments.exists())
    expect_service(ecs)
    assert not asyncio.run(deployments.exists())
    ecs.add_client_error("describe_services", "ClusterNotFoundException")
    assert not asyncio.run(deployments.exists())


def test_deployments_are_listed_page_by_page_the_newest_first(
    deployments: Deployments, ecs: Stubber
) -> None:
    rolled_back = listed(2, status="ROLLBACK_SUCCESSFUL", finishedAt=NOW, statusReason="unsaid")
    stopped = listed(1, status="STOPPED", statusReason="somebody stopped it")
    ecs.add_response(
        "list_service_deployments",
        {"serviceDeployments": [stopped, listed(4)], "nextToken": "more"},
        IN_SERVICE,
    )
    ecs.add_response(
        "list_service_deployments",
        {"serviceDeployments": [rolled_back, listed(3)]},
        {**IN_SERVICE, "nextToken": "more"},
    )
    ecs.add_response(
        "describe_service_revisions",
        # ECS keeps no revision 4 any more.
        {"serviceRevisions": [described(1), described(2), described(3)]},
        {"serviceRevisionArns": [revision_arn(number) for number in (1, 2, 3, 4)]},
    )
    ecs.add_response(
        "describe_service_deployments",
        {
            "serviceDeployments": [
                {"serviceDeploymentArn": deployment_arn(2), "rollback": {"reason": "no task runs"}}
            ]
        },
        {"serviceDeploymentArns": [deployment_arn(2)]},
    )
    found = asyncio.run(deployments.history())
    assert [(each.id, each.reason, each.finished_at) for each in found] == [
        ("d3", "", None),
        ("d2", "no task runs", NOW),
        ("d1", "somebody stopped it", None),
    ]
    assert [each.revision for each in found] == [revision(3), revision(2), revision(1)]


def test_revisions_are_described_by_twenty_as_ecs_demands(
    deployments: Deployments, ecs: Stubber
) -> None:
    numbers = list(range(10, 31))
    ecs.add_response(
        "list_service_deployments",
        {"serviceDeployments": [listed(number) for number in numbers]},
        IN_SERVICE,
    )
    for part in (numbers[:20], numbers[20:]):
        ecs.add_response(
            "describe_service_revisions",
            {"serviceRevisions": [described(number) for number in part]},
            {"serviceRevisionArns": [revision_arn(number) for number in part]},
        )
    assert len(asyncio.run(deployments.history())) == 21


def test_a_revision_whose_container_has_another_name_is_its_first_container(
    deployments: Deployments, ecs: Stubber
) -> None:
    other = {**described(1), "containerImages": [{"containerName": "web", "image": "web:1"}]}
    none = {**described(2), "containerImages": []}
    ecs.add_response(
        "list_service_deployments", {"serviceDeployments": [listed(1), listed(2)]}, IN_SERVICE
    )
    ecs.add_response("describe_service_revisions", {"serviceRevisions": [other, none]})
    newest, oldest = asyncio.run(deployments.history())
    assert (oldest.revision.image, oldest.revision.digest) == ("web:1", None)
    assert (newest.revision.image, newest.revision.digest) == ("", None)


def test_a_stopped_task_says_why_with_the_exit_of_each_container(
    deployments: Deployments, ecs: Stubber
) -> None:
    expect_tasks(
        ecs,
        task(
            7,
            lastStatus="STOPPED",
            stoppedReason="Essential container in task exited",
            stoppedAt=NOW,
            containers=[
                {"name": "tiny-e-backend", "exitCode": 137, "reason": "OutOfMemoryError"},
                {"name": "sidecar", "exitCode": 0},
                {"name": "never-started"},
            ],
        ),
        desired="STOPPED",
    )
    (found,) = asyncio.run(deployments.tasks(stopped=True))
    assert found == Task(
        id="t7",
        status="STOPPED",
        deployment="7",
        task_definition="tiny-e-backend:7",
        digests={},
        stopped_reason="Essential container in task exited",
        exits=(
            "container tiny-e-backend exited with 137 (OutOfMemoryError)",
            "container sidecar exited with 0",
        ),
        failed_containers=("tiny-e-backend",),
        stopped_at=NOW,
    )
    assert found.why_stopped == (
        "Essential container in task exited;"
        " container tiny-e-backend exited with 137 (OutOfMemoryError);"
        " container sidecar exited with 0"
    )


def test_tasks_are_described_by_a_hundred_as_ecs_demands(
    deployments: Deployments, ecs: Stubber
) -> None:
    found = [task(number) for number in range(101)]
    arns = [each["taskArn"] for each in found]
    ecs.add_response("list_tasks", {"taskArns": arns[:60], "nextToken": "more"})
    ecs.add_response("list_tasks", {"taskArns": arns[60:]})
    for part in (slice(0, 100), slice(100, 101)):
        asked = {"cluster": "tiny-e-cluster", "tasks": arns[part]}
        ecs.add_response("describe_tasks", {"tasks": found[part]}, asked)
    assert len(asyncio.run(deployments.tasks())) == 101


def test_the_digests_that_run_are_those_of_the_services_own_container(
    deployments: Deployments, ecs: Stubber
) -> None:
    expect_tasks(ecs, task(1), task(2), task(3, containers=[]))
    assert asyncio.run(deployments.running_digests()) == {"sha256:1", "sha256:2"}


def test_the_failed_tasks_of_a_deployment_come_newest_first_without_those_scaled_in(
    deployments: Deployments, ecs: Stubber
) -> None:
    def stopped(id: str, reason: str, *, revision: int = 2, hour: int | None = None) -> Any:
        return task(
            revision,
            taskArn=f"{ARN}:task/tiny-e-cluster/{id}",
            lastStatus="STOPPED",
            stoppedReason=reason,
            containers=[],
            **({} if hour is None else {"stoppedAt": NOW + timedelta(hours=hour)}),
        )

    expect_tasks(
        ecs,
        stopped("oldest", "no image", hour=1),
        stopped("without a time", "no image"),
        stopped("newest", "unhealthy", hour=2),
        stopped("scaled in", "Scaling activity initiated by (deployment ecs-svc/2)", hour=3),
        stopped("without a reason", "", hour=4),
        stopped("of another deployment", "no image", revision=1, hour=5),
        desired="STOPPED",
    )
    deployment = Deployment(
        id="d2", status="FAILED", reason="", created_at=NOW, finished_at=NOW, revision=revision(2)
    )
    failed = asyncio.run(deployments.failed_tasks(deployment))
    assert [each.id for each in failed] == ["newest", "oldest", "without a time"]


def test_active_revisions_of_the_own_family_come_newest_first(
    deployments: Deployments, ecs: Stubber
) -> None:
    names = ("tiny-e-backend:9", "tiny-e-backend-two:11", "tiny-e-backend:10")
    ecs.add_response(
        "list_task_definitions",
        {"taskDefinitionArns": [f"{ARN}:task-definition/{name}" for name in names]},
        {"familyPrefix": "tiny-e-backend", "status": "ACTIVE"},
    )
    expect_definition(ecs, "tiny-e-backend:10")
    expect_definition(ecs, "tiny-e-backend:9", status="INACTIVE")

    async def found() -> list[TaskDefinition]:
        return [each async for each in deployments.task_definitions()]

    assert asyncio.run(found()) == [
        TaskDefinition(name="tiny-e-backend:10", image="of tiny-e-backend:10", is_active=True),
        TaskDefinition(name="tiny-e-backend:9", image="of tiny-e-backend:9", is_active=False),
    ]


def test_a_task_definition_that_is_gone_is_none(deployments: Deployments, ecs: Stubber) -> None:
    ecs.add_client_error("describe_task_definition", "ClientException")
    assert asyncio.run(deployments.task_definition("tiny-e-backend:1")) is None


@pytest.mark.parametrize("definition", [None, "tiny-e-backend:3"])
def test_a_deployment_is_forced_of_the_present_or_the_given_revision(
    deployments: Deployments, ecs: Stubber, definition: str | None
) -> None:
    given = {"taskDefinition": definition} if definition else {}
    ecs.add_response("update_service", {}, {**IN_SERVICE, "forceNewDeployment": True, **given})
    asyncio.run(deployments.begin(task_definition=definition))


def test_what_ecs_refuses_is_told_with_what_was_done_before(
    deployments: Deployments, ecs: Stubber
) -> None:
    ecs.add_client_error("update_service", "InvalidParameterException", "no such thing")
    with pytest.raises(AwsFailed) as failure:
        asyncio.run(deployments.begin(left="the tag has moved"))
    assert failure.value.message.startswith(
        "ECS did not begin a deployment of tiny-e-backend: An error occurred"
    )
    assert failure.value.details == ("The tag has moved.",)


@pytest.mark.parametrize(
    ("call", "operation", "what"),
    [
        ("exists", "describe_services", "state"),
        ("history", "list_service_deployments", "deployments"),
        ("tasks", "list_tasks", "tasks"),
    ],
)
def test_a_question_that_fails_says_what_was_asked(
    deployments: Deployments, ecs: Stubber, call: str, operation: str, what: str
) -> None:
    ecs.add_client_error(operation, "ServerException")
    with pytest.raises(AwsFailed, match=f"The {what} of tiny-e-backend cannot be looked up"):
        asyncio.run(getattr(deployments, call)())
