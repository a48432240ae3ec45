"""What ECS answers becomes a service and its deployments."""

import asyncio
from datetime import timedelta

import pytest
from botocore.exceptions import BotoCoreError
from botocore.stub import Stubber

from prod_e_ops import next_commands
from prod_e_ops.errors import AwsFailed, ServiceNotDeployed
from prod_e_ops.service import ecs as ecs_module
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.model import (
    Deployment,
    Event,
    Revision,
    ServiceStatus,
)
from tests.unit.aws.ecs_answers import (
    GROUP,
    IN_SERVICE,
    NOW,
    deployment_arn,
    described,
    expect_definition,
    expect_history,
    expect_service,
    expect_tasks,
    listed,
    revision,
    revision_arn,
    service,
    task,
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
    with pytest.raises(AwsFailed, match=f"Cannot read the {what} of tiny-e-backend"):
        asyncio.run(getattr(deployments, call)())


@pytest.mark.parametrize(
    ("attribute", "service_", "told"),
    [
        ("_ecs", "ecs", "Cannot call ECS"),
        ("_elbv2", "elbv2", "Cannot call Elastic Load Balancing"),
    ],
)
def test_aws_is_asked_in_the_environments_region(
    deployments: Deployments,
    monkeypatch: pytest.MonkeyPatch,
    attribute: str,
    service_: str,
    told: str,
) -> None:
    made = []
    monkeypatch.setattr(
        ecs_module, "aws_client", lambda service, *, region: made.append((service, region))
    )
    getattr(deployments, attribute)
    assert made == [(service_, "us-west-2")]

    def fail(*_: object, **__: object) -> None:
        raise BotoCoreError

    del deployments.__dict__[attribute]
    monkeypatch.setattr(ecs_module, "aws_client", fail)
    with pytest.raises(AwsFailed, match=f"^{told}: "):
        getattr(deployments, attribute)
