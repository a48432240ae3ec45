"""The VPC that everything runs in."""

import ipaddress
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal

from cdktf import (
    Fn,
    ITerraformDependable,
    Postcondition,
    TerraformResourceLifecycle,
    TerraformStack,
)
from cdktf_cdktf_provider_aws.data_aws_availability_zones import (
    DataAwsAvailabilityZones,
    DataAwsAvailabilityZonesFilter,
)
from cdktf_cdktf_provider_aws.default_security_group import DefaultSecurityGroup
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.vpc import Vpc
from constructs import Construct

from prod_e.doc import Doc
from prod_e.network.flow_log import add_flow_log
from prod_e.network.security_group import ANYWHERE, HTTPS_PORT, SecurityGroup, SecurityGroupBase
from prod_e.network.subnets import add_nat_gateways, add_route_table, add_subnets
from prod_e.network.vpc_endpoints import (
    EXECUTE_COMMAND_SERVICE,
    TASK_SERVICES,
    interface_endpoint,
    s3_gateway_endpoint,
)

_LARGEST_PREFIX, _SMALLEST_PREFIX = 16, 23


class NetworkBase(Construct):
    """What other constructs need of a network, whether it is made here or was there before.

    `name`: the prefix of the names of what is in it. `vpc_id`, `public_subnet_ids` (load balancer),
    `private_subnet_ids` (tasks), `isolated_subnet_ids` (database). `internet_dependables`: what a
    load balancer needs before AWS makes it. `egress_dependables`: what a task needs to pull its
    image and to write its log.
    """

    name: str
    vpc_id: str
    public_subnet_ids: list[str]
    private_subnet_ids: list[str]
    isolated_subnet_ids: list[str]
    internet_dependables: list[ITerraformDependable]
    egress_dependables: list[ITerraformDependable]

    def security_group(
        self,
        owner: Annotated[Construct, Doc("whose members it has")],
        *,
        name: Annotated[str, Doc("its name and its Name tag, at most 255 characters")],
        description: Annotated[str, Doc("AWS makes another group if it changes")],
    ) -> SecurityGroup:
        """Makes the security group of `owner`, which lets nothing through yet."""
        return SecurityGroup(owner, name=name, description=description, vpc_id=self.vpc_id)

    @abstractmethod
    def allow_egress(
        self, source: Annotated[SecurityGroupBase, Doc("the security group of tasks")]
    ) -> None:
        """Lets `source` reach what a task needs to start, and the internet if there is a way."""

    @abstractmethod
    def allow_execute_command(self) -> None:
        """Gives tasks the way to Systems Manager that `aws ecs execute-command` needs."""


