"""Elastic Container Service."""

from collections.abc import Callable
from typing import Any

from moto.core.utils import camelcase_to_underscores
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends


def fill_gaps() -> None:
    _services_remember_all_fields()
    _services_reach_a_steady_state()


def _services_remember_all_fields() -> None:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
    forgotten = (
        "availabilityZoneRebalancing",
        "capacityProviderStrategy",
        "deploymentConfiguration",
        "enableECSManagedTags",
        "enableExecuteCommand",
        "healthCheckGracePeriodSeconds",
        "placementConstraints",
        "placementStrategy",
    )
    create = EC2ContainerServiceResponse.create_service

    def create_service(self: Any) -> Any:
        answer = create(self)
        service = answer.result["service"]
        for field in forgotten:
            value = self._get_param(field)
            if value is not None:
                setattr(service, camelcase_to_underscores(field), value)
        return answer

    EC2ContainerServiceResponse.create_service = create_service


def _services_reach_a_steady_state() -> None:
    # moto starts no tasks. Here what a service asks for runs at once, its targets are healthy, and
    # each change of its tasks is a deployment of its own, as after the wait on AWS:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
    def settle(service: Any) -> None:
        service.running_count = service.desired_count
        service.pending_count = 0
        for deployment in service.deployments:
            deployment.update(
                desiredCount=service.desired_count,
                runningCount=service.desired_count,
                pendingCount=0,
                rolloutState="COMPLETED",
                rolloutStateReason=f"ECS deployment {deployment['id']} completed.",
                taskDefinition=service.task_definition,
            )
        balancers = elbv2_backends[service._account_id][service.region_name]
        for balancer in service.load_balancers:
            group = balancers.target_groups.get(balancer.get("targetGroupArn"))
            if group is None:
                continue
            group.targets.clear()
            group.register(
                [
                    {"id": f"10.0.64.{number + 10}", "port": str(balancer["containerPort"])}
                    for number in range(service.desired_count)
                ]
            )

    def settling(action: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def wrapped(self: Any) -> Any:
            answer = action(self)
            settle(answer.result["service"])
            return answer

        return wrapped

    update = EC2ContainerServiceResponse.update_service

    def update_service(self: Any) -> Any:
        name = self._get_param("service").split("/")[-1]
        cluster = self._get_param("cluster", "default").split("/")[-1]
        before = self.ecs_backend.services.get(f"{cluster}:{name}")
        task_definition = before.task_definition if before else None
        answer = update(self)
        service = answer.result["service"]
        if service.task_definition != task_definition and service.deployments:
            serial = int(service.deployments[0]["id"].rsplit("/", 1)[1]) + 1
            service.deployments[0]["id"] = f"ecs-svc/{serial}"
        return answer

    EC2ContainerServiceResponse.create_service = settling(
        EC2ContainerServiceResponse.create_service
    )
    EC2ContainerServiceResponse.update_service = settling(update_service)
