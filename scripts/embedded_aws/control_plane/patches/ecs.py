"""Elastic Container Service.

moto notes down what a service asks for, and starts nothing. Here a Fargate service runs its tasks:
with a data plane for real (`ecs.scheduler`), else as if (`ecs.simulation`).
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ecs.models import Cluster, EC2ContainerServiceBackend, Service, Task, TaskDefinition
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.moto_api import state_manager

from embedded_aws.control_plane.ecs.answers import (
    fill_in_container,
    fill_in_service,
    fill_in_strategy,
)
from embedded_aws.control_plane.ecs.records import find_service
from embedded_aws.control_plane.exchange import has_data_plane

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


class ServiceDeploymentNotFoundError(ServiceException):  # type: ignore[misc]
    code = "ServiceDeploymentNotFoundException"
    message = "The service deployment ARN that you specified doesn't exist."


def apply() -> None:
    # Each look at a task moves moto's on towards STOPPED; a service's runs until it is stopped.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000_000_000})
    # In a VPC without DNS hostnames, moto's interfaces lack the attribute that its tasks read.
    NetworkInterface.private_dns_name = None
    TaskDefinition.__init__ = _make_task_definition(TaskDefinition.__init__)
    Cluster.__init__ = _make_cluster(Cluster.__init__)
    Service._validate_network = _validate_network(Service._validate_network)  # noqa: SLF001
    Task.__init__ = _make_task(Task.__init__)
    EC2ContainerServiceBackend.put_cluster_capacity_providers = _put_cluster_capacity_providers(
        EC2ContainerServiceBackend.put_cluster_capacity_providers
    )
    actions = EC2ContainerServiceResponse
    actions.call_action = _call_action(actions.call_action)
    actions.create_service = _create_service(actions.create_service)
    actions.update_service = _update_service(actions.update_service)
    actions.delete_service = _delete_service(actions.delete_service)
    actions.list_tasks = _list_tasks(actions.list_tasks)
    actions.list_services = _list_services(actions.list_services)
    actions.stop_task = _stop_task(actions.stop_task)
    actions.list_service_deployments = _list_service_deployments
    actions.describe_service_deployments = _describe_service_deployments
    actions.describe_service_revisions = _describe_service_revisions
    if has_data_plane():
        actions.run_task = _run_task(actions.run_task)
        actions.stop_service_deployment = _stop_service_deployment
        # moto adds up what containers reserve, which those of a Fargate task need not.
        EC2ContainerServiceBackend._calculate_task_resource_requirements = staticmethod(  # noqa: SLF001
            lambda _: {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}
        )


def _make_task_definition(make: Callable[..., None]) -> Callable[..., None]:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        self.registered_at = utcnow()
        self.registered_by = f"arn:aws:iam::{self.arn.split(':')[4]}:root"
        for container in self.container_definitions:
            fill_in_container(container, network_mode=self.network_mode)

    return init


def _make_cluster(make: Callable[..., None]) -> Callable[..., None]:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        self.statistics = []
        self.capacity_providers = self.capacity_providers or []
        self.default_capacity_provider_strategy = fill_in_strategy(
            self.default_capacity_provider_strategy
        )

    return init


def _validate_network(validate: Callable[..., Any]) -> Callable[..., Any]:
    def validate_network(self: Any, given: dict[str, Any]) -> Any:
        return validate(self, _with_security_groups(given))

    return validate_network


def _make_task(make: Callable[..., None]) -> Callable[..., None]:
    def init(
        self: Any, *arguments: Any, networking_configuration: Any = None, **named: Any
    ) -> None:
        given = networking_configuration and _with_security_groups(networking_configuration)
        make(self, *arguments, networking_configuration=given, **named)

    return init


def _with_security_groups(configuration: dict[str, Any]) -> dict[str, Any]:
    """With none where it names none; interfaces have the VPC's default one then.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html
    """
    return {
        **configuration,
        "awsvpcConfiguration": {"securityGroups": [], **configuration["awsvpcConfiguration"]},
    }


def _put_cluster_capacity_providers(put: Callable[..., Any]) -> Callable[..., Any]:
    def put_cluster_capacity_providers(self: Any, *arguments: Any, **named: Any) -> Any:
        cluster = put(self, *arguments, **named)
        cluster.default_capacity_provider_strategy = fill_in_strategy(
            cluster.default_capacity_provider_strategy
        )
        return cluster

    return put_cluster_capacity_providers


def _driver() -> ModuleType:
    """What brings services about. Imported late: the scheduler needs other services of moto."""
    return import_module(
        f"embedded_aws.control_plane.ecs.{'scheduler' if has_data_plane() else 'simulation'}"
    )


def _call_action(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call_action(self: Any) -> Any:
        _driver().advance(self.ecs_backend)
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
        fill_in_service(service, account_id=self.ecs_backend.account_id)
        service.created_at = utcnow()
        service.past_deployments = []
        _driver().deploy(self.ecs_backend, service)
        return answer

    return create_service


def _update_service(update: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def update_service(self: Any) -> Any:
        backend = self.ecs_backend
        service = find_service(backend, self._get_param("cluster"), self._get_param("service"))
        before = [getattr(service, field, None) for field in _REVISION_FIELDS]
        # moto gives the deployment that it replaces another name and time.
        deployments = [dict(deployment) for deployment in service.deployments]
        configuration = service.deployment_configuration
        answer = update(self)
        fill_in_service(service, account_id=backend.account_id, former_configuration=configuration)
        service.deployments = deployments
        # A family or a family and revision is kept as the ARN that it names.
        definition = backend.describe_task_definition(service.task_definition)
        service.task_definition = definition.arn
        after = [getattr(service, field, None) for field in _REVISION_FIELDS]
        if after != before or self._get_param("forceNewDeployment"):
            _driver().deploy(backend, service)
        else:
            _driver().settle(backend, service)
        return answer

    return update_service


def _delete_service(delete: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def delete_service(self: Any) -> Any:
        answer = delete(self)
        _driver().delete(self.ecs_backend, answer.result["service"])
        return answer

    return delete_service


def _run_task(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    def run_task(self: Any) -> Any:
        answer = run(self)
        for task in answer.result["tasks"]:
            _driver().provision(self.ecs_backend, task)
        return answer

    return run_task


def _stop_service_deployment(self: Any) -> ActionResult:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
    arn = self._get_param("serviceDeploymentArn")
    for service in self.ecs_backend.services.values():
        for record in service.past_deployments:
            if record["serviceDeploymentArn"] == arn:
                _driver().stop_deployment(
                    self.ecs_backend, service, record, self._get_param("stopType") or "ROLLBACK"
                )
                return ActionResult({"serviceDeploymentArn": arn})
    raise ServiceDeploymentNotFoundError


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


def _list_services(list_all: Callable[[Any], Any]) -> Callable[[Any], Any]:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
    def list_services(self: Any) -> Any:
        answer = list_all(self)
        inactive = {s.arn for s in self.ecs_backend.services.values() if s.status == "INACTIVE"}
        arns = answer.result["serviceArns"]
        answer.result["serviceArns"] = [arn for arn in arns if arn not in inactive]
        return answer

    return list_services


def _stop_task(stop: Callable[[Any], Any]) -> Callable[[Any], Any]:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
    def stop_task(self: Any) -> Any:
        backend = self.ecs_backend
        statuses = {
            task.id: task.last_status for of in backend.tasks.values() for task in of.values()
        }
        answer = stop(self)
        task = answer.result["task"]
        cluster = task.cluster_arn.split("/")[-1]
        is_of_service = task.group.startswith("service:")
        name = f"{cluster}:{task.group.removeprefix('service:')}"
        service = backend.services.get(name) if is_of_service else None
        if has_data_plane():
            # It is not stopped yet, whatever moto says.
            task.last_status = statuses[task.id]
        _driver().stop_task(backend, service, task)
        return answer

    return stop_task


def _list_service_deployments(self: Any) -> ActionResult:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html
    created = self._get_param("createdAt") or {}
    statuses = self._get_param("status")
    cluster, name = self._get_param("cluster"), self._get_param("service")
    service = find_service(self.ecs_backend, cluster, name)
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


def _within(moment: Any, period: dict[str, Any]) -> bool:
    seconds = moment.timestamp()
    after, before = (_seconds(period.get(end)) for end in ("after", "before"))
    return (after is None or seconds > after) and (before is None or seconds < before)


def _seconds(moment: Any) -> float | None:
    if moment is None or isinstance(moment, int | float):
        return moment
    return float(moment.timestamp())
