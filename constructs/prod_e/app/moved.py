"""Terraform addresses that states may still hold, and where their resources are now."""

import hashlib

from cdktf import TerraformResource, TerraformStack

from prod_e.network.security_group import INTERNET, S3, Rule, SecurityGroup, SecurityGroupBase

_FORMER_SCOPE = "network"


def keep_former_addresses(stack: TerraformStack) -> None:
    """Adds `moved` blocks for security groups and their rules, which were all below the network.

    https://developer.hashicorp.com/terraform/language/modules/develop/refactoring
    """
    for construct in stack.node.find_all():
        if not isinstance(construct, SecurityGroupBase):
            continue
        if isinstance(construct, SecurityGroup) and construct.label != "endpoints":
            _was_at(construct.security_group, construct.label)
        for rule in construct.rules:
            _was_at(rule.resource, _former_id(construct.label, rule))


def _former_id(label: str, rule: Rule) -> str:
    if rule.peer == INTERNET:
        return f"internet-to-{label}-{rule.port}" if rule.is_ingress else f"{label}-to-internet"
    if rule.peer == S3:
        return f"{label}-to-s3"
    if rule.is_ingress:
        return f"{rule.peer}-to-{label}-{rule.port}-ingress"
    return f"{label}-to-{rule.peer}-{rule.port}-egress"


def _was_at(resource: TerraformResource, id: str) -> None:
    # As cdktf makes unique ids of paths: the names, and eight digits of the whole path's MD5.
    digest = hashlib.md5(f"{_FORMER_SCOPE}/{id}".encode(), usedforsecurity=False).hexdigest()
    resource.move_from_id(
        f"{resource.terraform_resource_type}.{_FORMER_SCOPE}_{id}_{digest[:8].upper()}"
    )
