"""Application Auto Scaling."""

import uuid
from typing import Any

from moto.applicationautoscaling.models import (
    FakeApplicationAutoscalingPolicy,
    FakeScalableTarget,
)
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult

from embedded_aws.control_plane.scaling import activities, tracked_metric


def apply() -> None:
    _scaling_targets_have_what_requests_leave_out()
    _scaling_targets_have_tags()
    _policies_have_the_alarms_of_their_metric()
    _policies_aim_at_a_fraction()
    _activities_are_told()


def _policies_have_the_alarms_of_their_metric() -> None:
    # https://docs.aws.amazon.com/autoscaling/application/userguide/monitoring-cloudwatch.html
    def generate(self: Any) -> list[Any]:
        configuration = self.target_tracking_scaling_policy_configuration
        if not (found := tracked_metric(self.resource_id, configuration)):
            return []
        metric, name = found
        action = f"{self.policy_arn}:createdBy/{uuid.uuid4()}"
        cloudwatch = cloudwatch_backends[self.account_id][self.region_name]
        aim = float(configuration["TargetValue"])
        alarms = [("High", "GreaterThanThreshold", 3, aim)]
        if not configuration.get("DisableScaleIn"):
            alarms.append(("Low", "LessThanThreshold", 15, aim * 0.9))
        return [
            cloudwatch.put_metric_alarm(
                name=f"TargetTracking-{self.resource_id}-Alarm{which}-{uuid.uuid4()}",
                namespace=metric.namespace,
                metric_name=metric.name,
                metric_data_queries=[],
                comparison_operator=comparison,
                evaluation_periods=periods,
                period=60,
                threshold=threshold,
                statistic=name,
                description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
                dimensions=[{"Name": n, "Value": v} for n, v in metric.dimensions.items()],
                alarm_actions=[action],
            )
            for which, comparison, periods, threshold in alarms
        ]

    setattr(FakeApplicationAutoscalingPolicy, "_generate_ecs_alarms", generate)  # noqa: B010 private to moto


def _policies_aim_at_a_fraction() -> None:
    # https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
    make = FakeApplicationAutoscalingPolicy.__init__

    def policy(self: Any, *, policy_body: dict[str, Any], **named: Any) -> None:
        if "TargetValue" in policy_body:
            policy_body = {**policy_body, "TargetValue": float(policy_body["TargetValue"])}
        make(self, policy_body=policy_body, **named)

    FakeApplicationAutoscalingPolicy.__init__ = policy


def _activities_are_told() -> None:
    # https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingActivities.html
    def describe_scaling_activities(self: Any) -> ActionResult:
        namespace, of = self._get_param("ServiceNamespace"), self._get_param("ResourceId")
        return ActionResult(
            {
                "ScalingActivities": [
                    each
                    for each in activities
                    if each["ServiceNamespace"] == namespace and of in (None, each["ResourceId"])
                ]
            }
        )

    ApplicationAutoScalingResponse.describe_scaling_activities = describe_scaling_activities


def _scaling_targets_have_tags() -> None:
    # https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ListTagsForResource.html
    tags: dict[str, dict[str, str]] = {}
    register = ApplicationAutoScalingResponse.register_scalable_target

    def register_scalable_target(self: Any) -> Any:
        given = self._get_param("Tags")
        answer = register(self)
        if given:
            target = self.applicationautoscaling_backend.targets[
                self._get_param("ScalableDimension")
            ][self._get_param("ResourceId")]
            tags[target.arn] = given
        return answer

    def list_tags_for_resource(self: Any) -> ActionResult:
        return ActionResult({"Tags": tags.get(self._get_param("ResourceARN"), {})})

    def tag_resource(self: Any) -> ActionResult:
        tags.setdefault(self._get_param("ResourceARN"), {}).update(self._get_param("Tags"))
        return ActionResult({})

    def untag_resource(self: Any) -> ActionResult:
        for key in self._get_param("TagKeys"):
            tags.get(self._get_param("ResourceARN"), {}).pop(key, None)
        return ActionResult({})

    ApplicationAutoScalingResponse.register_scalable_target = register_scalable_target
    ApplicationAutoScalingResponse.list_tags_for_resource = list_tags_for_resource
    ApplicationAutoScalingResponse.tag_resource = tag_resource
    ApplicationAutoScalingResponse.untag_resource = untag_resource


def _scaling_targets_have_what_requests_leave_out() -> None:
    # https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ScalableTarget.html
    make, update = FakeScalableTarget.__init__, FakeScalableTarget.update

    def fill_in(target: Any) -> None:
        target.suspended_state = {
            "DynamicScalingInSuspended": False,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
            **(target.suspended_state or {}),
        }

    def make_target(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        fill_in(self)
        if self.role_arn is None and self.service_namespace == "ecs":
            # https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html
            account_id = self.applicationautoscaling_backend.account_id
            self.role_arn = (
                f"arn:aws:iam::{account_id}:role/aws-service-role/"
                "ecs.application-autoscaling.amazonaws.com/"
                "AWSServiceRoleForApplicationAutoScaling_ECSService"
            )

    def update_target(self: Any, *args: Any, **kwargs: Any) -> None:
        update(self, *args, **kwargs)
        fill_in(self)

    FakeScalableTarget.__init__ = make_target
    FakeScalableTarget.update = update_target
