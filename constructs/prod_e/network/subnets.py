"""Subnets, their route tables, and the NAT gateways of the private ones."""

import ipaddress
from collections.abc import Sequence

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.eip import Eip
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.subnet import Subnet
from constructs import Construct

from prod_e.network.security_group import ANYWHERE


def add_subnets(
    scope: Construct,
    tier: str,
    *,
    name: str,
    vpc_id: str,
    zones: Sequence[str],
    blocks: Sequence[ipaddress.IPv4Network],
) -> list[Subnet]:
    """One subnet of a tier (`public`, `private`, `isolated`) in each zone."""
    return [
        Subnet(
            scope,
            f"{tier}-subnet-{number}",
            vpc_id=vpc_id,
            cidr_block=str(block),
            availability_zone=zone,
            map_public_ip_on_launch=False,
            tags={"Name": f"{name}-{tier}-{number}", "Tier": tier},
            # A subnet cannot move: were AWS's list of zones another one day, a new subnet would
            # take its place, and all that is in it would be made anew.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["availability_zone"]),
        )
        for number, (zone, block) in enumerate(zip(zones, blocks, strict=False), start=1)
    ]


def add_route_table(
    scope: Construct, tier: str, *, name: str, vpc_id: str, subnets: Sequence[Subnet]
) -> RouteTable:
    """A route table, without a route out of the VPC yet, for some subnets."""
    table = RouteTable(scope, f"{tier}-routes", vpc_id=vpc_id, tags={"Name": f"{name}-{tier}"})
    for subnet in subnets:
        RouteTableAssociation(
            scope,
            f"{subnet.node.id}-routes",
            subnet_id=subnet.id,
            route_table_id=table.id,
        )
    return table


def add_nat_gateways(
    scope: Construct,
    *,
    name: str,
    public: Sequence[Subnet],
    private_tables: Sequence[RouteTable],
    internet: InternetGateway,
) -> tuple[list[NatGateway], list[Route]]:
    """A NAT gateway in each of these public subnets, and the private tables' routes to them.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html
    """
    gateways = []
    for number, subnet in enumerate(public, start=1):
        tags = {"Name": f"{name}-nat-{number}"}
        address = Eip(scope, f"nat-address-{number}", domain="vpc", tags=tags)
        gateways.append(
            NatGateway(
                scope,
                f"nat-{number}",
                allocation_id=address.id,
                subnet_id=subnet.id,
                tags=tags,
                depends_on=[internet],
            )
        )
    routes = [
        Route(
            scope,
            f"private-{number + 1}-to-nat",
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            nat_gateway_id=gateways[number % len(gateways)].id,
        )
        for number, table in enumerate(private_tables)
    ]
    return gateways, routes
