"""A service on the embedded AWS, its images and deployments, and the `prod-e` command beside it."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from embedded_aws import ACCOUNT_ID, EmbeddedAws
from tests.support.aws.aws_clients import client_of
from tests.support.command.asked import Asked
from tests.support.command.forked_command import PROD_E, run_prod_e
from tests.support.command.json_output import check_json_output

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"

CONTENT = 'image_tag = "content" # pinned to the source'
"""The line of a service that is pinned to its source."""

SETTINGS = """\
# The settings of a test.
name = "{name}"  # a comment

[services.backend]
source = "backend"   # where the Dockerfile is
{image_tag}
cpu_units = 256 # small

[services.backend.environment]
NODE_ENV = "production"
"""


class ServiceOnAws:
    """An environment with one service, as its registry and its main stack would make it.

    `image_tag`: the line of the settings, with its comment.
    """

    def __init__(
        self, aws: EmbeddedAws, folder: Path, *, image_tag: str = 'image_tag = "latest"'
    ) -> None:
        self.aws = aws
        self.folder = folder
        self.name = f"e{uuid4().hex[:8]}"
        self.repository = self.family = self.service = f"{self.name}-backend"
        self.cluster = f"{self.name}-cluster"
        self.registry = f"{ACCOUNT_ID}.dkr.ecr.{aws.region}.amazonaws.com"
        self.ecr, self.ecs = self.client("ecr"), self.client("ecs")
        (folder / "environments").mkdir(parents=True)
        (folder / "backend").mkdir()
        (folder / "backend" / "Dockerfile").write_text("FROM scratch\n")
        (folder / "cdktf.json").write_text("{}")
        self.settings = folder / "environments" / f"{self.name}.toml"
        self.settings.write_text(SETTINGS.format(name=self.name, image_tag=image_tag))
        self.ecr.create_repository(repositoryName=self.repository)

    def client(self, service: Any) -> Any:
        return client_of(self.aws, service)

    def push(self, content: str, *tags: str) -> str:
        """Puts an image with that content into the repository; returns its digest."""
        layer = hashlib.sha256(content.encode()).hexdigest()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"size": 7_000_000, "digest": f"sha256:{layer}"},
                "layers": [{"size": 50_000_000, "digest": f"sha256:{layer}"}],
            }
        )
        digest = ""
        for tag in tags:
            digest = self.ecr.put_image(
                repositoryName=self.repository,
                imageManifest=manifest,
                imageManifestMediaType=MANIFEST_TYPE,
                imageTag=tag,
            )["image"]["imageId"]["imageDigest"]
        return digest

    def define(self, tag: str, *, command: Sequence[str] = ()) -> str:
        """Registers a revision of the task definition that runs that tag; returns its name."""
        arn: str = self.ecs.register_task_definition(
            family=self.family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": f"{self.name}-backend",
                    "image": f"{self.registry}/{self.repository}:{tag}",
                    "essential": True,
                    **({"command": list(command)} if command else {}),
                }
            ],
        )["taskDefinition"]["taskDefinitionArn"]
        return arn.rpartition("/")[2]

    def create(self, definition: str, *, circuit_breaker: bool = True) -> None:
        """Makes the cluster, the target group and the service.

        `circuit_breaker`: whether ECS gives up on a deployment that fails, and rolls it back.
        """
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)
        target_group = self.client("elbv2").create_target_group(
            Name=self.name, Protocol="HTTP", Port=3000, VpcId=vpc, TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        self.ecs.create_cluster(clusterName=self.cluster)
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=self.service,
            taskDefinition=definition,
            desiredCount=2,
            launchType="FARGATE",
            deploymentConfiguration={
                "deploymentCircuitBreaker": {
                    "enable": circuit_breaker,
                    "rollback": circuit_breaker,
                }
            },
            networkConfiguration={
                "awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group["GroupId"]]}
            },
            loadBalancers=[
                {
                    "targetGroupArn": target_group,
                    "containerName": f"{self.name}-backend",
                    "containerPort": 3000,
                }
            ],
        )

    def deploy(self, definition: str | None = None) -> None:
        """Begins a deployment, of the present task definition where none is given."""
        self.ecs.update_service(
            cluster=self.cluster,
            service=self.service,
            forceNewDeployment=True,
            **({"taskDefinition": definition} if definition else {}),
        )

    def release(self, content: str, *tags: str) -> str:
        """Pushes an image as `latest` and under its tags, and deploys it; returns its digest."""
        digest = self.push(content, *tags, "latest")
        self.deploy()
        return digest

    def running(self) -> tuple[set[str], str]:
        """The digests that the tasks run, and the service's task definition."""
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName=self.service)["taskArns"]
        tasks = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"]
        (service,) = self.ecs.describe_services(cluster=self.cluster, services=[self.service])[
            "services"
        ]
        digests = {c["imageDigest"] for task in tasks for c in task["containers"]}
        return digests, service["taskDefinition"].rpartition("/")[2]

    def deployments(self) -> list[str]:
        """The statuses of all deployments, the newest first."""
        listed = self.ecs.list_service_deployments(cluster=self.cluster, service=self.service)
        return [deployment["status"] for deployment in listed["serviceDeployments"]]

    def tagged(self) -> dict[str, str]:
        """The digest that each tag names."""
        images = self.ecr.describe_images(repositoryName=self.repository)["imageDetails"]
        return {tag: i["imageDigest"] for i in images for tag in i.get("imageTags", ())}

    def digests(self) -> set[str]:
        """The digests of all images."""
        images = self.ecr.describe_images(repositoryName=self.repository)["imageDetails"]
        return {image["imageDigest"] for image in images}

    def state(self) -> object:
        """All that a command could change."""
        return self.tagged(), self.running(), self.deployments(), self.settings.read_bytes()

    def prod_e(
        self, *arguments: str, typed: str | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Runs `prod-e`.

        `typed`: what is typed on a terminal, which shows both streams as one; absent:
        there is no terminal.
        """
        environment = {**self.aws.environment(), "VIRTUAL_ENV": sys.prefix, **variables}
        if typed is not None:
            with Asked(self.folder, *arguments, variables=environment) as asked:
                asked.type(typed)
                status = asked.end()
            return subprocess.CompletedProcess([PROD_E, *arguments], status, asked.said, asked.said)
        done = run_prod_e(
            *arguments, folder=self.folder, variables=environment, timeout_seconds=120
        )
        check_json_output(arguments, done.stdout)
        return done
