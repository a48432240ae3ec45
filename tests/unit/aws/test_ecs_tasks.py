"""What ECS answers becomes tasks and revisions of their definition."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from prod_e_ops.errors import AwsFailed
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.model import (
    Deployment,
    Task,
    TaskDefinition,
)
from tests.unit.aws.ecs_answers import (
    ARN,
    NOW,
    expect_definition,
    expect_tasks,
    revision,
    task,
)


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


def test_a_list_of_revisions_that_fails_says_what_was_asked(
    deployments: Deployments, ecs: Stubber
) -> None:
    async def first() -> TaskDefinition | None:
        return await anext(deployments.task_definitions(), None)

    ecs.add_client_error("list_task_definitions", "ServerException")
    told = "Cannot read the task definitions of tiny-e-backend"
    with pytest.raises(AwsFailed, match=told):
        asyncio.run(first())
