"""A service's place behind a load balancer."""

from dataclasses import dataclass
from typing import Annotated

from cdktf_cdktf_provider_aws.lb_listener_rule import LbListenerRule
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup

from prod_e.doc import Doc


@dataclass(frozen=True, kw_only=True)
class Route:
    """A service's place behind a load balancer."""

    target_group: Annotated[LbTargetGroup, Doc("where its tasks are registered")]
    listener_rule: Annotated[LbListenerRule, Doc("what leads requests there")]
    load_balancer_arn_suffix: Annotated[str, Doc("what CloudWatch calls the load balancer")]
    grace_period_seconds: Annotated[
        int, Doc("after a task's start, in which ECS does not mind what the load balancer finds")
    ]