class Network(NetworkBase):
    """A VPC with public, private and isolated subnets in two or three availability zones.

    Public subnets hold the load balancer and NAT gateways, private ones tasks, isolated ones (no
    route out of the VPC) the database. The default security group lets nothing through, traffic to
    S3 stays on AWS's network and ends at the account's own buckets and ECR's layers, and a flow log
    records who talked to whom.

    `vpc`, `public_subnets`, `private_subnets`, `isolated_subnets`, `internet_gateway`,
    `nat_gateways`, `s3_endpoint`, `flow_log`: the resources.

    Raises `ValueError` for a block that is no private IPv4 block from /16 to /23, or another number
    of zones.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-example-private-subnets-nat.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: Annotated[
            str | None, Doc("the prefix of names in AWS; default: the stack's id")
        ] = None,
        cidr: Annotated[
            str,
            Doc("the IPv4 block, /16 to /23, split into equal subnets; default 10.0.0.0/16"),
        ] = "10.0.0.0/16",
        availability_zones: Annotated[int, Doc("2 or 3; default 2")] = 2,
        egress: Annotated[
            Literal["nat", "endpoints"],
            Doc(
                "nat gives tasks the internet through NAT gateways; endpoints only the AWS services"
                " that they need; default nat"
            ),
        ] = "nat",
        nat_gateways: Annotated[
            Literal["single", "per_zone"],
            Doc("single is cheap, per_zone survives the loss of a zone; default single"),
        ] = "single",
        flow_log_retention_days: Annotated[
            int, Doc("how long CloudWatch keeps the flow log, as it offers; default 14")
        ] = 14,
        foreign_buckets: Annotated[
            Sequence[str],
            Doc("S3 buckets of other accounts that tasks use through the endpoint; default: none"),
        ] = (),
    ) -> None:
        super().__init__(scope, id)
        block = _checked_block(cidr)
        if availability_zones not in {2, 3}:
            raise ValueError(f"availability_zones = {availability_zones}; allowed: 2 or 3")
        self.name = name or TerraformStack.of(self).node.id
        self.vpc = Vpc(
            self,
            "vpc",
            cidr_block=cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={"Name": self.name},
        )
        self.vpc_id = self.vpc.id
        DefaultSecurityGroup(
            self,
            "default-security-group",
            vpc_id=self.vpc_id,
            tags={"Name": f"{self.name}-default"},
        )
        self._add_subnets(block, availability_zones)
        self._connect(egress, nat_gateways, foreign_buckets)
        self.flow_log = add_flow_log(
            self, name=self.name, vpc_id=self.vpc_id, retention_days=flow_log_retention_days
        )

    @staticmethod
    def from_existing(
        scope: Construct,
        id: str,
        *,
        vpc_id: Annotated[str, Doc("the VPC's id, such as vpc-0123")],
        public_subnet_ids: Annotated[Sequence[str], Doc("for load balancers, of 2 zones")] = (),
        private_subnet_ids: Annotated[
            Sequence[str], Doc("for tasks; with a way out to ECR, CloudWatch Logs and S3")
        ] = (),
        isolated_subnet_ids: Annotated[Sequence[str], Doc("for databases, of 2 zones")] = (),
        name: Annotated[
            str | None, Doc("the prefix of names in AWS; default: the stack's id")
        ] = None,
    ) -> NetworkBase:
        """A VPC that is there already, with the attributes of one that is made here."""
        return ExistingNetwork(
            scope,
            id,
            vpc_id=vpc_id,
            public_subnet_ids=public_subnet_ids,
            private_subnet_ids=private_subnet_ids,
            isolated_subnet_ids=isolated_subnet_ids,
            name=name,
        )

    def allow_egress(
        self, source: Annotated[SecurityGroupBase, Doc("the security group of tasks")]
    ) -> None:
        """Lets `source` out: to the internet through NAT, or only to AWS's own endpoints."""
        if self.endpoint_security_group is None:
            source.allow_to_internet()
            return
        self.endpoint_security_group.allow_from(source, port=HTTPS_PORT)
        source.allow_to_s3(self.s3_endpoint.prefix_list_id)

    def allow_execute_command(self) -> None:
        """Adds the endpoint of Systems Manager's channel where there is no NAT."""
        if self.endpoint_security_group is not None:
            self._add_interface_endpoint(EXECUTE_COMMAND_SERVICE)

    def _add_subnets(self, block: ipaddress.IPv4Network, availability_zones: int) -> None:
        zones = DataAwsAvailabilityZones(
            self,
            "zones",
            # Zones in any state: one that is not available for a while must not change the others'
            # numbers, and with them in which zone a new subnet is made.
            # Local and wavelength zones, which an account opts into, have no NAT or RDS.
            filter=[
                DataAwsAvailabilityZonesFilter(name="opt-in-status", values=["opt-in-not-required"])
            ],
            # `element` begins again at the end of a list that is too short, and would put two
            # subnets of a tier into one zone.
            lifecycle=TerraformResourceLifecycle(
                postcondition=[
                    Postcondition(
                        condition=f"${{length(self.names) >= {availability_zones}}}",
                        error_message=(
                            f"The network needs {availability_zones} availability zones, and the"
                            " account has ${length(self.names)} in this region:"
                            ' ${join(", ", self.names)}.'
                        ),
                    )
                ]
            ),
        )
        zone_names = [Fn.element(zones.names, number) for number in range(availability_zones)]
        # Sixteen equal blocks; each tier takes up to four, so that zones can be added later.
        blocks = list(block.subnets(prefixlen_diff=4))
        self.public_subnets, self.private_subnets, self.isolated_subnets = (
            add_subnets(
                self,
                tier,
                name=self.name,
                vpc_id=self.vpc_id,
                zones=zone_names,
                blocks=blocks[first : first + 4],
            )
            for tier, first in (("public", 0), ("private", 4), ("isolated", 8))
        )
        self.public_subnet_ids = [subnet.id for subnet in self.public_subnets]
        self.private_subnet_ids = [subnet.id for subnet in self.private_subnets]
        self.isolated_subnet_ids = [subnet.id for subnet in self.isolated_subnets]

    def _connect(self, egress: str, nat_gateways: str, foreign_buckets: Sequence[str]) -> None:
        gateway = InternetGateway(self, "internet", vpc_id=self.vpc_id, tags={"Name": self.name})
        self.internet_gateway = gateway
        public_table = add_route_table(
            self, "public", name=self.name, vpc_id=self.vpc_id, subnets=self.public_subnets
        )
        public_route = Route(
            self,
            "public-to-internet",
            route_table_id=public_table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
        )
        self.internet_dependables = [gateway, public_route]
        private_tables = [
            add_route_table(
                self, f"private-{number}", name=self.name, vpc_id=self.vpc_id, subnets=[subnet]
            )
            for number, subnet in enumerate(self.private_subnets, start=1)
        ]
        add_route_table(
            self, "isolated", name=self.name, vpc_id=self.vpc_id, subnets=self.isolated_subnets
        )
        self.s3_endpoint = s3_gateway_endpoint(
            self,
            name=self.name,
            vpc_id=self.vpc_id,
            route_table_ids=[table.id for table in private_tables],
            foreign_buckets=foreign_buckets,
        )
        self.egress_dependables = [self.s3_endpoint]
        self.nat_gateways: list[NatGateway] = []
        self.endpoint_security_group: SecurityGroup | None = None
        if egress == "nat":
            per_zone = nat_gateways == "per_zone"
            self.nat_gateways, routes = add_nat_gateways(
                self,
                name=self.name,
                public=self.public_subnets if per_zone else self.public_subnets[:1],
                private_tables=private_tables,
                internet=gateway,
            )
            # A NAT gateway is of no use before its own subnet has a way out.
            self.egress_dependables += [*routes, public_route]
            return
        self.endpoint_security_group = SecurityGroup(
            self,
            "endpoints",
            name=f"{self.name}-endpoints",
            description="VPC endpoints of AWS services",
            vpc_id=self.vpc_id,
            label="endpoints",
        )
        for service in TASK_SERVICES:
            self._add_interface_endpoint(service)

    def _add_interface_endpoint(self, service: str) -> None:
        if self.endpoint_security_group and not self.node.try_find_child(service.replace(".", "-")):
            self.egress_dependables.append(
                interface_endpoint(
                    self,
                    service,
                    name=self.name,
                    vpc_id=self.vpc_id,
                    subnet_ids=self.private_subnet_ids,
                    security_group=self.endpoint_security_group,
                )
            )


