"""Elastic Container Service.

moto notes down what a service asks for, and starts nothing. Here a Fargate service runs its tasks:
they have addresses in its subnets, are healthy targets of its load balancer, and are replaced by a
deployment when the service changes. It takes no time, unless `DEPLOYMENT_SECONDS_VARIABLE` says
how long.

A deployment fails when its image is not in ECR, though others of the repository are, or when the
container's command ends with `exit` and a number; the service's circuit breaker then does what it
is configured to do.
"""

import os
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ecr.models import ecr_backends
from moto.ecs.exceptions import ServiceNotFoundException
from moto.ecs.models import Task
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends
from moto.moto_api import state_manager

DEPLOYMENT_SECONDS_VARIABLE = "MOTO_ECS_DEPLOYMENT_SECONDS"
_DEPLOYMENT_SECONDS = float(os.environ.get(DEPLOYMENT_SECONDS_VARIABLE, "0"))

_IN_ECR = re.compile(
    r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^:@]+)"
    r"(:(?P<tag>[^@]+))?(@(?P<digest>sha256:\w+))?"
)

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
_FORGOTTEN_FIELDS = (
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
)

# What is fixed in a service revision: a change of any of these is a deployment.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html
_REVISION_FIELDS = (
    "capacity_provider_strategy",
    "launch_type",
    "load_balancers",
    "network_configuration",
    "platform_version",
    "service_registries",
    "task_definition",
)


def apply() -> None:
    # Each look at a task moves moto's on towards STOPPED; a service's runs until it is stopped.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000_000_000})
    # In a VPC without DNS hostnames, moto's interfaces lack the attribute that its tasks read.
    NetworkInterface.private_dns_name = None
    actions = EC2ContainerServiceResponse
    actions.call_action = _call_action(actions.call_action)
    actions.create_service = _create_service(actions.create_service)
    actions.update_service = _update_service(actions.update_service)
    actions.delete_service = _delete_service(actions.delete_service)
    actions.list_tasks = _list_tasks(actions.list_tasks)
    actions.stop_task = _stop_task(actions.stop_task)
    actions.list_service_deployments = _list_service_deployments
    actions.describe_service_deployments = _describe_service_deployments
    actions.describe_service_revisions = _describe_service_revisions


