"""Terraform addresses that states may still hold, and where their resources are now."""

import hashlib

from cdktf import TerraformResource, TerraformStack

from prod_e.load_balancer.load_balancer import LoadBalancer
from prod_e.network.security_group import INTERNET, S3, Rule, SecurityGroup, SecurityGroupBase

_FORMER_SCOPE = "network"


def keep_former_addresses(stack: TerraformStack) -> None:
    """Adds `moved` blocks for what had another address.

    Security groups and their rules were all below the network, and the records of a load balancer's
    further names were numbered.

    https://developer.hashicorp.com/terraform/language/modules/develop/refactoring
    """
    for construct in stack.node.find_all():
        if isinstance(construct, LoadBalancer):
            further = list(construct.alias_records.values())[1:]
            for number, record in enumerate(further, start=2):
                _was_at(record, construct.node.id, f"alias-{number}")
        if not isinstance(construct, SecurityGroupBase):
            continue
        if isinstance(construct, SecurityGroup) and construct.label != "endpoints":
            _was_at(construct.security_group, _FORMER_SCOPE, construct.label)
        for rule in construct.rules:
            _was_at(rule.resource, _FORMER_SCOPE, _former_id(construct.label, rule))


def _former_id(label: str, rule: Rule) -> str:
    if rule.peer == INTERNET:
        return f"internet-to-{label}-{rule.port}" if rule.is_ingress else f"{label}-to-internet"
    if rule.peer == S3:
        return f"{label}-to-s3"
    if rule.is_ingress:
        return f"{rule.peer}-to-{label}-{rule.port}-ingress"
    return f"{label}-to-{rule.peer}-{rule.port}-egress"


def _was_at(resource: TerraformResource, scope: str, id: str) -> None:
    # As cdktf makes unique ids of paths: the names, and eight digits of the whole path's MD5.
    digest = hashlib.md5(f"{scope}/{id}".encode(), usedforsecurity=False).hexdigest()
    resource.move_from_id(f"{resource.terraform_resource_type}.{scope}_{id}_{digest[:8].upper()}")
