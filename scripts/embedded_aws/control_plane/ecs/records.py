"""What ECS writes down about services: deployments, revisions, tasks and events."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ecr.models import ecr_backends
from moto.ecs.exceptions import ServiceNotFoundException
from moto.ecs.models import Container, Task
from moto.elbv2.models import elbv2_backends

from embedded_aws.control_plane.registry.place import aws_host, registry_host

_IN_ECR = re.compile(
    r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^:@]+)"
    r"(:(?P<tag>[^@]+))?(@(?P<digest>sha256:\w+))?"
)

_MOST_EVENTS = 100
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html."""
_STOPPED_KEPT = timedelta(hours=1)
"""https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html."""


@dataclass(frozen=True)
class Failure:
    """Why tasks stop, in ECS's words.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
    """

    reason: str
    stop_code: str
    exit_code: int | None = None


@dataclass(frozen=True)
class ContainerImage:
    """A container's image, what ECR says that its tag names now, and why it cannot run."""

    container: str
    image: str
    digest: str | None = None
    failure: Failure | None = None

    @classmethod
    def of(cls, backend: Any, container: dict[str, Any]) -> "ContainerImage":
        name, image = container["name"], container["image"]
        digest = None
        account, region = backend.account_id, backend.region_name
        here, in_aws = registry_host(account, region), aws_host(account, region)
        if found := _IN_ECR.fullmatch(re.sub(f"^{re.escape(here)}/", f"{in_aws}/", image)):
            ecr = ecr_backends[backend.account_id][found["region"]]
            name_in_ecr = found["repository"]
            known = name_in_ecr in ecr.repositories and ecr.describe_images(name_in_ecr)
            # Where nothing was ever pushed, anything runs: not every trial builds images.
            if known:
                stored = next(
                    (
                        i
                        for i in known
                        if i.get_image_digest() == found["digest"] or found["tag"] in i.image_tags
                    ),
                    None,
                )
                if stored is None:
                    reason = (
                        "CannotPullContainerError: pull image manifest has been retried 1 time(s):"
                        f" failed to resolve ref {image}: {image}: not found"
                    )
                    return cls(name, image, failure=Failure(reason, "TaskFailedToStart"))
                digest = stored.get_image_digest()
        if exits := re.fullmatch(r"exit (\d+)", (container.get("command") or [""])[-1]):
            failure = Failure(
                "Essential container in task exited", "EssentialContainerExited", int(exits[1])
            )
            return cls(name, image, digest, failure)
        return cls(name, image, digest)


def _record_deployment(service: Any, serial: str, images: list[ContainerImage]) -> None:
    deployment = service.deployments[0]
    path = f"{service.cluster_name}/{service.name}/{serial}"
    of_account = service.arn.split(":service/")[0]
    last = last_successful(service)
    counts = {"requestedTaskCount": service.desired_count, "pendingTaskCount": 0}
    revision = f"{of_account}:service-revision/{path}"
    shared = {"serviceArn": service.arn, "clusterArn": service.cluster_arn}
    service.past_deployments.insert(
        0,
        {
            **shared,
            "serviceDeploymentArn": f"{of_account}:service-deployment/{path}",
            "createdAt": deployment["createdAt"],
            "startedAt": deployment["createdAt"],
            "updatedAt": deployment["createdAt"],
            "status": "IN_PROGRESS",
            "deploymentConfiguration": getattr(service, "deployment_configuration", None),
            "sourceServiceRevisions": [last["targetServiceRevision"]] if last else [],
            "targetServiceRevision": {
                **counts,
                "arn": revision,
                "runningTaskCount": 0,
            },
            "revision": {
                **shared,
                "serviceRevisionArn": revision,
                "taskDefinition": service.task_definition,
                "containerImages": [
                    {
                        "containerName": image.container,
                        "image": image.image,
                        **({"imageDigest": image.digest} if image.digest else {}),
                    }
                    for image in images
                ],
                "capacityProviderStrategy": deployment["capacityProviderStrategy"],
                "launchType": service.launch_type,
                "platformVersion": deployment["platformVersion"],
                "platformFamily": deployment["platformFamily"],
                "networkConfiguration": service.network_configuration,
                "loadBalancers": service.load_balancers,
                "createdAt": deployment["createdAt"],
            },
        },
    )
    service.current_service_deployment = service.past_deployments[0]["serviceDeploymentArn"]


