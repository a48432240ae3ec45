"""The VPC: who can reach whom."""

import ipaddress
from collections.abc import Sequence

from cdktf import Fn
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.data_aws_availability_zones import (
    DataAwsAvailabilityZones,
    DataAwsAvailabilityZonesFilter,
)
from cdktf_cdktf_provider_aws.default_security_group import DefaultSecurityGroup
from cdktf_cdktf_provider_aws.eip import Eip
from cdktf_cdktf_provider_aws.flow_log import FlowLog
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

from prod_e import settings
from prod_e.account import Account
from prod_e.iam import ServiceRole, Statement

ANYWHERE = "0.0.0.0/0"

# What a task needs to start (image, logs) and to read its secrets.
_ENDPOINT_SERVICES = ("ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm")
_EXECUTE_COMMAND_SERVICE = "ssmmessages"


class Network(Construct):
    """A VPC with public, private and isolated subnets in two or three availability zones.

    Public subnets hold the load balancer and NAT gateways, private ones tasks, isolated ones (no
    route out of the VPC) the database. The default security group lets nothing through, traffic to
    S3 stays on AWS's network, and a flow log records who talked to whom.

    `name`: the prefix of names. `account`: where it is made. `settings`: see `settings.Network`.
    `execute_command`: whether any service needs the Systems Manager channel; counts only without
    NAT.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-example-private-subnets-nat.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        account: Account,
        settings: settings.Network,
        execute_command: bool = False,
    ) -> None:
        super().__init__(scope, id)
        self._name = name
        self._region = account.region
        self._has_nat = settings.egress == "nat"
        self._vpc = Vpc(
            self,
            "vpc",
            cidr_block=settings.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={"Name": name},
        )
        self.vpc_id = self._vpc.id
        DefaultSecurityGroup(
            self, "default-security-group", vpc_id=self.vpc_id, tags={"Name": f"{name}-default"}
        )

        zones = DataAwsAvailabilityZones(
            self,
            "zones",
            state="available",
            # Local and wavelength zones, which an account opts into, have no NAT or RDS.
            filter=[
                DataAwsAvailabilityZonesFilter(name="opt-in-status", values=["opt-in-not-required"])
            ],
        )
        self._zone_names = [
            Fn.element(zones.names, number) for number in range(settings.availability_zones)
        ]
        # Sixteen equal blocks; each tier takes up to four, so that zones can be added later.
        blocks = list(settings.block.subnets(prefixlen_diff=4))
        public = self._subnets("public", blocks[0:4])
        private = self._subnets("private", blocks[4:8])
        isolated = self._subnets("isolated", blocks[8:12])
        self.public_subnet_ids = [subnet.id for subnet in public]
        self.private_subnet_ids = [subnet.id for subnet in private]
        self.isolated_subnet_ids = [subnet.id for subnet in isolated]

        gateway = InternetGateway(self, "internet", vpc_id=self.vpc_id, tags={"Name": name})
        public_table = self._route_table("public", public)
        Route(
            self,
            "public-to-internet",
            route_table_id=public_table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
        )
        private_tables = [
            self._route_table(f"private-{number}", [subnet])
            for number, subnet in enumerate(private, start=1)
        ]
        self._route_table("isolated", isolated)

        s3 = VpcEndpoint(
            self,
            "s3",
            vpc_id=self.vpc_id,
            service_name=f"com.amazonaws.{self._region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in private_tables],
            tags={"Name": f"{name}-s3"},
        )
        self._s3_prefix_list_id = s3.prefix_list_id
        self._endpoints: SecurityGroup | None = None
        if self._has_nat:
            self._add_nat_gateways(
                public if settings.nat_gateways == "per_zone" else public[:1],
                private_tables,
                gateway,
            )
        else:
            services = [*_ENDPOINT_SERVICES]
            if execute_command:
                services.append(_EXECUTE_COMMAND_SERVICE)
            self._endpoints = self._interface_endpoints(services)
        self._add_flow_log(account, settings.flow_log_retention_days)

    def security_group(self, id: str, *, description: str) -> SecurityGroup:
        """Makes a security group, named `<name>-<id>`, that lets nothing through yet."""
        return SecurityGroup(
            self,
            id,
            name=f"{self._name}-{id}",
            description=description,
            vpc_id=self.vpc_id,
            tags={"Name": f"{self._name}-{id}"},
        )

    def allow(self, source: SecurityGroup, destination: SecurityGroup, *, port: int) -> None:
        """Lets `source` open TCP connections to `port` of `destination`, and nothing else."""
        id = f"{source.node.id}-to-{destination.node.id}-{port}"
        VpcSecurityGroupEgressRule(
            self,
            f"{id}-egress",
            security_group_id=source.id,
            referenced_security_group_id=destination.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=f"to {destination.node.id}",
        )
        VpcSecurityGroupIngressRule(
            self,
            f"{id}-ingress",
            security_group_id=destination.id,
            referenced_security_group_id=source.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=f"from {source.node.id}",
        )

    def allow_from_internet(self, destination: SecurityGroup, *, port: int) -> None:
        """Lets everybody open TCP connections to `port` of `destination`."""
        VpcSecurityGroupIngressRule(
            self,
            f"internet-to-{destination.node.id}-{port}",
            security_group_id=destination.id,
            cidr_ipv4=ANYWHERE,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description="from the internet",
        )

    def allow_egress(self, source: SecurityGroup) -> None:
        """Lets `source` out: to the internet through NAT, or only to AWS's own endpoints."""
        id = source.node.id
        if self._endpoints is None:
            VpcSecurityGroupEgressRule(
                self,
                f"{id}-to-internet",
                security_group_id=source.id,
                cidr_ipv4=ANYWHERE,
                ip_protocol="-1",
                description="to the internet",
            )
            return
        self.allow(source, self._endpoints, port=443)
        VpcSecurityGroupEgressRule(
            self,
            f"{id}-to-s3",
            security_group_id=source.id,
            prefix_list_id=self._s3_prefix_list_id,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            description="to S3, where ECR keeps image layers",
        )

    def _subnets(self, tier: str, blocks: Sequence[ipaddress.IPv4Network]) -> list[Subnet]:
        return [
            Subnet(
                self,
                f"{tier}-subnet-{number}",
                vpc_id=self.vpc_id,
                cidr_block=str(block),
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags={"Name": f"{self._name}-{tier}-{number}", "Tier": tier},
            )
            for number, (zone, block) in enumerate(
                zip(self._zone_names, blocks, strict=False), start=1
            )
        ]

    def _route_table(self, tier: str, subnets: Sequence[Subnet]) -> RouteTable:
        table = RouteTable(
            self, f"{tier}-routes", vpc_id=self.vpc_id, tags={"Name": f"{self._name}-{tier}"}
        )
        for subnet in subnets:
            RouteTableAssociation(
                self,
                f"{subnet.node.id}-routes",
                subnet_id=subnet.id,
                route_table_id=table.id,
            )
        return table

    def _add_nat_gateways(
        self,
        public: Sequence[Subnet],
        private_tables: Sequence[RouteTable],
        internet: InternetGateway,
    ) -> None:
        gateways = []
        for number, subnet in enumerate(public, start=1):
            tags = {"Name": f"{self._name}-nat-{number}"}
            address = Eip(self, f"nat-address-{number}", domain="vpc", tags=tags)
            gateways.append(
                NatGateway(
                    self,
                    f"nat-{number}",
                    allocation_id=address.id,
                    subnet_id=subnet.id,
                    tags=tags,
                    depends_on=[internet],
                )
            )
        for number, table in enumerate(private_tables):
            Route(
                self,
                f"private-{number + 1}-to-nat",
                route_table_id=table.id,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=gateways[number % len(gateways)].id,
            )

    def _interface_endpoints(self, services: Sequence[str]) -> SecurityGroup:
        group = self.security_group("endpoints", description="VPC endpoints of AWS services")
        for service in services:
            VpcEndpoint(
                self,
                service.replace(".", "-"),
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{self._region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.private_subnet_ids,
                security_group_ids=[group.id],
                tags={"Name": f"{self._name}-{service}"},
            )
        return group

    def _add_flow_log(self, account: Account, retention_days: int) -> None:
        log_group = CloudwatchLogGroup(
            self,
            "flow-log-group",
            name=f"/vpc/{self._name}-flow-log",
            retention_in_days=retention_days,
        )
        role = ServiceRole(
            self,
            "flow-log-role",
            name=f"{self._name}-flow-log",
            service="vpc-flow-logs.amazonaws.com",
            account_id=account.id,
            statements=(
                Statement(
                    actions=(
                        "logs:CreateLogStream",
                        "logs:DescribeLogStreams",
                        "logs:PutLogEvents",
                    ),
                    resources=(log_group.arn, f"{log_group.arn}:*"),
                ),
            ),
        )
        FlowLog(
            self,
            "flow-log",
            vpc_id=self.vpc_id,
            traffic_type="ALL",
            log_destination=log_group.arn,
            iam_role_arn=role.arn,
            tags={"Name": self._name},
        )
