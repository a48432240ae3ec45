"""Clients of an embedded AWS without a data plane, and a service on it."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

SUBNET_CIDRS = ("10.0.1.0/24", "10.0.2.0/24")

Clients = Callable[[str], Any]


class Service:
    """A Fargate service behind a target group, in a network and a cluster of its own."""

    def __init__(self, clients: Clients, **arguments: Any) -> None:
        self.ecs, self.ec2, self.elbv2 = clients("ecs"), clients("ec2"), clients("elbv2")
        self.cluster = f"cluster-{uuid4().hex[:8]}"
        self.name = "service"
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"us-west-2{zone}")[
                "Subnet"
            ]["SubnetId"]
            for cidr, zone in zip(SUBNET_CIDRS, "ab", strict=True)
        ]
        security_group = self.ec2.create_security_group(
            GroupName="tasks", Description="tasks", VpcId=vpc
        )["GroupId"]
        self.target_group = self.elbv2.create_target_group(
            Name=self.cluster, Protocol="HTTP", Port=3000, VpcId=vpc, TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        self.ecs.create_cluster(clusterName=self.cluster)
        self.task_definition = self.register_task_definition()
        self.created = self.ecs.create_service(
            **{
                "cluster": self.cluster,
                "serviceName": self.name,
                "taskDefinition": self.task_definition,
                "desiredCount": 2,
                "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
                "networkConfiguration": {
                    "awsvpcConfiguration": {
                        "subnets": self.subnets,
                        "securityGroups": [security_group],
                    }
                },
                "loadBalancers": [
                    {
                        "targetGroupArn": self.target_group,
                        "containerName": "app",
                        "containerPort": 3000,
                    }
                ],
                **arguments,
            }
        )["service"]

    def register_task_definition(self, image: str = "app", command: Sequence[str] = ()) -> str:
        return self.register_containers({"name": "app", "image": image, "command": list(command)})

    def register_containers(self, *containers: dict[str, Any]) -> str:
        """A task definition with these containers, each of which is essential."""
        arn: str = self.ecs.register_task_definition(
            family=self.cluster,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{**each, "essential": True} for each in containers],
        )["taskDefinition"]["taskDefinitionArn"]
        return arn

    def describe(self) -> dict[str, Any]:
        answer = self.ecs.describe_services(cluster=self.cluster, services=[self.name])
        described: dict[str, Any] = answer["services"][0]
        return described

    def update(self, **arguments: Any) -> None:
        self.ecs.update_service(cluster=self.cluster, service=self.name, **arguments)

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(
            cluster=self.cluster, serviceName=self.name, desiredStatus=status
        )["taskArns"]
        if not arns:
            return []
        described: list[dict[str, Any]] = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)[
            "tasks"
        ]
        return described

    def task_arns(self) -> set[str]:
        return {task["taskArn"] for task in self.tasks()}

    def targets(self) -> list[dict[str, Any]]:
        described: list[dict[str, Any]] = self.elbv2.describe_target_health(
            TargetGroupArn=self.target_group
        )["TargetHealthDescriptions"]
        return described

    def deployments(self, **arguments: Any) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.ecs.list_service_deployments(
            cluster=self.cluster, service=self.name, **arguments
        )["serviceDeployments"]
        return listed


ROLLED_BACK = {
    "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
}


def ecr_image(service: Service, tag: str) -> str:
    return f"123456789012.dkr.ecr.us-west-2.amazonaws.com/{service.cluster}:{tag}"


def push(clients: Clients, repository: str, tag: str, content: str = "") -> str:
    ecr = clients("ecr")
    media_type = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": {}, "layers": []}
    with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName=repository)
    digest: str = ecr.put_image(
        repositoryName=repository,
        imageManifest=json.dumps({**manifest, "content": content}),
        imageTag=tag,
    )["image"]["imageId"]["imageDigest"]
    return digest


def address(task: dict[str, Any]) -> str:
    details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
    address: str = details["privateIPv4Address"]
    return address
