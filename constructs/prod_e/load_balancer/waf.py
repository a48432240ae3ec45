"""The web application firewall in front of a load balancer."""

from dataclasses import dataclass
from typing import Annotated

from cdktf_cdktf_provider_aws.wafv2_web_acl import (
    Wafv2WebAcl,
    Wafv2WebAclDefaultAction,
    Wafv2WebAclDefaultActionAllow,
    Wafv2WebAclVisibilityConfig,
)
from cdktf_cdktf_provider_aws.wafv2_web_acl_association import Wafv2WebAclAssociation
from constructs import Construct

from prod_e.doc import Doc

_RULE_GROUPS = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesCommonRuleSet",
)


@dataclass(frozen=True, kw_only=True)
class Waf:
    """A web ACL with AWS's managed rule groups and a limit for each address.

    Raises `ValueError` for a limit that AWS refuses.

    https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
    """

    name: Annotated[str | None, Doc("default: <load balancer's>-waf")] = None
    requests_per_5_minutes_and_address: Annotated[
        int, Doc("10 to 2,000,000,000; more are blocked; default 2000")
    ] = 2000

    def __post_init__(self) -> None:
        if not 10 <= self.requests_per_5_minutes_and_address <= 2_000_000_000:
            raise ValueError(
                "requests_per_5_minutes_and_address ="
                f" {self.requests_per_5_minutes_and_address}; allowed: 10 to 2000000000"
            )


def add_web_acl(
    scope: Construct, waf: Waf, *, load_balancer_name: str, load_balancer_arn: str
) -> Wafv2WebAcl:
    """Puts a web ACL in front of a load balancer."""
    name = waf.name or f"{load_balancer_name}-waf"
    groups = [
        {
            "name": group,
            "priority": number,
            "override_action": {"none": {}},
            "statement": {"managed_rule_group_statement": {"name": group, "vendor_name": "AWS"}},
            "visibility_config": _visibility_block(group),
        }
        for number, group in enumerate(_RULE_GROUPS, start=1)
    ]
    rate_limit = {
        "name": "rate-limit",
        "priority": 0,
        "action": {"block": {}},
        "statement": {
            "rate_based_statement": {
                "limit": waf.requests_per_5_minutes_and_address,
                "aggregate_key_type": "IP",
            }
        },
        "visibility_config": _visibility_block("rate-limit"),
    }
    acl = Wafv2WebAcl(
        scope,
        "waf",
        name=name,
        scope="REGIONAL",
        default_action=Wafv2WebAclDefaultAction(allow=Wafv2WebAclDefaultActionAllow()),
        visibility_config=Wafv2WebAclVisibilityConfig(
            cloudwatch_metrics_enabled=True,
            metric_name=name,
            sampled_requests_enabled=True,
        ),
    )
    # The bindings type a rule's blocks only in part; this is Terraform's own form of them.
    acl.add_override("rule", [rate_limit, *groups])
    Wafv2WebAclAssociation(
        scope,
        "waf-association",
        resource_arn=load_balancer_arn,
        web_acl_arn=acl.arn,
    )
    return acl


def _visibility_block(metric_name: str) -> dict[str, object]:
    return {
        "cloudwatch_metrics_enabled": True,
        "metric_name": metric_name,
        "sampled_requests_enabled": True,
    }
