"""Elastic Compute Cloud."""

import json
from typing import Any

from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.vpcs import VPCEndPoint


def apply() -> None:
    _security_group_rules_keep_their_descriptions()
    _security_group_rules_say_whose_they_are()
    _endpoints_are_gateways_by_default()
    _nat_gateways_are_public_by_default()
    _route_tables_say_what_propagates()


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


def _security_group_rules_say_whose_they_are() -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
    SecurityGroupRule.group_owner_id = property(lambda self: self.ec2_backend.account_id)


def _endpoints_are_gateways_by_default() -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
    make = VPCEndPoint.__init__
    default_policy = json.dumps(VPCEndPoint.DEFAULT_POLICY)

    def endpoint(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.vpc_endpoint_type = self.vpc_endpoint_type or "Gateway"
        self.requester_managed = False
        if self.vpc_endpoint_type == "Gateway":
            self.private_dns_enabled = False
        if self.policy_document == default_policy:
            self.policy_document = json.dumps(VPCEndPoint.DEFAULT_POLICY, separators=(",", ":"))

    VPCEndPoint.__init__ = endpoint


def _nat_gateways_are_public_by_default() -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html
    make = NatGateway.__init__

    def gateway(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.connectivity_type = self.connectivity_type or "public"

    NatGateway.__init__ = gateway


def _route_tables_say_what_propagates() -> None:
    # Nothing does: moto has no virtual private gateways' routes.
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RouteTable.html
    RouteTable.propagating_vgws = ()