def _call_action(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call_action(self: Any) -> Any:
        _advance(self.ecs_backend)
        return call(self)

    return call_action


def _create_service(create: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def create_service(self: Any) -> Any:
        answer = create(self)
        service = answer.result["service"]
        for field in _FORGOTTEN_FIELDS:
            value = self._get_param(field)
            if value is not None:
                setattr(service, camelcase_to_underscores(field), value)
        if self._get_param("launchType") is None:
            service.launch_type = None
        service.created_at = utcnow()
        service.past_deployments = []
        service.steps = []
        _deploy(self.ecs_backend, service)
        return answer

    return create_service


def _update_service(update: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def update_service(self: Any) -> Any:
        backend = self.ecs_backend
        service = _find_service(backend, self._get_param("cluster"), self._get_param("service"))
        before = [getattr(service, field, None) for field in _REVISION_FIELDS]
        # moto gives the deployment that it replaces another name and time.
        deployments = [dict(deployment) for deployment in service.deployments]
        answer = update(self)
        service.deployments = deployments
        # A family or a family and revision is kept as the ARN that it names.
        definition = backend.describe_task_definition(service.task_definition)
        service.task_definition = definition.arn
        after = [getattr(service, field, None) for field in _REVISION_FIELDS]
        if after != before or self._get_param("forceNewDeployment"):
            _deploy(backend, service)
        else:
            _settle(backend, service)
        return answer

    return update_service


def _delete_service(delete: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def delete_service(self: Any) -> Any:
        answer = delete(self)
        service = answer.result["service"]
        service.steps = []
        for task in _living_tasks(self.ecs_backend, service):
            _stop(self.ecs_backend, service, task, "Service was deleted")
        service.running_count = 0
        service.deployments = []
        return answer

    return delete_service


def _list_tasks(list_all: Callable[[Any], Any]) -> Callable[[Any], Any]:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
    def list_tasks(self: Any) -> Any:
        arns = list_all(self).result["taskArns"]
        status = self._get_param("desiredStatus") or "RUNNING"
        name = self._get_param("serviceName")
        group = f"service:{name.split('/')[-1]}" if name else None
        tasks = {arn: task for of in self.ecs_backend.tasks.values() for arn, task in of.items()}
        return ActionResult(
            {
                "taskArns": [
                    arn
                    for arn in arns
                    if tasks[arn].desired_status == status and group in (None, tasks[arn].group)
                ]
            }
        )

    return list_tasks


def _stop_task(stop: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def stop_task(self: Any) -> Any:
        answer = stop(self)
        task = answer.result["task"]
        cluster = task.cluster_arn.split("/")[-1]
        service = self.ecs_backend.services.get(f"{cluster}:{task.group.removeprefix('service:')}")
        if task.group.startswith("service:") and service:
            _stop(self.ecs_backend, service, task, task.stopped_reason or "Task stopped by user")
            _settle(self.ecs_backend, service)
        return answer

    return stop_task


def _list_service_deployments(self: Any) -> ActionResult:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html
    created = self._get_param("createdAt") or {}
    statuses = self._get_param("status")
    cluster, name = self._get_param("cluster"), self._get_param("service")
    service = _find_service(self.ecs_backend, cluster, name)
    return ActionResult(
        {
            "serviceDeployments": [
                {
                    **deployment,
                    "targetServiceRevisionArn": deployment["targetServiceRevision"]["arn"],
                }
                for deployment in service.past_deployments
                if _within(deployment["createdAt"], created)
                and (not statuses or deployment["status"] in statuses)
            ]
        }
    )


def _describe_service_deployments(self: Any) -> ActionResult:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
    wanted = self._get_param("serviceDeploymentArns")
    known = {
        deployment["serviceDeploymentArn"]: deployment
        for service in self.ecs_backend.services.values()
        for deployment in service.past_deployments
    }
    return ActionResult(
        {
            "serviceDeployments": [known[arn] for arn in wanted if arn in known],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in wanted if arn not in known],
        }
    )


def _describe_service_revisions(self: Any) -> ActionResult:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html
    wanted = self._get_param("serviceRevisionArns")
    known = {
        deployment["targetServiceRevision"]["arn"]: deployment["revision"]
        for service in self.ecs_backend.services.values()
        for deployment in service.past_deployments
    }
    return ActionResult(
        {
            "serviceRevisions": [known[arn] for arn in wanted if arn in known],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in wanted if arn not in known],
        }
    )


def _deploy(backend: Any, service: Any) -> None:
    """Begins a deployment: its tasks start, and how it ends follows from their images."""
    now = utcnow()
    serial = str(uuid.uuid4().int)[:19]
    is_fargate = service.launch_type != "EC2"
    service.steps = []
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
        *(d for d in service.deployments if service.past_deployments and _is_kept(d)),
    ]
    if is_fargate and service.platform_version is None:
        service.platform_version = "LATEST"
    definition = backend.describe_task_definition(service.task_definition)
    images = [_ContainerImage.of(backend, c) for c in definition.container_definitions]
    failure = next((image.failure for image in images if image.failure), None)
    _record_deployment(service, serial, images)
    if service.network_configuration:
        tasks = [_start(backend, service) for _ in range(service.desired_count)]
        _tell(service, f"has started {len(tasks)} tasks.")
    if failure:
        steps = (partial(_fail, backend, service, failure), partial(_roll_back, backend, service))
    else:
        steps = (partial(_run, backend, service), partial(_complete, backend, service))
    begun = time.monotonic()
    service.steps = [
        (begun + _DEPLOYMENT_SECONDS * number / len(steps), step)
        for number, step in enumerate(steps, start=1)
    ]
    _count(backend, service)
    _advance(backend)


def _advance(backend: Any) -> None:
    """Takes the steps of every deployment whose time has come."""
    for service in list(backend.services.values()):
        steps = getattr(service, "steps", [])
        while steps and steps[0][0] <= time.monotonic():
            _, step = steps.pop(0)
            step()


def _run(backend: Any, service: Any) -> None:
    for task in _tasks_of(backend, service, service.deployments[0]):
        _become_running(backend, service, task)
    _count(backend, service)


def _complete(backend: Any, service: Any) -> None:
    deployment, record = service.deployments[0], service.past_deployments[0]
    for task in _living_tasks(backend, service):
        if task.started_by != deployment["id"]:
            reason = f"Scaling activity initiated by (deployment {deployment['id']})"
            _stop(backend, service, task, reason)
    now = utcnow()
    deployment.update(
        rolloutState="COMPLETED",
        rolloutStateReason=f"ECS deployment {deployment['id']} completed.",
        updatedAt=now,
    )
    service.deployments = [deployment]
    record.update(status="SUCCESSFUL", finishedAt=now, updatedAt=now)
    _tell(service, f"(deployment {deployment['id']}) deployment completed.")
    _tell(service, "has reached a steady state.")
    _settle(backend, service)


def _fail(backend: Any, service: Any, failure: "_Failure") -> None:
    """Stops the new tasks; the circuit breaker, if any, ends the deployment.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """
    deployment, record = service.deployments[0], service.past_deployments[0]
    for task in _tasks_of(backend, service, deployment):
        _stop(backend, service, task, failure.reason)
        task.stop_code = failure.stop_code
        for container in task.containers:
            container.exit_code = container.exitCode = failure.exit_code
            container.reason = None if failure.exit_code else failure.reason
    breaker = _circuit_breaker(service)
    deployment["failedTasks"] = max(3, -(-service.desired_count // 2))
    if breaker.get("enable"):
        reason = "ECS deployment circuit breaker: tasks failed to start."
        deployment.update(rolloutState="FAILED", rolloutStateReason=reason, updatedAt=utcnow())
        record["statusReason"] = reason
        record["deploymentCircuitBreaker"] = {
            "status": "TRIGGERED",
            "failureCount": deployment["failedTasks"],
            "threshold": deployment["failedTasks"],
        }
        _tell(service, f"(deployment {deployment['id']}) deployment failed: tasks failed to start.")
        before = _last_successful(service)
        if breaker.get("rollback") and before:
            serial = before["targetServiceRevision"]["arn"].split("/")[-1]
            record.update(
                status="ROLLBACK_IN_PROGRESS",
                rollback={
                    "reason": reason,
                    "startedAt": utcnow(),
                    "serviceRevisionArn": before["targetServiceRevision"]["arn"],
                },
            )
            _tell(service, f"rolling back to deployment ecs-svc/{serial}.")
    _count(backend, service)


def _roll_back(backend: Any, service: Any) -> None:
    """Returns to the last deployment that succeeded, whose tasks have been running all along."""
    record, breaker = service.past_deployments[0], _circuit_breaker(service)
    now = utcnow()
    if not breaker.get("enable"):
        return  # ECS keeps trying for ever.
    if record["status"] != "ROLLBACK_IN_PROGRESS":
        ended = "ROLLBACK_FAILED" if breaker.get("rollback") else "STOPPED"
        record.update(status=ended, finishedAt=now, updatedAt=now)
        return
    serial = record["rollback"]["serviceRevisionArn"].split("/")[-1]
    (deployment,) = (d for d in service.deployments if d["id"] == f"ecs-svc/{serial}")
    reason = f"ECS deployment ecs-svc/{serial} completed."
    deployment.update(
        status="PRIMARY",
        rolloutState="COMPLETED",
        rolloutStateReason=reason,
        # ECS makes it a deployment of its own, which begins with the rollback.
        createdAt=record["rollback"]["startedAt"],
        updatedAt=now,
    )
    service.deployments = [deployment]
    service.task_definition = deployment["taskDefinition"]
    record.update(status="ROLLBACK_SUCCESSFUL", finishedAt=now, updatedAt=now)
    _tell(service, "has reached a steady state.")
    _settle(backend, service)


def _circuit_breaker(service: Any) -> dict[str, Any]:
    configuration = getattr(service, "deployment_configuration", None) or {}
    breaker: dict[str, Any] = configuration.get("deploymentCircuitBreaker") or {}
    return breaker


def _last_successful(service: Any) -> dict[str, Any] | None:
    return next((d for d in service.past_deployments if d["status"] == "SUCCESSFUL"), None)


def _is_kept(deployment: dict[str, Any]) -> bool:
    """Whether the tasks of an older deployment run until the new one has succeeded."""
    return bool(deployment["rolloutState"] == "COMPLETED")


def _tell(service: Any, message: str) -> None:
    event = {"id": str(uuid.uuid4()), "createdAt": utcnow()}
    service.events.insert(0, {**event, "message": f"(service {service.name}) {message}"})


@dataclass(frozen=True)
class _Failure:
    """Why tasks stop, in ECS's words.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
    """

    reason: str
    stop_code: str
    exit_code: int | None = None


@dataclass(frozen=True)
class _ContainerImage:
    """A container's image, what ECR says that its tag names now, and why it cannot run."""

    container: str
    image: str
    digest: str | None = None
    failure: _Failure | None = None

    @classmethod
    def of(cls, backend: Any, container: dict[str, Any]) -> "_ContainerImage":
        name, image = container["name"], container["image"]
        digest = None
        if found := _IN_ECR.fullmatch(image):
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
                    return cls(name, image, failure=_Failure(reason, "TaskFailedToStart"))
                digest = stored.get_image_digest()
        if exits := re.fullmatch(r"exit (\d+)", (container.get("command") or [""])[-1]):
            failure = _Failure(
                "Essential container in task exited", "EssentialContainerExited", int(exits[1])
            )
            return cls(name, image, digest, failure)
        return cls(name, image, digest)


def _record_deployment(service: Any, serial: str, images: list[_ContainerImage]) -> None:
    deployment = service.deployments[0]
    path = f"{service.cluster_name}/{service.name}/{serial}"
    of_account = service.arn.split(":service/")[0]
    last = _last_successful(service)
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


def _settle(backend: Any, service: Any) -> None:
    """Starts or stops tasks until as many run as the service desires."""
    if service.network_configuration and not service.steps:
        running = _tasks_of(backend, service, service.deployments[0])
        for task in running[service.desired_count :]:
            _stop(backend, service, task, "Scaling activity initiated by the service")
        for _ in range(service.desired_count - len(running)):
            _become_running(backend, service, _start(backend, service))
    _count(backend, service)


def _count(backend: Any, service: Any) -> None:
    """Writes down how many tasks there are, wherever ECS says it."""
    if service.network_configuration:
        living = _living_tasks(backend, service)
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


def _start(backend: Any, service: Any) -> Any:
    """A new task of the service's newest deployment, which has yet to pull its image."""
    network = service.network_configuration["awsvpcConfiguration"]
    running = _tasks_of(backend, service, service.deployments[0])
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
    subnet_id = min(network["subnets"], key=[_detail(task, "subnetId") for task in running].count)
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
    interface = ec2.get_network_interface(_detail(task, "networkInterfaceId"))
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
    images = service.past_deployments[0]["revision"]["containerImages"]
    digests = {image["containerName"]: image.get("imageDigest") for image in images}
    names = [container["name"] for container in definition.container_definitions]
    for container, name in zip(task.containers, names, strict=False):
        container.task_arn = task.task_arn
        container.last_status = "PENDING"
        container.exit_code = container.exitCode = None
        container.image_digest = digests.get(name)
        container.network_interfaces = [{"privateIpv4Address": address}]
    return task


def _become_running(backend: Any, service: Any, task: Any) -> None:
    task.last_status = "RUNNING"
    task.started_at = utcnow()
    task.health_status = "HEALTHY"
    for container in task.containers:
        container.last_status = "RUNNING"
    address = _detail(task, "privateIPv4Address")
    for group, port in _target_groups(backend, service):
        group.register([{"Id": address, "Port": str(port)}])


def _stop(backend: Any, service: Any, task: Any, reason: str) -> None:
    address = _detail(task, "privateIPv4Address")
    for group, _ in _target_groups(backend, service):
        if address in group.targets:
            group.deregister([{"Id": address}])
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    ec2.get_subnet(_detail(task, "subnetId")).del_subnet_ip(address)
    ec2.delete_network_interface(_detail(task, "networkInterfaceId"))
    task.attachments[0]["status"] = "DELETED"
    task.desired_status = task.last_status = "STOPPED"
    task.stopped_at = utcnow()
    task.stopped_reason = reason
    for container in task.containers:
        container.last_status = "STOPPED"
        container.exit_code = container.exitCode = 0


def _living_tasks(backend: Any, service: Any) -> list[Any]:
    tasks = backend.tasks.get(service.cluster_name, {}).values()
    return [
        task
        for task in tasks
        if task.group == f"service:{service.name}" and task.desired_status == "RUNNING"
    ]


def _tasks_of(backend: Any, service: Any, deployment: dict[str, Any]) -> list[Any]:
    living = _living_tasks(backend, service)
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


def _target_groups(backend: Any, service: Any) -> list[tuple[Any, int]]:
    groups = elbv2_backends[backend.account_id][backend.region_name].target_groups
    return [
        (groups[balancer["targetGroupArn"]], balancer["containerPort"])
        for balancer in service.load_balancers
        if balancer.get("targetGroupArn") in groups
    ]


def _find_service(backend: Any, cluster: str | None, service: str) -> Any:
    found, _ = backend.describe_services((cluster or "default").split("/")[-1], [service])
    if not found:
        raise ServiceNotFoundException
    return found[0]


def _detail(task: Any, name: str) -> str:
    details = task.attachments[0]["details"]
    return next(str(detail["value"]) for detail in details if detail["name"] == name)


def _within(moment: Any, period: dict[str, Any]) -> bool:
    seconds = moment.timestamp()
    after, before = (_seconds(period.get(end)) for end in ("after", "before"))
    return (after is None or seconds > after) and (before is None or seconds < before)


def _seconds(moment: Any) -> float | None:
    if moment is None or isinstance(moment, int | float):
        return moment
    return float(moment.timestamp())
