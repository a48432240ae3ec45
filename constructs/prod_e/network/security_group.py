"""Security groups: who may open connections to whom."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from cdktf import TerraformResource, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws import security_group as aws
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

from prod_e.doc import Doc

ANYWHERE = "0.0.0.0/0"
INTERNET = "internet"
S3 = "s3"
HTTPS_PORT = 443


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of a security group. `peer`: the other side's label, `INTERNET` or `S3`."""

    is_ingress: bool
    peer: str
    port: int | None
    resource: TerraformResource


# What a task still uses goes after the service has left it, which Terraform does in the reverse
# order of making only for what it is to make before it destroys.
_GOES_LAST = TerraformResourceLifecycle(create_before_destroy=True)


class SecurityGroupBase(Construct):
    """A security group of one construct, its owner; rules about it are made below it.

    `label`: the owner's id, which the descriptions of rules name. `key`: its place in the stack,
    which their constructs' ids name. `rules`: what was made so far. `counterparts`: the other half
    of those, in the groups of peers. `changed`: called after either has grown.
    """

    security_group_id: str

    def __init__(self, owner: Construct, id: str, *, label: str | None = None) -> None:
        super().__init__(owner, id)
        self.label = label or owner.node.id
        self.rules: list[Rule] = []
        self.counterparts: list[TerraformResource] = []
        self.changed: list[Callable[[], None]] = []
        # Of two peers, a rule's id must tell which: their labels may be alike.
        self.key = "-".join(owner.node.path.split("/")[1:])

    def allow_from(self, peer: "SecurityGroupBase", *, port: int) -> None:
        """Lets `peer` open TCP connections to `port` here, and nothing else; once is enough."""
        id = f"from-{peer.key}-{port}"
        if self.node.try_find_child(id):
            return
        peer.allow_to(self, port=port)
        rule = self._add_ingress(
            id,
            peer=peer.label,
            port=port,
            group_id=peer.security_group_id,
            description=f"from {peer.label}",
        )
        peer.counterparts.append(rule)
        for tell in (*self.changed, *peer.changed):
            tell()

    def allow_to(self, peer: "SecurityGroupBase", *, port: int) -> None:
        """Adds this side's half of `peer.allow_from(self, port=port)`, which calls it."""
        rule = self._add_egress(
            f"to-{peer.key}-{port}",
            peer=peer.label,
            port=port,
            group_id=peer.security_group_id,
            description=f"to {peer.label}",
        )
        peer.counterparts.append(rule)

    def allow_from_internet(self, *, port: int) -> None:
        """Lets everybody open TCP connections to `port`."""
        self._add_ingress(
            f"from-internet-{port}",
            peer=INTERNET,
            port=port,
            cidr=ANYWHERE,
            description="from the internet",
        )

    def allow_to_internet(self) -> None:
        """Lets its members open connections to everywhere."""
        self._add_egress(
            "to-internet",
            peer=INTERNET,
            port=None,
            cidr=ANYWHERE,
            description="to the internet",
        )

    def allow_to_s3(self, prefix_list_id: str) -> None:
        """Lets its members reach S3 through the VPC's gateway endpoint."""
        self._add_egress(
            "to-s3",
            peer=S3,
            port=HTTPS_PORT,
            prefix_list_id=prefix_list_id,
            description="to S3, where ECR keeps image layers",
        )

    def _add_egress(
        self,
        id: str,
        *,
        peer: str,
        port: int | None,
        description: str,
        group_id: str | None = None,
        cidr: str | None = None,
        prefix_list_id: str | None = None,
    ) -> VpcSecurityGroupEgressRule:
        found = self.node.try_find_child(id)
        if isinstance(found, VpcSecurityGroupEgressRule):
            return found
        rule = VpcSecurityGroupEgressRule(
            self,
            id,
            security_group_id=self.security_group_id,
            referenced_security_group_id=group_id,
            cidr_ipv4=cidr,
            prefix_list_id=prefix_list_id,
            ip_protocol="-1" if port is None else "tcp",
            from_port=port,
            to_port=port,
            description=description,
            lifecycle=_GOES_LAST,
        )
        self.rules.append(Rule(is_ingress=False, peer=peer, port=port, resource=rule))
        for tell in self.changed:
            tell()
        return rule

    def _add_ingress(
        self,
        id: str,
        *,
        peer: str,
        port: int,
        description: str,
        group_id: str | None = None,
        cidr: str | None = None,
    ) -> VpcSecurityGroupIngressRule:
        found = self.node.try_find_child(id)
        if isinstance(found, VpcSecurityGroupIngressRule):
            return found
        rule = VpcSecurityGroupIngressRule(
            self,
            id,
            security_group_id=self.security_group_id,
            referenced_security_group_id=group_id,
            cidr_ipv4=cidr,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=description,
            lifecycle=_GOES_LAST,
        )
        self.rules.append(Rule(is_ingress=True, peer=peer, port=port, resource=rule))
        for tell in self.changed:
            tell()
        return rule


class SecurityGroup(SecurityGroupBase):
    """A security group that lets nothing through yet.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
    """

    def __init__(
        self,
        owner: Construct,
        id: str = "security-group",
        *,
        name: Annotated[str, Doc("its name and its Name tag, at most 255 characters")],
        description: Annotated[str, Doc("of a new one: AWS cannot change it, so that it stays")],
        vpc_id: Annotated[str, Doc("the VPC")],
        label: Annotated[
            str | None, Doc("what descriptions of rules call it; default: the owner's id")
        ] = None,
    ) -> None:
        super().__init__(owner, id, label=label)
        self.security_group = aws.SecurityGroup(
            self,
            "Default",  # leaves no trace in the Terraform address
            name=name,
            description=description,
            vpc_id=vpc_id,
            tags={"Name": name},
            # Another one would have the same name, which AWS refuses.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["description"]),
        )
        self.security_group_id = self.security_group.id


class ExistingSecurityGroup(SecurityGroupBase):
    """Somebody else's security group, to which only the rules that are asked for are added.

    Its own Terraform must not list rules inline: that would remove those made here.
    """

    def __init__(
        self, owner: Construct, id: str = "security-group", *, security_group_id: str
    ) -> None:
        super().__init__(owner, id)
        self.security_group_id = security_group_id
