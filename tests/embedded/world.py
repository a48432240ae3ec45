"""A service behind a load balancer on an embedded AWS whose tasks run."""

import http.client
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from embedded_aws import EmbeddedAws
from embedded_aws.load import Load
from tests.support.aws.aws_clients import client_of

NO_ROUTE = {
    "Type": "fixed-response",
    "FixedResponseConfig": {
        "StatusCode": "404",
        "ContentType": "application/json",
        "MessageBody": '{"error":"no route"}',
    },
}

APP = Path(__file__).with_name("app.js")
TIMEOUT_SECONDS = 60.0


def eventually(what: str, condition: Callable[[], Any], *, seconds: float = TIMEOUT_SECONDS) -> Any:
    """Waits until the condition gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return found


def write_source(folder: Path, version: str) -> None:
    """A source folder of the tests' service."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(APP, folder / "app.js")
    (folder / "package.json").write_text(
        json.dumps({"name": "app", "private": True, "scripts": {"start": "node app.js"}})
    )
    (folder / "version.txt").write_text(version)


class World:
    """A network, a cluster, a load balancer and, once created, a service."""

    def __init__(self, aws: EmbeddedAws, source: Path, *, repository: str) -> None:
        self.aws = aws
        self.source = source
        self.repository = repository
        self.name = f"w{uuid4().hex[:8]}"
        self.ecs, self.elb, self.logs = map(self.client, ("ecs", "elbv2", "logs"))
        self.image = f"123456789012.dkr.ecr.us-west-2.amazonaws.com/{repository}:latest"
        ec2 = self.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)[
                "Subnet"
            ]["SubnetId"]
            for n, zone in ((1, "us-west-2a"), (2, "us-west-2b"))
        ]
        self.security_group = ec2.create_security_group(
            GroupName=self.name, Description="tasks", VpcId=self.vpc
        )["GroupId"]
        self.ecs.create_cluster(clusterName=self.name)
        self.logs.create_log_group(logGroupName=f"/ecs/{self.name}")
        self.balancer = self.elb.create_load_balancer(Name=self.name, Subnets=self.subnets)[
            "LoadBalancers"
        ][0]["LoadBalancerArn"]
        self.group = self.target_group()
        self.listener = self.listen({"Type": "forward", "TargetGroupArn": self.group})

    def client(self, service: Any) -> Any:
        return client_of(self.aws, service)

    def target_group(self, **arguments: Any) -> str:
        arn: str = self.elb.create_target_group(
            **{
                "Name": f"t{uuid4().hex[:8]}",
                "Protocol": "HTTP",
                "Port": 3000,
                "VpcId": self.vpc,
                "TargetType": "ip",
                "HealthCheckPath": "/health",
                "HealthCheckIntervalSeconds": 5,
                "HealthCheckTimeoutSeconds": 2,
                "HealthyThresholdCount": 2,
                "UnhealthyThresholdCount": 2,
                **arguments,
            }
        )["TargetGroups"][0]["TargetGroupArn"]
        return arn

    def listen(self, action: dict[str, Any], *, port: int = 80, **arguments: Any) -> str:
        arn: str = self.elb.create_listener(
            **{
                "LoadBalancerArn": self.balancer,
                "Protocol": "HTTP",
                "Port": port,
                "DefaultActions": [action],
                **arguments,
            }
        )["Listeners"][0]["ListenerArn"]
        return arn

    def url(self, listener: str | None = None) -> str:
        wanted = listener or self.listener

        def find() -> str | None:
            return next((e["url"] for e in self.aws.listeners() if e["arn"] == wanted), None)

        found: str = eventually("the listener is there", find)
        return found

    def container(self, **arguments: Any) -> dict[str, Any]:
        return {
            "name": "app",
            "image": self.image,
            "essential": True,
            "portMappings": [{"containerPort": 3000, "hostPort": 3000, "protocol": "tcp"}],
            "environment": [{"name": "PORT", "value": "3000"}],
            "stopTimeout": 5,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": f"/ecs/{self.name}",
                    "awslogs-region": "us-west-2",
                    "awslogs-stream-prefix": "ecs",
                },
            },
            **arguments,
        }

    def define(self, container: dict[str, Any] | None = None, **arguments: Any) -> str:
        arn: str = self.ecs.register_task_definition(
            **{
                "family": self.name,
                "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"],
                "cpu": "256",
                "memory": "512",
                "containerDefinitions": [container or self.container()],
                **arguments,
            }
        )["taskDefinition"]["taskDefinitionArn"]
        return arn

    @property
    def network(self) -> dict[str, Any]:
        return {
            "awsvpcConfiguration": {
                "subnets": self.subnets,
                "securityGroups": [self.security_group],
            }
        }

    def create(self, definition: str | None = None, **arguments: Any) -> None:
        self.ecs.create_service(
            **{
                "cluster": self.name,
                "serviceName": "app",
                "taskDefinition": definition or self.define(),
                "desiredCount": 2,
                "launchType": "FARGATE",
                "networkConfiguration": self.network,
                "deploymentConfiguration": {
                    "deploymentCircuitBreaker": {"enable": True, "rollback": True}
                },
                "loadBalancers": [
                    {"targetGroupArn": self.group, "containerName": "app", "containerPort": 3000}
                ],
                **arguments,
            }
        )

    def deploy(self, version: str | None = None, **arguments: Any) -> None:
        """Begins a deployment of the source as it is, or with another version."""
        if version:
            write_source(self.source, version)
        self.update(forceNewDeployment=True, **arguments)

    def update(self, **arguments: Any) -> None:
        self.ecs.update_service(cluster=self.name, service="app", **arguments)

    def service(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_services(cluster=self.name, services=["app"])[
            "services"
        ][0]
        return found

    def events(self) -> str:
        return "\n".join(event["message"] for event in self.service()["events"])

    def is_steady(self) -> bool:
        service = self.service()
        return bool(
            len(service["deployments"]) == 1
            and service["deployments"][0]["rolloutState"] == "COMPLETED"
            and service["runningCount"] == service["desiredCount"]
            and service["pendingCount"] == 0
        )

    def until_steady(self) -> None:
        def steady() -> bool:
            return self.is_steady()

        try:
            eventually("the service is steady", steady)
        except AssertionError as error:
            error.add_note(self.events())
            raise

    def deployment(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.list_service_deployments(cluster=self.name, service="app")[
            "serviceDeployments"
        ][0]
        return found

    def until_deployment(self, *statuses: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            deployment = self.deployment()
            return deployment if deployment["status"] in statuses else None

        found: dict[str, Any] = eventually(f"the deployment is {statuses}", ended)
        return found

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster=self.name, desiredStatus=status)["taskArns"]
        if not arns:
            return []
        found: list[dict[str, Any]] = self.ecs.describe_tasks(cluster=self.name, tasks=arns)[
            "tasks"
        ]
        return found

    def task_pids(self) -> set[int]:
        """The processes of running tasks that run as such."""
        containers = [c for task in self.tasks() for c in task["containers"]]
        ids = [c["runtimeId"] for c in containers if c["lastStatus"] == "RUNNING"]
        return {int(id.removeprefix("process-")) for id in ids}

    def health(self) -> list[str]:
        return [
            target["TargetHealth"]["State"]
            for target in self.elb.describe_target_health(TargetGroupArn=self.group)[
                "TargetHealthDescriptions"
            ]
        ]

    def log_lines(self) -> str:
        events = self.logs.filter_log_events(logGroupName=f"/ecs/{self.name}")["events"]
        return "\n".join(event["message"] for event in events)

    def get(
        self, path: str, *, listener: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """A request through the load balancer: status, headers in lower case, body."""
        return get(self.url(listener) + path, **headers)

    def json(self, path: str) -> dict[str, Any]:
        status, _, body = self.get(path)
        assert status == 200, (status, body)
        found: dict[str, Any] = json.loads(body)
        return found

    @contextmanager
    def load(self, path: str = "/slow?ms=20", *, clients: int = 8) -> Iterator[Load]:
        """Sends requests all the time, each client one after the other, on kept connections."""
        with Load(url=self.url() + path, clients=clients) as load:
            load.wait_for(clients)
            yield load
            load.wait_for(5 * clients)

    def remove(self) -> None:
        """Deletes the service, so that its tasks end."""
        for service in self.ecs.list_services(cluster=self.name)["serviceArns"]:
            self.ecs.delete_service(cluster=self.name, service=service, force=True)
        for task in self.tasks():
            self.ecs.stop_task(cluster=self.name, task=task["taskArn"])
        for listener in self.elb.describe_listeners(LoadBalancerArn=self.balancer)["Listeners"]:
            self.elb.delete_listener(ListenerArn=listener["ListenerArn"])


def most_used(world: World, name: str) -> float | None:
    """The highest value of a metric of the world's service so far."""
    now = datetime.now(UTC)
    points = world.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ECS",
        MetricName=name,
        Dimensions=[
            {"Name": "ClusterName", "Value": world.name},
            {"Name": "ServiceName", "Value": "app"},
        ],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max((point["Maximum"] for point in points), default=None)


def get(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", url.removeprefix(f"http://{place.netloc}"), headers=named)
        answer = connection.getresponse()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read().decode(),
        )
    finally:
        connection.close()
