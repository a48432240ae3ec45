"""What ECS is asked about the service of a small environment, and what it answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.stub import Stubber

from prod_e_ops.service.model import Revision

ARN = "arn:aws:ecs:us-west-2:123456789012"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
IN_SERVICE = {"cluster": "tiny-e-cluster", "service": "tiny-e-backend"}
REGISTRY = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
GROUP = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/tiny/1"


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
