"""Changes the desired count of services as target tracking policies of Application Auto Scaling do.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html

AWS looks at three periods of a minute before it adds tasks, and at fifteen before it removes some.
Here it is the last minute both times, so that one can wait for it; cooldowns are the policies' own.
"""

import math
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.ecs.models import ecs_backends

from embedded_aws.control_plane.cloudwatch.metrics import Metric, statistic

_EVERY_SECONDS = 5.0
_WINDOW_SECONDS = 60.0
_SCALE_IN_BELOW = 0.9
"""Of the target: https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html#target-tracking-considerations."""
_COOLDOWN_SECONDS = 300
"""https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html."""

_MOST_ACTIVITIES = 1_000
"""AWS keeps those of six weeks."""

_PREDEFINED = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}
_last = [0.0]
_times: dict[str, "_Times"] = {}
activities: list[dict[str, Any]] = []
"""What was done, the newest first, as DescribeScalingActivities tells it."""


@dataclass(kw_only=True)
class _Times:
    """When a target was scaled out and in last, in seconds of `time.monotonic`."""

    out: float = -math.inf
    into: float = -math.inf


@dataclass(frozen=True, kw_only=True)
class _Policy:
    """A target tracking policy, and how many tasks it wants; None: it has nothing to go by."""

    name: str
    scale_out_cooldown: int
    scale_in_cooldown: int
    wanted: int | None
    may_scale_in: bool


def tracked_metric(resource_id: str, configuration: dict[str, Any]) -> tuple[Metric, str] | None:
    """The metric and the statistic that a policy follows; None for one not known here."""
    _, cluster, service = resource_id.split("/")
    if given := configuration.get("PredefinedMetricSpecification"):
        kind = given["PredefinedMetricType"]
        if name := _PREDEFINED.get(kind):
            dimensions = {"ClusterName": cluster, "ServiceName": service}
            return Metric(namespace="AWS/ECS", name=name, dimensions=dimensions), "Average"
        if kind == "ALBRequestCountPerTarget":
            balancer, _, group = given["ResourceLabel"].partition("/targetgroup/")
            dimensions = {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"}
            metric = Metric(
                namespace="AWS/ApplicationELB",
                name="RequestCountPerTarget",
                dimensions=dimensions,
            )
            return metric, "Sum"
    if (given := configuration.get("CustomizedMetricSpecification")) and "MetricName" in given:
        dimensions = {d["Name"]: d["Value"] for d in given.get("Dimensions") or ()}
        metric = Metric(
            namespace=given["Namespace"], name=given["MetricName"], dimensions=dimensions
        )
        return metric, given["Statistic"]
    return None


def evaluate() -> None:
    """Scales every ECS service that has a policy and a reason."""
    if time.monotonic() - _last[0] < _EVERY_SECONDS:
        return
    _last[0] = time.monotonic()
    for account, of_account in list(applicationautoscaling_backends.items()):
        for region, backend in list(of_account.items()):
            for target in backend.targets.get("ecs:service:DesiredCount", {}).values():
                found = ecs_backends[account][region].services
                _, cluster, name = target.resource_id.split("/")
                service = next(
                    (s for s in found.values() if (s.cluster_name, s.name) == (cluster, name)), None
                )
                if service is not None and service.status == "ACTIVE":
                    _scale(backend, target, service)


def _scale(backend: Any, target: Any, service: Any) -> None:
    now, count = time.monotonic(), int(service.desired_count)
    times = _times.setdefault(target.arn, _Times())
    policies = list(_policies(backend, target, service))
    suspended = target.suspended_state or {}
    out = [
        policy
        for policy in policies
        if policy.wanted is not None
        and policy.wanted > count
        and now - times.out >= policy.scale_out_cooldown
    ]
    if out and not suspended.get("DynamicScalingOutSuspended"):
        # "it provides the largest capacity"
        chosen = max(out, key=lambda policy: policy.wanted or 0)
        if _set(target, service, chosen, "High"):
            times.out = now
        return
    is_deploying = service.deployments[0]["rolloutState"] == "IN_PROGRESS"
    # "only if all of the target tracking scaling policies are ready to scale in"
    if (
        not policies
        or is_deploying
        or suspended.get("DynamicScalingInSuspended")
        or any(
            policy.wanted is None or policy.wanted >= count or not policy.may_scale_in
            for policy in policies
        )
    ):
        return
    chosen = max(policies, key=lambda policy: policy.wanted or 0)
    if now - max(times.out, times.into) < chosen.scale_in_cooldown:
        return
    if _set(target, service, chosen, "Low"):
        times.into = now


def _policies(backend: Any, target: Any, service: Any) -> Iterator[_Policy]:
    cloudwatch = cloudwatch_backends[backend.account_id][backend.region_name]
    since = time.time() - _WINDOW_SECONDS
    for policy in backend.policies.values():
        configuration = policy.target_tracking_scaling_policy_configuration
        if policy.resource_id != target.resource_id or not configuration:
            continue
        wanted = None
        if found := tracked_metric(target.resource_id, configuration):
            metric, name = found
            recent = [datum for _, datum in metric.data(cloudwatch, since=since)]
            if (value := statistic(recent, name)) is not None:
                wanted = _wanted(int(service.desired_count), value, configuration["TargetValue"])
        yield _Policy(
            name=policy.policy_name,
            scale_out_cooldown=configuration.get("ScaleOutCooldown", _COOLDOWN_SECONDS),
            scale_in_cooldown=configuration.get("ScaleInCooldown", _COOLDOWN_SECONDS),
            wanted=wanted,
            may_scale_in=not configuration.get("DisableScaleIn"),
        )


def _wanted(count: int, value: float, aim: float) -> int:
    """The count with which each task would have its share; as it is where that is near enough."""
    if _SCALE_IN_BELOW * aim <= value <= aim:
        return count
    return math.ceil(count * value / aim)


def _set(target: Any, service: Any, policy: _Policy, alarm: str) -> bool:
    count = min(max(policy.wanted or 0, int(target.min_capacity)), int(target.max_capacity))
    if count == service.desired_count:
        return False
    service.desired_count = count
    now = time.time()
    del activities[_MOST_ACTIVITIES - 1 :]
    activities.insert(
        0,
        {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": "ecs",
            "ResourceId": target.resource_id,
            "ScalableDimension": target.scalable_dimension,
            "Description": f"Setting desired count to {count}.",
            "Cause": f"monitor alarm TargetTracking-{target.resource_id}-Alarm{alarm} in state"
            f" ALARM triggered policy {policy.name}",
            "StartTime": now,
            "EndTime": now,
            "StatusCode": "Successful",
            "StatusMessage": f"Successfully set desired count to {count}. Change successfully"
            " fulfilled by ecs.",
        },
    )
    return True
