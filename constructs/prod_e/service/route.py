"""A service's place behind a load balancer."""

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.lb_listener_rule import LbListenerRule
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup


@dataclass(frozen=True, kw_only=True)
class Route:
    """A service's place behind a load balancer.

    `load_balancer_arn_suffix`: what CloudWatch calls the load balancer. `grace_period_seconds`:
    after a task's start, in which ECS does not mind what the load balancer finds.
    """

    target_group: LbTargetGroup
    listener_rule: LbListenerRule
    load_balancer_arn_suffix: str
    grace_period_seconds: int
