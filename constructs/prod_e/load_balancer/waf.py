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

_RULES_ON_BODIES: dict[str, tuple[str, ...]] = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesKnownBadInputsRuleSet": (
        "JavaDeserializationRCE_BODY",
        "Log4JRCE_BODY",
    ),
    "AWSManagedRulesCommonRuleSet": (
        "SizeRestrictions_BODY",
        "EC2MetaDataSSRF_BODY",
        "GenericLFI_BODY",
        "GenericRFI_BODY",
        "CrossSiteScripting_BODY",
    ),
}
"""The rule groups, each with those of its rules that look into a request's body:
https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html"""


@dataclass(frozen=True, kw_only=True)
class Waf:
    """A web ACL with AWS's managed rule groups and a limit for each address.

    What a body may be, the service knows better: a text that quotes HTML is no attack, and rules on
    bodies block those over 8 KiB. They only count, unless `block_bodies` is set.

    Raises `ValueError` for a limit that AWS refuses.

    https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
    """

    name: Annotated[str | None, Doc("default: <load balancer's>-waf")] = None
    requests_per_5_minutes_and_address: Annotated[
        int, Doc("10 to 2,000,000,000; more are blocked; default 2000")
    ] = 2000
    block_bodies: Annotated[
        bool, Doc("whether rules on bodies block what they match; default: they count it")
    ] = False

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
            "statement": {
                "managed_rule_group_statement": {
                    "name": group,
                    "vendor_name": "AWS",
                    "rule_action_override": [
                        {"name": rule, "action_to_use": {"count": {}}}
                        for rule in (() if waf.block_bodies else rules_on_bodies)
                    ],
                }
            },
            "visibility_config": _visibility_block(group),
        }
        for number, (group, rules_on_bodies) in enumerate(_RULES_ON_BODIES.items(), start=1)
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
