"""Elastic Compute Cloud."""

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule


def apply() -> None:
    _security_group_rules_keep_their_descriptions()


def _security_group_rules_keep_their_descriptions() -> None:
    # moto answers with the description of a rule whose peer is an address range, and only then.
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
    make = SecurityGroupRule.__init__

    def make_rule(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        given = (*args, *kwargs.values())
        peers = (value for value in given if isinstance(value, dict))
        self.given_description = next((p["Description"] for p in peers if "Description" in p), None)

    SecurityGroupRule.__init__ = make_rule
    SecurityGroupRule.description = property(
        lambda self: self.ip_range.get("Description", self.given_description)
    )
