"""How requests reach a service: its target group, health check and listener rule."""

from dataclasses import dataclass
from typing import Annotated

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.lb_listener_rule import (
    LbListenerRule,
    LbListenerRuleAction,
    LbListenerRuleCondition,
    LbListenerRuleConditionHostHeader,
    LbListenerRuleConditionPathPattern,
)
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup, LbTargetGroupHealthCheck
from constructs import Construct

from prod_e.doc import Doc
from prod_e.load_balancer.priority import path_patterns

_LONGEST_NAME = 32


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a load balancer asks a task whether it may get requests.

    Raises `ValueError` for values that AWS refuses.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
    """

    path: Annotated[str, Doc("what is asked for; default /")] = "/"
    status: Annotated[str, Doc("the healthy answer, as 200, 200,204 or 200-299")] = "200"
    interval_seconds: Annotated[int, Doc("5 to 300, above timeout_seconds; default 10")] = 10
    timeout_seconds: Annotated[int, Doc("2 to 120; default 5")] = 5
    healthy_threshold: Annotated[int, Doc("good answers in a row, 2 to 10; default 2")] = 2
    unhealthy_threshold: Annotated[int, Doc("bad ones in a row, 2 to 10; default 3")] = 3
    grace_period_seconds: Annotated[
        int,
        Doc(
            "after a task's start, in which ECS does not mind bad answers, 0 to 2147483647; longer"
            " than the start period of the container's check; default 180"
        ),
    ] = 180

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError(f"path = {self.path!r}; it begins with /")
        for name, least, most in (
            ("interval_seconds", 5, 300),
            ("timeout_seconds", 2, 120),
            ("healthy_threshold", 2, 10),
            ("unhealthy_threshold", 2, 10),
            ("grace_period_seconds", 0, 2_147_483_647),
        ):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} = {getattr(self, name)}; allowed: {least} to {most}")
        if self.timeout_seconds >= self.interval_seconds:
            raise ValueError(
                f"timeout_seconds = {self.timeout_seconds} is not below"
                f" interval_seconds = {self.interval_seconds}"
            )


def target_group(
    scope: Construct, id: str, *, name: str, port: int, vpc_id: str, health_check: HealthCheck
) -> LbTargetGroup:
    """The target group of tasks. `name`: at most 32 characters. `port`: of the first tasks.

    Both stay what they were: ECS registers each task with the port of its own container, and a
    group that took this one's place would be empty when the listener rule is led to it.

    Raises `ValueError` for a name that AWS refuses.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LoadBalancer.html
    """
    if len(name) > _LONGEST_NAME:
        raise ValueError(
            f"the target group's name {name!r} has {len(name)} characters; AWS allows"
            f" {_LONGEST_NAME}: give the route target_group_name"
        )
    return LbTargetGroup(
        scope,
        id,
        name=name,
        port=port,
        protocol="HTTP",
        target_type="ip",
        vpc_id=vpc_id,
        # Shorter than the stop timeout of tasks, longer than a usual request.
        deregistration_delay="20",
        health_check=LbTargetGroupHealthCheck(
            path=health_check.path,
            matcher=health_check.status,
            interval=health_check.interval_seconds,
            timeout=health_check.timeout_seconds,
            healthy_threshold=health_check.healthy_threshold,
            unhealthy_threshold=health_check.unhealthy_threshold,
        ),
        lifecycle=TerraformResourceLifecycle(
            create_before_destroy=True, ignore_changes=["name", "port"]
        ),
    )


def listener_rule(
    scope: Construct,
    id: str,
    *,
    name: str,
    listener_arn: str,
    path: str,
    host: str | None,
    priority: int,
    target_group_arn: str,
) -> LbListenerRule:
    """Leads requests for a path, and a host if given, to a target group. `name`: its Name tag.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
    """
    conditions = [
        LbListenerRuleCondition(
            path_pattern=LbListenerRuleConditionPathPattern(values=[*path_patterns(path)])
        )
    ]
    if host:
        conditions.append(
            LbListenerRuleCondition(host_header=LbListenerRuleConditionHostHeader(values=[host]))
        )
    return LbListenerRule(
        scope,
        id,
        listener_arn=listener_arn,
        priority=priority,
        action=[LbListenerRuleAction(type="forward", target_group_arn=target_group_arn)],
        condition=conditions,
        tags={"Name": name},
    )