def count_tasks(backend: Any, service: Any) -> None:
    """Writes down how many tasks there are, wherever ECS says it."""
    if service.network_configuration:
        living = living_tasks(backend, service)
        statuses = [(task.started_by, task.last_status) for task in living]
    else:
        # Tasks on instances of one's own are not played.
        statuses = [(service.deployments[0]["id"], "RUNNING")] * service.desired_count
    for deployment in service.deployments:
        of_deployment = [status for id, status in statuses if id == deployment["id"]]
        deployment.update(
            desiredCount=service.desired_count if deployment["status"] == "PRIMARY" else 0,
            runningCount=of_deployment.count("RUNNING"),
            pendingCount=of_deployment.count("PENDING"),
        )
    service.running_count = sum(d["runningCount"] for d in service.deployments)
    service.pending_count = sum(d["pendingCount"] for d in service.deployments)
    if service.past_deployments:
        service.past_deployments[0]["targetServiceRevision"].update(
            runningTaskCount=service.deployments[0]["runningCount"],
            pendingTaskCount=service.deployments[0]["pendingCount"],
        )
    cluster = backend.clusters[service.cluster_name]
    of_cluster = [s for s in backend.services.values() if s.cluster_name == service.cluster_name]
    cluster.running_tasks_count = sum(s.running_count for s in of_cluster)
    cluster.pending_tasks_count = sum(s.pending_count for s in of_cluster)


def make_task(backend: Any, service: Any) -> Any:
    """A new task of the service's newest deployment, which has yet to pull its image."""
    network = service.network_configuration["awsvpcConfiguration"]
    running = tasks_of(backend, service, service.deployments[0])
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
    subnet_id = min(network["subnets"], key=[detail(task, "subnetId") for task in running].count)
    definition = backend.describe_task_definition(service.task_definition)
    task = Task(
        cluster=backend.clusters[service.cluster_name],
        task_definition=definition,
        container_instance_arn=None,
        resource_requirements=None,
        backend=backend,
        group=f"service:{service.name}",
        launch_type="FARGATE",
        started_by=service.deployments[0]["id"],
        tags=service.tags if service.propagate_tags == "SERVICE" else [],
        networking_configuration={"awsvpcConfiguration": {**network, "subnets": [subnet_id]}},
        platform_version="1.4.0",
        capacity_provider_name=_next_capacity_provider(service, running),
    )
    backend.tasks.setdefault(service.cluster_name, {})[task.task_arn] = task
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    subnet = ec2.get_subnet(subnet_id)
    # moto takes any address of 10.0.0.0/8, whatever the subnet.
    interface = ec2.get_network_interface(detail(task, "networkInterfaceId"))
    address = subnet.get_available_subnet_ip(task)
    interface.private_ip_address = address
    interface.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
    task.attachments[0]["details"] = [
        {**detail, "value": address} if detail["name"] == "privateIPv4Address" else detail
        for detail in task.attachments[0]["details"]
        if detail["value"]
    ]
    task.availability_zone = subnet.availability_zone
    task.cpu, task.memory = definition.cpu, definition.memory
    task.created_at = utcnow()
    task.last_status = "PENDING"
    task.platform_family = "Linux"
    serial = service.deployments[0]["id"].split("/")[-1]
    record = next(
        r
        for r in service.past_deployments
        if r["targetServiceRevision"]["arn"].endswith(f"/{serial}")
    )
    images = record["revision"]["containerImages"]
    digests = {image["containerName"]: image.get("imageDigest") for image in images}
    add_containers(task, definition)
    for container in task.containers:
        container.task_arn = task.task_arn
        container.last_status = "PENDING"
        container.exit_code = container.exitCode = None
        container.image_digest = digests[container.name]
        container.network_interfaces = [{"privateIpv4Address": address}]
    return task


def add_containers(task: Any, definition: Any) -> None:
    """Gives a task all containers of its definition; moto gives it the first one."""
    for each in definition.container_definitions[len(task.containers) :]:
        container = Container(definition)
        container.name, container.image = each["name"], each["image"]
        task.containers.append(container)


def living_tasks(backend: Any, service: Any) -> list[Any]:
    tasks = backend.tasks.get(service.cluster_name, {}).values()
    return [
        task
        for task in tasks
        if task.group == f"service:{service.name}" and task.desired_status == "RUNNING"
    ]


def tasks_of(backend: Any, service: Any, deployment: dict[str, Any]) -> list[Any]:
    living = living_tasks(backend, service)
    return [task for task in living if task.started_by == deployment["id"]]


