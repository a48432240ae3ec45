"""Elastic Container Service.

moto notes down what a service asks for, and starts nothing. Here a Fargate service runs its tasks:
they have addresses in its subnets, are healthy targets of its load balancer, and are replaced by a
deployment when the service changes. All of it happens at once and nothing fails.
"""

import uuid
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ecs.exceptions import ServiceNotFoundException
from moto.ecs.models import Task
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends
from moto.moto_api import state_manager

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


def fill_gaps() -> None:
    # Each look at a task moves moto's on towards STOPPED; a service's runs until it is stopped.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000_000_000})
    # In a VPC without DNS hostnames, moto's interfaces lack the attribute that its tasks read.
    NetworkInterface.private_dns_name = None
    actions = EC2ContainerServiceResponse
    actions.create_service = _create_service(actions.create_service)
    actions.update_service = _update_service(actions.update_service)
    actions.delete_service = _delete_service(actions.delete_service)
    actions.list_tasks = _list_tasks(actions.list_tasks)
    actions.stop_task = _stop_task(actions.stop_task)
    actions.list_service_deployments = _list_service_deployments
    actions.describe_service_deployments = _describe_service_deployments
    actions.describe_service_revisions = _describe_service_revisions


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
        _deploy(self.ecs_backend, service)
        return answer

    return create_service


def _update_service(update: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def update_service(self: Any) -> Any:
        backend = self.ecs_backend
        service = _find_service(backend, self._get_param("cluster"), self._get_param("service"))
        before = [getattr(service, field, None) for field in _REVISION_FIELDS]
        answer = update(self)
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
        for task in _running_tasks(self.ecs_backend, service):
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
    """Replaces the tasks of a service, as a deployment that has succeeded."""
    now = utcnow()
    serial = str(uuid.uuid4().int)[:19]
    is_fargate = service.launch_type != "EC2"
    service.deployments = [
        {
            "id": f"ecs-svc/{serial}",
            "status": "PRIMARY",
            "taskDefinition": service.task_definition,
            "createdAt": now,
            "updatedAt": now,
            "failedTasks": 0,
            "launchType": service.launch_type,
            "capacityProviderStrategy": getattr(service, "capacity_provider_strategy", None),
            "platformVersion": "1.4.0" if is_fargate else None,
            "platformFamily": "Linux" if is_fargate else None,
            "networkConfiguration": service.network_configuration,
            "rolloutState": "COMPLETED",
            "rolloutStateReason": f"ECS deployment ecs-svc/{serial} completed.",
        }
    ]
    for task in _running_tasks(backend, service):
        reason = f"Scaling activity initiated by (deployment ecs-svc/{serial})"
        _stop(backend, service, task, reason)
    _settle(backend, service)
    _record_deployment(service, serial)
    if is_fargate and service.platform_version is None:
        service.platform_version = "LATEST"
    for message in ("has completed a deployment.", "has reached a steady state."):
        event = {"id": str(uuid.uuid4()), "createdAt": now}
        service.events.insert(0, {**event, "message": f"(service {service.name}) {message}"})


def _record_deployment(service: Any, serial: str) -> None:
    deployment = service.deployments[0]
    path = f"{service.cluster_name}/{service.name}/{serial}"
    of_account = service.arn.split(":service/")[0]
    last = service.past_deployments[0] if service.past_deployments else None
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
            "finishedAt": deployment["createdAt"],
            "status": "SUCCESSFUL",
            "deploymentConfiguration": getattr(service, "deployment_configuration", None),
            "sourceServiceRevisions": [last["targetServiceRevision"]] if last else [],
            "targetServiceRevision": {
                **counts,
                "arn": revision,
                "runningTaskCount": service.running_count,
            },
            "revision": {
                **shared,
                "serviceRevisionArn": revision,
                "taskDefinition": service.task_definition,
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
    if service.network_configuration:
        running = _running_tasks(backend, service)
        for task in running[service.desired_count :]:
            _stop(backend, service, task, "Scaling activity initiated by the service")
        for _ in range(service.desired_count - len(running)):
            _start(backend, service)
    service.running_count = service.desired_count
    service.pending_count = 0
    cluster = backend.clusters[service.cluster_name]
    of_cluster = [s for s in backend.services.values() if s.cluster_name == service.cluster_name]
    cluster.running_tasks_count = sum(s.running_count for s in of_cluster)
    cluster.pending_tasks_count = 0
    for deployment in service.deployments:
        deployment.update(
            desiredCount=service.desired_count,
            runningCount=service.desired_count,
            pendingCount=0,
        )


def _start(backend: Any, service: Any) -> None:
    network = service.network_configuration["awsvpcConfiguration"]
    running = _running_tasks(backend, service)
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
    task.created_at = task.started_at = utcnow()
    task.health_status = "HEALTHY"
    task.platform_family = "Linux"
    for container in task.containers:
        container.task_arn = task.task_arn
        container.last_status = "RUNNING"
        container.exit_code = container.exitCode = None
        container.network_interfaces = [{"privateIpv4Address": address}]
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


def _running_tasks(backend: Any, service: Any) -> list[Any]:
    tasks = backend.tasks.get(service.cluster_name, {}).values()
    return [
        task
        for task in tasks
        if task.group == f"service:{service.name}" and task.last_status == "RUNNING"
    ]


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
