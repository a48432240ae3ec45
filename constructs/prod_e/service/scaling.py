"""How the number of a service's tasks follows the load."""

from dataclasses import dataclass
from typing import Annotated

from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from constructs import Construct

from prod_e.doc import Doc
from prod_e.names import with_end

_MOST_TASKS = 5000


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Target tracking: tasks are added and removed so that each aim is nearly met.

    Raises `ValueError` for values that AWS refuses.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html
    """

    min_tasks: Annotated[
        int, Doc("1 to max_tasks: with no task nothing could be followed; default 2")
    ] = 2
    max_tasks: Annotated[int, Doc("more than min_tasks, at most 5000; default 10")] = 10
    cpu_target_percent: Annotated[int, Doc("of the tasks' CPU, 10 to 90; default 60")] = 60
    memory_target_percent: Annotated[int, Doc("of their memory, 10 to 90; default 70")] = 70
    requests_per_task_and_minute: Annotated[
        int, Doc("from the load balancer, 1 or more; without a route it has no meaning")
    ] = 1000

    def __post_init__(self) -> None:
        if not 1 <= self.min_tasks < self.max_tasks <= _MOST_TASKS:
            raise ValueError(
                f"min_tasks = {self.min_tasks}, max_tasks = {self.max_tasks};"
                f" allowed: 1 <= min_tasks < max_tasks <= {_MOST_TASKS}"
            )
        for name in ("cpu_target_percent", "memory_target_percent"):
            if not 10 <= getattr(self, name) <= 90:
                raise ValueError(f"{name} = {getattr(self, name)}; allowed: 10 to 90")
        if self.requests_per_task_and_minute < 1:
            raise ValueError("requests_per_task_and_minute is less than 1")


class TaskScaling:
    """The scalable target of an ECS service, and its policies, made below the service."""

    def __init__(
        self, scope: Construct, *, scaling: Scaling, cluster_name: str, service_name: str, name: str
    ) -> None:
        self._scope = scope
        self._name = name
        self._scaling = scaling
        self._target = AppautoscalingTarget(
            scope,
            "scaling",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{cluster_name}/{service_name}",
            min_capacity=scaling.min_tasks,
            max_capacity=scaling.max_tasks,
        )
        self._follow("cpu", "ECSServiceAverageCPUUtilization", scaling.cpu_target_percent)
        self._follow("memory", "ECSServiceAverageMemoryUtilization", scaling.memory_target_percent)

    def follow_requests(self, *, load_balancer: str, target_group: str, number: int) -> None:
        """Follows the requests that a target group gets; both as CloudWatch calls them.

        `number`: which of the service's target groups it is, from 1.
        """
        self._follow(
            "requests" if number == 1 else f"requests-{number}",
            "ALBRequestCountPerTarget",
            self._scaling.requests_per_task_and_minute,
            f"{load_balancer}/{target_group}",
        )

    def _follow(self, id: str, metric: str, aim: int, resource_label: str | None = None) -> None:
        AppautoscalingPolicy(
            self._scope,
            f"scaling-{id}",
            name=with_end(self._name, id),
            policy_type="TargetTrackingScaling",
            service_namespace=self._target.service_namespace,
            scalable_dimension=self._target.scalable_dimension,
            resource_id=self._target.resource_id,
            target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
                predefined_metric_specification=AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification(
                    predefined_metric_type=metric, resource_label=resource_label
                ),
                target_value=aim,
                scale_out_cooldown=60,
                scale_in_cooldown=300,
            ),
        )
