"""Elastic Compute Cloud."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

from moto.ec2.exceptions import InvalidParameterValue
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule
from moto.ec2.models.subnets import Subnet
from moto.ec2.models.vpcs import VPC, VPCBackend, VPCEndPoint

_VPCE_HOSTED_ZONE_ID = "Z1YSA3EXCYUU9Z"
"""Of the names of interface endpoints; AWS has one for each region."""

_INTERFACE_POLICY = json.dumps(
    {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]},
    indent=2,
    separators=(", ", ": "),
)
"""Of an interface endpoint that is made without a policy, as AWS writes it."""


def apply() -> None:
    _security_group_rules_keep_their_descriptions()
    _security_group_rules_say_whose_they_are()
    _rules_for_all_protocols_have_no_ports()
    _endpoints_are_gateways_by_default()
    _interface_endpoints_have_names()
    _networks_have_options_and_a_default_group()
    _subnets_translate_no_addresses()
    _addresses_come_from_amazons_pool()
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


def _rules_for_all_protocols_have_no_ports() -> None:
    # moto asks for ports whatever the protocol. What AWS says:
    # https://github.com/aws-ia/terraform-aws-genai-document-ingestion-rag/pull/36
    modify = SecurityGroupBackend.modify_security_group_rules

    def modify_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        for rule in rules.values():
            if str(rule.get("IpProtocol")) != "-1":
                continue
            if any(rule.get(port) not in (None, -1, "-1") for port in ("FromPort", "ToPort")):
                raise InvalidParameterValue(
                    "You may not specify all protocols and specific ports. Please specify each"
                    " protocol and port range combination individually, or all protocols and no"
                    " port range."
                )
            rule.update(FromPort=-1, ToPort=-1)
        modify(self, group_id, rules)

    SecurityGroupBackend.modify_security_group_rules = modify_rules


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


def _interface_endpoints_have_names() -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html
    make = VPCEndPoint.__init__

    def endpoint(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        if self.vpc_endpoint_type != "Interface":
            return
        self.ip_address_type = "ipv4"
        self.dns_options = {"DnsRecordIpType": "ipv4"}
        self.policy_document = kwargs.get("policy_document") or args[5] or _INTERFACE_POLICY
        self.dns_entries = [
            {"DnsName": name, "HostedZoneId": _VPCE_HOSTED_ZONE_ID} for name in names(self)
        ]

    def names(endpoint: Any) -> Iterator[str]:
        region = endpoint.ec2_backend.region_name
        service = endpoint.service_name.removeprefix(f"com.amazonaws.{region}.")
        host = ".".join([*reversed(service.split(".")), region])
        own = f"{endpoint.id}-{secrets.token_hex(4)}"
        subnets = [endpoint.ec2_backend.get_subnet(id) for id in endpoint.subnet_ids or ()]
        yield f"{own}.{host}.vpce.amazonaws.com"
        for subnet in subnets:
            yield f"{own}-{subnet.availability_zone}.{host}.vpce.amazonaws.com"
        if endpoint.private_dns_enabled:
            yield f"{host}.amazonaws.com"

    VPCEndPoint.__init__ = endpoint


def _networks_have_options_and_a_default_group() -> None:
    # https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    create, former = VPCBackend.create_vpc, VPC.dhcp_options_id
    options: dict[tuple[str, str], str] = {}

    def create_vpc(self: Any, *args: Any, **kwargs: Any) -> Any:
        vpc = create(self, *args, **kwargs)
        group = self.get_security_group_from_name("default", vpc_id=vpc.id)
        self.authorize_security_group_ingress(
            group.id, "-1", None, None, [], source_groups=[{"GroupId": group.id}], vpc_id=vpc.id
        )
        return vpc

    def dhcp_options_id(self: Any) -> str:
        # The set that each region has.
        # https://docs.aws.amazon.com/vpc/latest/userguide/VPC_DHCP_Options.html
        if self.dhcp_options:
            return str(former.fget(self))
        key = (self.ec2_backend.account_id, self.ec2_backend.region_name)
        return options.setdefault(key, f"dopt-{secrets.token_hex(8)}0")

    VPCBackend.create_vpc = create_vpc
    VPC.dhcp_options_id = property(dhcp_options_id)


def _subnets_translate_no_addresses() -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Subnet.html
    Subnet.enable_dns64 = False


def _addresses_come_from_amazons_pool() -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Address.html
    ElasticAddress.public_ipv4_pool = "amazon"
    ElasticAddress.network_border_group = property(lambda self: self.ec2_backend.region_name)
    ElasticAddress.instance_id = property(lambda self: self.instance and self.instance.id)
    ElasticAddress.network_interface_id = property(lambda self: self.eni and self.eni.id)