def _next_capacity_provider(service: Any, running: list[Any]) -> str | None:
    """The provider that is furthest below its share of the tasks, bases first.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
    """
    strategy = getattr(service, "capacity_provider_strategy", None)
    if not strategy:
        return None

    def need(item: dict[str, Any]) -> tuple[bool, float]:
        count = sum(task.capacity_provider_name == item["capacityProvider"] for task in running)
        base = item.get("base") or 0
        return count < base, (item.get("weight") or 0) / (max(count - base, 0) + 1)

    return str(max(strategy, key=need)["capacityProvider"])


def target_groups(backend: Any, service: Any) -> list[tuple[Any, int]]:
    groups = elbv2_backends[backend.account_id][backend.region_name].target_groups
    return [
        (groups[balancer["targetGroupArn"]], balancer["containerPort"])
        for balancer in service.load_balancers
        if balancer.get("targetGroupArn") in groups
    ]


def find_service(backend: Any, cluster: str | None, service: str) -> Any:
    found, _ = backend.describe_services((cluster or "default").split("/")[-1], [service])
    if not found:
        raise ServiceNotFoundException
    return found[0]


def detail(task: Any, name: str) -> str:
    details = task.attachments[0]["details"]
    return next(str(detail["value"]) for detail in details if detail["name"] == name)


def forget_stopped_tasks(backend: Any) -> None:
    """Lets go of tasks that have been stopped for an hour."""
    until = utcnow() - _STOPPED_KEPT
    for of_cluster in backend.tasks.values():
        for arn, task in list(of_cluster.items()):
            if task.last_status == "STOPPED" and task.stopped_at < until:
                del of_cluster[arn]


def tell(service: Any, message: str) -> None:
    event = {"id": str(uuid.uuid4()), "createdAt": utcnow()}
    service.events.insert(0, {**event, "message": f"(service {service.name}) {message}"})
    del service.events[_MOST_EVENTS:]


def circuit_breaker(service: Any) -> dict[str, Any]:
    configuration = getattr(service, "deployment_configuration", None) or {}
    breaker: dict[str, Any] = configuration.get("deploymentCircuitBreaker") or {}
    return breaker


def last_successful(service: Any) -> dict[str, Any] | None:
    return next((d for d in service.past_deployments if d["status"] == "SUCCESSFUL"), None)


def end_task(backend: Any, service: Any, task: Any, reason: str) -> None:
    address = detail(task, "privateIPv4Address")
    for group, _ in target_groups(backend, service):
        if address in group.targets:
            group.deregister([{"Id": address}])
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    ec2.get_subnet(detail(task, "subnetId")).del_subnet_ip(address)
    ec2.delete_network_interface(detail(task, "networkInterfaceId"))
    task.attachments[0]["status"] = "DELETED"
    task.desired_status = task.last_status = "STOPPED"
    task.stopped_at = utcnow()
    task.stopped_reason = reason
    for container in task.containers:
        container.last_status = "STOPPED"
        container.exit_code = container.exitCode = 0


def begin_deployment(
    backend: Any, service: Any, *, keep: Callable[[dict[str, Any]], bool]
) -> "list[ContainerImage]":
    """Writes down that a deployment begins; returns its images.

    `keep`: which of the older deployments still have tasks.
    """
    now = utcnow()
    serial = str(uuid.uuid4().int)[:19]
    is_fargate = service.launch_type != "EC2"
    if service.past_deployments and service.past_deployments[0]["status"] == "IN_PROGRESS":
        replaced = service.past_deployments[0]
        replaced.update(status="STOPPED", finishedAt=now, stoppedAt=now)
        replaced["statusReason"] = "Superseded by a newer deployment."
    for older in service.deployments:
        older["status"] = "ACTIVE"
    deployment = {
        "id": f"ecs-svc/{serial}",
        "status": "PRIMARY",
        "taskDefinition": service.task_definition,
        "createdAt": now,
        "updatedAt": now,
        "desiredCount": service.desired_count,
        "pendingCount": 0,
        "runningCount": 0,
        "failedTasks": 0,
        "launchType": service.launch_type,
        "capacityProviderStrategy": getattr(service, "capacity_provider_strategy", None),
        "platformVersion": "1.4.0" if is_fargate else None,
        "platformFamily": "Linux" if is_fargate else None,
        "networkConfiguration": service.network_configuration,
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": f"ECS deployment ecs-svc/{serial} in progress.",
    }
    # moto puts a deployment of its own there when it creates a service.
    service.deployments = [
        deployment,
        *(d for d in service.deployments if service.past_deployments and keep(d)),
    ]
    if is_fargate and service.platform_version is None:
        service.platform_version = "LATEST"
    definition = backend.describe_task_definition(service.task_definition)
    images = [ContainerImage.of(backend, c) for c in definition.container_definitions]
    _record_deployment(service, serial, images)
    return images