class ExistingNetwork(NetworkBase):
    """A VPC that somebody else made; see `Network.from_existing`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        vpc_id: str,
        public_subnet_ids: Sequence[str],
        private_subnet_ids: Sequence[str],
        isolated_subnet_ids: Sequence[str],
        name: str | None,
    ) -> None:
        super().__init__(scope, id)
        self.name = name or TerraformStack.of(self).node.id
        self.vpc_id = vpc_id
        self.public_subnet_ids = list(public_subnet_ids)
        self.private_subnet_ids = list(private_subnet_ids)
        self.isolated_subnet_ids = list(isolated_subnet_ids)
        self.internet_dependables = []
        self.egress_dependables = []

    def allow_egress(self, source: SecurityGroupBase) -> None:
        """Lets `source` out; the VPC's own routes decide how far."""
        source.allow_to_internet()

    def allow_execute_command(self) -> None:
        """Nothing: the way to Systems Manager is the VPC's own matter."""


def _checked_block(cidr: str) -> ipaddress.IPv4Network:
    try:
        block = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise ValueError(f"cidr = {cidr!r} is not an IPv4 block ({error})") from error
    if not _LARGEST_PREFIX <= block.prefixlen <= _SMALLEST_PREFIX:
        raise ValueError(f"cidr = {cidr!r}; allowed: /{_LARGEST_PREFIX} to /{_SMALLEST_PREFIX}")
    return block
