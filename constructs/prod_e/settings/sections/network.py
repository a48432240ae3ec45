"""`[network]`: the VPC of an environment."""

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from prod_e.settings.fields import (
    BucketName,
    Distinct,
    LogRetentionDays,
    Mistake,
    Section,
    matching,
)

_RFC_1918 = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))

_SubnetId = Annotated[
    str, matching(r"^subnet-[0-9a-f]{8,17}$", "a subnet's id such as subnet-0123456789abcdef0")
]
_SubnetIds = Distinct[_SubnetId]

_MOST_CHARACTERS_OF_BUCKETS = 18_000
"""Of the 20,480 of an endpoint's policy, which names each bucket twice:
https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html"""
_CHARACTERS_OF_A_BUCKET = 2 * len('"arn:aws-us-gov:s3:::/*",')

LEAST_SUBNETS = 2
"""As many as a load balancer or a database needs, each in another zone."""


class Network(Section):
    """The VPC of an environment."""

    cidr: str = "10.0.0.0/16"
    """A private IPv4 block from /16 to /23, split into equal public, private and isolated subnets.
    With another one, everything in the VPC is deleted and made anew."""

    availability_zones: Literal[2, 3] = 2
    """In how many zones there are subnets."""

    egress: Literal["nat", "endpoints"] = "nat"
    """How tasks get out: `nat` gives them the internet through NAT gateways, `endpoints` only the
    AWS services that they need, through VPC endpoints."""

    nat_gateways: Literal["single", "per_zone"] | None = None
    """`single` is cheap and the default, `per_zone` survives the loss of a zone; only with
    `egress = "nat"`."""

    flow_log_retention_days: LogRetentionDays = 14
    """How long CloudWatch keeps the VPC's flow log."""

    foreign_buckets: Distinct[BucketName] = ()
    """S3 buckets of other accounts in the region that tasks use: the VPC's endpoint leads to the
    account's own and to ECR's alone."""

    vpc_id: (
        Annotated[
            str, matching(r"^vpc-[0-9a-f]{8,17}$", "a VPC's id such as vpc-0123456789abcdef0")
        ]
        | None
    ) = None
    """A VPC that is there already; no other key but those of its subnets has a meaning then."""

    public_subnet_ids: _SubnetIds = ()
    """Of that VPC, for the load balancer: one in each of two zones or more."""

    private_subnet_ids: _SubnetIds = ()
    """Of that VPC, for the tasks, with a way out to ECR, CloudWatch Logs and S3: one in each of two
    zones or more."""

    isolated_subnet_ids: _SubnetIds = ()
    """Of that VPC, for the database: one in each of two zones or more."""

    @property
    def block(self) -> ipaddress.IPv4Network:
        """The VPC's address block."""
        return ipaddress.IPv4Network(self.cidr)

    def overlaps(self, other: Self) -> bool:
        """Whether both make a VPC, and these could never be connected."""
        both_made = self.vpc_id is None and other.vpc_id is None
        return both_made and self.block.overlaps(other.block)

    def _mistakes(self) -> Iterator[Mistake]:
        try:
            block = self.block
        except ValueError as error:
            yield "cidr", f"{self.cidr!r} is not an IPv4 block ({error}); for example 10.0.0.0/16"
        else:
            if str(block) != self.cidr:
                yield "cidr", f"{self.cidr!r} is not as AWS writes it; allowed: {str(block)!r}"
            elif not 16 <= block.prefixlen <= 23:
                yield (
                    "cidr",
                    f"{self.cidr!r} is too {'large' if block.prefixlen < 16 else 'small'}; allowed:"
                    " /16 (AWS's largest) to /23 (a load balancer needs a /27 in every zone)",
                )
            elif not any(block.subnet_of(private) for private in _RFC_1918):
                yield (
                    "cidr",
                    f"{self.cidr!r} is not private; allowed: a block of"
                    f" {', '.join(map(str, _RFC_1918))}",
                )
        if self.egress == "endpoints" and self.nat_gateways is not None:
            yield (
                "nat_gateways",
                f'{self.nat_gateways!r} has no meaning with egress = "endpoints"; leave it out',
            )
        size = sum(2 * len(name) + _CHARACTERS_OF_A_BUCKET for name in self.foreign_buckets)
        if size > _MOST_CHARACTERS_OF_BUCKETS:
            yield (
                "foreign_buckets",
                f"take {size:,} characters of the policy of the VPC's endpoint; AWS has room for"
                f" {_MOST_CHARACTERS_OF_BUCKETS:,}",
            )
        yield from self._existing_mistakes()

    def _existing_mistakes(self) -> Iterator[Mistake]:
        subnets = {"public_subnet_ids", "private_subnet_ids", "isolated_subnet_ids"}
        if self.vpc_id is None:
            if given := sorted(subnets & self.model_fields_set):
                yield "vpc_id", f"is missing for {given[0]}; give the id of the subnets' VPC"
            return
        for key in sorted(self.model_fields_set - subnets - {"vpc_id"}):
            yield key, "has no meaning with vpc_id; leave it out"
        if len(self.private_subnet_ids) < LEAST_SUBNETS:
            yield (
                "private_subnet_ids",
                f"has fewer than {LEAST_SUBNETS}, which the tasks need, in two zones",
            )
