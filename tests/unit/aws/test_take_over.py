"""What AWS has of a planned resource: taken only where it is provably the environment's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from prod_e_ops.stacks.take_over.inventory import Inventory
from prod_e_ops.stacks.take_over.matching import Found, Matching
from prod_e_ops.stacks.take_over.orphans import orphans
from prod_e_ops.stacks.take_over.states import ids_of
from prod_e_ops.terraform.plan_changes import Change
from prod_e_ops.terraform.state import resources_of

TAG = {"Key": "prod-e:environment", "Value": "tiny-e"}
ARN = "arn:aws:{service}:us-west-2:123456789012:{rest}"
BALANCER = ARN.format(
    service="elasticloadbalancing", rest="loadbalancer/app/tiny-e-alb/0123456789abcdef"
)
LISTENER = f"{BALANCER.replace(':loadbalancer/', ':listener/')}/fedcba9876543210"
RULE = f"{LISTENER.replace(':listener/', ':listener-rule/')}/00ff00ff00ff00ff"
ROLE = "arn:aws:iam::123456789012:role/tiny-e-task"


@dataclass
class RecordedAws:
    """Answers as AWS gives them.

    `ec2`: each resource by its id, as its describe call has it. `arns`: those that AWS lists by
    tags. `described`: what the other calls say, by operation and the ARN or name that they ask for.
    """

    ec2: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    arns: Sequence[str] = ()
    described: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def inventory(self) -> Inventory:
        return Inventory(
            region="us-west-2", account="123456789012", client=lambda _: RecordedClient(self)
        )


class RecordedClient:
    """boto3's client of any service, in any region of AWS's largest partition."""

    meta = SimpleNamespace(partition="aws")

    class exceptions:  # noqa: N801 - boto3's name
        ClientError = ClientError

    def __init__(self, aws: RecordedAws) -> None:
        self._aws = aws
        self._paged = ""

    def get_paginator(self, operation: str) -> "RecordedClient":
        self._paged = operation
        return self

    def paginate(self, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        if self._paged == "get_resources":
            (asked,) = arguments["TagFilters"]
            assert asked == {"Key": TAG["Key"], "Values": [TAG["Value"]]}
            listed = [{"ResourceARN": arn, "Tags": [TAG]} for arn in self._aws.arns]
            # One on each page.
            yield from ({"ResourceTagMappingList": [each]} for each in listed)
            return
        wanted = {each["Name"]: each["Values"] for each in arguments["Filters"]}
        if self._paged == "describe_security_group_rules":
            for id, resource in self._aws.ec2.items():
                asked = {"security-group-rule-id": id, "group-id": resource.get("GroupId")}
                if id.startswith("sgr-") and all(asked[n] in v for n, v in wanted.items()):
                    yield {"SecurityGroupRules": [{"SecurityGroupRuleId": id, **resource}]}
            return
        assert self._paged == "describe_tags"
        for id, resource in self._aws.ec2.items():
            for tag in resource.get("Tags", ()):
                asked = {"key": tag["Key"], "value": tag["Value"], "resource-id": id}
                if all(asked[name] in values for name, values in wanted.items()):
                    yield {"Tags": [{**tag, "ResourceId": id}]}

    def __getattr__(self, operation: str) -> Any:
        def ask(**arguments: Any) -> Mapping[str, Any]:
            (asked, *_) = [v[0] if isinstance(v, list) else v for v in arguments.values()]
            if asked in self._aws.ec2 and operation.startswith("describe_"):
                words = operation.removeprefix("describe_").split("_")
                return {"".join(map(str.capitalize, words)): [self._aws.ec2[asked]]}
            try:
                return self._aws.described[operation, asked]
            except KeyError:
                error = {"Error": {"Code": "ResourceNotFoundException"}}
                raise ClientError(error, operation) from None  # type: ignore[arg-type]

        return ask


def in_ec2(name: str, *, environment: str = "tiny-e", **values: Any) -> Mapping[str, Any]:
    tags = [{"Key": "Name", "Value": name}, {"Key": "prod-e:environment", "Value": environment}]
    return {**values, "Tags": tags}


def planned(type: str, /, **after: Any) -> Change:
    return Change(f"{type}.it", type, after=after)


def named(type: str, name: str, **after: Any) -> Change:
    return planned(type, tags_all={"Name": name}, **after)


def found(
    aws: RecordedAws,
    *created: Change,
    held: Mapping[str, str] | None = None,
    leaving: Sequence[str] = (),
) -> list[Found]:
    inventory = aws.inventory()
    matching = Matching(
        environment="tiny-e",
        inventory=inventory,
        tagged=inventory.tagged("tiny-e"),
        held=held or {},
        leaving=leaving,
    )
    return list(matching.find(created))


def taken(aws: RecordedAws, *created: Change, **options: Any) -> dict[str, str]:
    all_found = found(aws, *created, **options)
    assert [each.why_not for each in all_found if each.why_not] == []
    ids = {each.address: each.id for each in all_found}
    assert len(ids) == len(all_found), "each is there once"
    return ids


def query(id: str, name: str, log_group: str) -> Mapping[str, Any]:
    return {"queryDefinitionId": id, "name": name, "logGroupNames": [log_group]}


ALIAS = planned(
    "aws_route53_record",
    zone_id="Z1",
    name="api.example.com",
    type="A",
    alias=[{"name": "lb", "zone_id": "Z2"}],
)


def records(target: str, name: str = "api.example.com.") -> Mapping[str, Any]:
    record = {"Name": name, "Type": "A", "AliasTarget": {"DNSName": target}}
    return {"ResourceRecordSets": [record]}


ROLE_ANSWER = {"Role": {"Arn": ROLE, "RoleName": "tiny-e-task", "Tags": [TAG]}}


@pytest.mark.parametrize(
    ("change", "aws", "id"),
    [
        (
            planned("aws_lb", name="tiny-e-alb"),
            RecordedAws(
                arns=[BALANCER],
                described={
                    ("describe_load_balancers", BALANCER): {
                        "LoadBalancers": [{"State": {"Code": "active"}}]
                    }
                },
            ),
            BALANCER,
        ),
        (
            planned("aws_ecs_service", name="tiny-e-backend"),
            RecordedAws(
                arns=[ARN.format(service="ecs", rest="service/tiny-e-cluster/tiny-e-backend")],
                described={
                    ("describe_services", "tiny-e-cluster"): {"services": [{"status": "ACTIVE"}]}
                },
            ),
            "tiny-e-cluster/tiny-e-backend",
        ),
        (
            planned("aws_secretsmanager_secret", name="tiny-e-backend-database"),
            RecordedAws(
                arns=[
                    (
                        secret := ARN.format(
                            service="secretsmanager", rest="secret:tiny-e-backend-database-GcVzVF"
                        )
                    )
                ],
                described={("describe_secret", secret): {"Name": "tiny-e-backend-database"}},
            ),
            secret,
        ),
        (
            planned("aws_iam_role", name="tiny-e-task"),
            RecordedAws(described={("get_role", "tiny-e-task"): ROLE_ANSWER}),
            "tiny-e-task",
        ),
        (
            named("aws_nat_gateway", "tiny-e-nat-1"),
            RecordedAws(ec2={"nat-1": in_ec2("tiny-e-nat-1", State="available")}),
            "nat-1",
        ),
        (
            planned("aws_lb_listener", load_balancer_arn=BALANCER, port=80),
            RecordedAws(
                arns=[LISTENER, RULE],
                described={("describe_listeners", LISTENER): {"Listeners": [{"Port": 80}]}},
            ),
            LISTENER,
        ),
        (
            planned("aws_lb_listener_rule", listener_arn=LISTENER, priority=100),
            RecordedAws(
                arns=[LISTENER, RULE],
                described={("describe_rules", RULE): {"Rules": [{"Priority": "100"}]}},
            ),
            RULE,
        ),
        (
            planned(
                "aws_vpc_security_group_ingress_rule",
                security_group_id="sg-1",
                ip_protocol="tcp",
                from_port=80,
                to_port=80,
                cidr_ipv4="0.0.0.0/0",
            ),
            RecordedAws(
                ec2={
                    id: in_ec2(
                        "",
                        GroupId="sg-1",
                        IsEgress=is_egress,
                        IpProtocol="tcp",
                        FromPort=port,
                        ToPort=port,
                        CidrIpv4="0.0.0.0/0",
                    )
                    for id, port, is_egress in (
                        ("sgr-443", 443, False),
                        ("sgr-out", 80, True),
                        ("sgr-80", 80, False),
                    )
                }
            ),
            "sgr-80",
        ),
        (
            planned("aws_route", route_table_id="rtb-1", destination_cidr_block="0.0.0.0/0"),
            RecordedAws(
                ec2={
                    "rtb-1": in_ec2("t", Routes=[{"DestinationCidrBlock": "0.0.0.0/0"}]),
                }
            ),
            "rtb-1_0.0.0.0/0",
        ),
        (
            planned("aws_route_table_association", route_table_id="rtb-1", subnet_id="subnet-1"),
            RecordedAws(
                ec2={
                    "rtb-1": in_ec2("t", Associations=[{"SubnetId": "subnet-1"}]),
                    "subnet-1": in_ec2("s"),
                }
            ),
            "subnet-1/rtb-1",
        ),
        (
            planned(
                "aws_cloudwatch_query_definition", name="tiny-e/errors", log_group_names=["/ecs/t"]
            ),
            RecordedAws(
                described={
                    ("describe_query_definitions", "tiny-e/errors"): {
                        "queryDefinitions": [
                            query("1", "tiny-e/errors-too", "/ecs/t"),
                            query("2", "tiny-e/errors", "/ecs/users"),
                            query("3", "tiny-e/errors", "/ecs/t"),
                            query("4", "tiny-e/errors", "/ecs/t"),
                        ]
                    }
                }
            ),
            ARN.format(service="logs", rest="query-definition:3"),
        ),
        (
            ALIAS,
            RecordedAws(described={("list_resource_record_sets", "Z1"): records("dualstack.lb.")}),
            "Z1_api.example.com_A",
        ),
    ],
    ids=lambda value: value.type if isinstance(value, Change) else "",
)
def test_what_has_the_environments_tag_and_the_name_is_taken_by_its_id(
    change: Change, aws: RecordedAws, id: str
) -> None:
    assert taken(aws, change) == {change.address: id}


def test_what_the_list_by_tags_still_has_and_is_gone_is_not_taken() -> None:
    assert taken(RecordedAws(arns=[BALANCER]), planned("aws_lb", name="tiny-e-alb")) == {}
    deleted = RecordedAws(ec2={"nat-1": in_ec2("tiny-e-nat-1", State="deleted")})
    assert taken(deleted, named("aws_nat_gateway", "tiny-e-nat-1")) == {}


def test_what_has_another_name_is_not_taken() -> None:
    aws = RecordedAws(ec2={"nat-1": in_ec2("tiny-e-nat-2", State="available")})
    assert taken(aws, named("aws_nat_gateway", "tiny-e-nat-1")) == {}


def test_a_saved_query_that_a_state_holds_is_not_taken() -> None:
    change = planned("aws_cloudwatch_query_definition", name="tiny-e/e", log_group_names=["/ecs/t"])
    there = {"queryDefinitions": [query("1", "tiny-e/e", "/ecs/t")]}
    aws = RecordedAws(described={("describe_query_definitions", "tiny-e/e"): there})
    assert taken(aws, change, held={"1": "terraform.tiny-e.tfstate"}) == {}


@pytest.mark.parametrize(
    ("answer", "held"),
    [
        (records("another-lb."), ()),
        (records("lb.", name="b.example.com."), ()),
        (records("lb."), ("Z1_api.example.com_A",)),
    ],
    ids=["to another load balancer", "of another name", "that a state holds"],
)
def test_a_record_is_not_taken(answer: Mapping[str, Any], held: Sequence[str]) -> None:
    aws = RecordedAws(described={("list_resource_record_sets", "Z1"): answer})
    assert taken(aws, ALIAS, held=dict.fromkeys(held, "terraform.other-e.tfstate")) == {}


@pytest.mark.parametrize("tags", [[], [{**TAG, "Value": "other-e"}]], ids=["none", "another's"])
def test_a_role_without_the_environments_tag_is_never_taken_and_named(
    tags: Sequence[Mapping[str, str]],
) -> None:
    answer = {"Role": {**ROLE_ANSWER["Role"], "Tags": tags}}
    aws = RecordedAws(described={("get_role", "tiny-e-task"): answer})
    (refused,) = found(aws, planned("aws_iam_role", name="tiny-e-task"))
    assert refused.id == ""
    assert ROLE in refused.why_not and "rename or delete it" in refused.why_not


def test_what_has_the_tag_of_another_environment_is_not_even_seen() -> None:
    aws = RecordedAws(ec2={"vpc-1": in_ec2("tiny-e", environment="other-e")})
    assert taken(aws, named("aws_vpc", "tiny-e")) == {}


def test_of_two_none_is_taken_and_both_are_named() -> None:
    aws = RecordedAws(ec2={"vpc-1": in_ec2("tiny-e"), "vpc-2": in_ec2("tiny-e")})
    (refused,) = found(aws, named("aws_vpc", "tiny-e"))
    assert refused.id == ""
    assert "is there 2 times: vpc-1, vpc-2" in refused.why_not


def test_what_another_state_holds_is_never_taken_and_the_state_is_named() -> None:
    aws = RecordedAws(ec2={"vpc-1": in_ec2("tiny-e")})
    change = named("aws_vpc", "tiny-e")
    (refused,) = found(aws, change, held={"vpc-1": "terraform.other-e.tfstate"})
    assert refused.id == ""
    assert "in the state terraform.other-e.tfstate" in refused.why_not
    held = {"vpc-1": "terraform.tiny-e.tfstate"}
    assert taken(aws, change, held=held, leaving=["vpc-1"]) == {}, "this very plan destroys it"


def test_a_subnet_of_another_network_of_that_name_is_not_taken() -> None:
    aws = RecordedAws(ec2={"subnet-1": in_ec2("tiny-e-public-1", VpcId="vpc-2")})
    assert taken(aws, named("aws_subnet", "tiny-e-public-1", vpc_id="vpc-1")) == {}
    # Not known before the VPC is made; and no state holds vpc-2.
    assert taken(aws, named("aws_subnet", "tiny-e-public-1")) == {}
    with_network = RecordedAws(ec2={**aws.ec2, "vpc-2": in_ec2("tiny-e")})
    assert taken(
        with_network, named("aws_subnet", "tiny-e-public-1"), named("aws_vpc", "tiny-e")
    ) == {"aws_vpc.it": "vpc-2", "aws_subnet.it": "subnet-1"}


def rule(group: str, **values: Any) -> Mapping[str, Any]:
    """One as AWS gives it to a new security group, but for the values: without a tag."""
    default = {"IsEgress": True, "IpProtocol": "-1", "FromPort": -1, "ToPort": -1}
    return {"GroupId": group, **default, "CidrIpv4": "0.0.0.0/0", **values}


TO_ANYWHERE = planned(
    "aws_vpc_security_group_egress_rule",
    security_group_id="sg-1",
    ip_protocol="-1",
    cidr_ipv4="0.0.0.0/0",
)


def test_the_rule_that_aws_gave_a_security_group_is_taken_where_the_same_one_is_planned() -> None:
    aws = RecordedAws(ec2={"sg-1": in_ec2("tiny-e-backend"), "sgr-1": rule("sg-1")})
    assert taken(aws, TO_ANYWHERE) == {TO_ANYWHERE.address: "sgr-1"}


def test_a_rule_of_somebody_elses_security_group_is_not_even_seen() -> None:
    aws = RecordedAws(ec2={"sg-1": {"Tags": []}, "sgr-1": rule("sg-1")})
    assert taken(aws, TO_ANYWHERE) == {}
    assert orphans(aws.inventory(), "tiny-e", {}) == []


def test_of_a_security_group_that_stays_left_over_are_our_rules_and_what_lets_everything_out() -> (
    None
):
    aws = RecordedAws(
        ec2={
            "sg-1": in_ec2("tiny-e-backend"),
            "sgr-aws": rule("sg-1"),
            "sgr-aws6": rule("sg-1", CidrIpv4=None, CidrIpv6="::/0"),
            "sgr-ours": {**in_ec2(""), **rule("sg-1", IsEgress=False, CidrIpv4="10.0.0.0/8")},
            "sgr-held": rule("sg-1"),
            "sgr-users": rule("sg-1", IpProtocol="tcp"),
            "sgr-users2": rule("sg-1", CidrIpv4="10.0.0.0/8"),
            "sgr-users3": rule("sg-1", IsEgress=False),
            "sgr-elsewhere": {**in_ec2(""), **rule("sg-users")},
        }
    )
    held = {"sg-1": "tiny-e", "sgr-held": "tiny-e"}
    left = orphans(aws.inventory(), "tiny-e", held)
    assert [thing.fill_in(thing.kind.delete) for thing in left] == [
        "ec2 revoke-security-group-ingress --group-id sg-1 --security-group-rule-ids sgr-ours",
        "ec2 revoke-security-group-egress --group-id sg-1 --security-group-rule-ids sgr-aws",
        "ec2 revoke-security-group-egress --group-id sg-1 --security-group-rule-ids sgr-aws6",
        "ec2 revoke-security-group-egress --group-id sg-users"
        " --security-group-rule-ids sgr-elsewhere",
    ]


def test_the_rules_of_a_security_group_that_is_left_over_itself_go_with_it() -> None:
    ours = {**in_ec2(""), **rule("sg-1", IpProtocol="tcp")}
    aws = RecordedAws(
        ec2={
            "sg-1": in_ec2("tiny-e-backend", GroupId="sg-1"),
            "sgr-1": rule("sg-1"),
            "sgr-2": ours,
        }
    )
    assert [thing.arn for thing in orphans(aws.inventory(), "tiny-e", {})] == ["sg-1"]


def test_left_over_is_what_no_state_holds_and_nobody_makes_by_himself() -> None:
    task = ARN.format(service="ecs", rest="task/tiny-e-cluster/0123")
    revision = ARN.format(service="ecs", rest="task-definition/tiny-e-task:7")
    snapshot = ARN.format(service="rds", rest="snapshot:tiny-e-database-final")
    masters = ARN.format(service="secretsmanager", rest="secret:rds!db-1234-abcdef")
    aws = RecordedAws(
        arns=[BALANCER, task, revision, snapshot, masters, LISTENER],
        ec2={
            "nat-1": in_ec2("tiny-e-nat-1", State="available"),
            "nat-2": in_ec2("tiny-e-nat-1", State="deleted"),
            "vpc-1": in_ec2("tiny-e"),
            "eni-1": in_ec2(""),
        },
        described={
            ("describe_load_balancers", BALANCER): {"LoadBalancers": [{}]},
            ("describe_listeners", LISTENER): {"Listeners": [{"Port": 80}]},
        },
    )
    left = orphans(aws.inventory(), "tiny-e", {"vpc-1": "tiny-e"})
    assert [thing.arn for thing in left] == [BALANCER, "nat-1"]
    assert [thing.fill_in(thing.kind.delete) for thing in left] == [
        f"elbv2 delete-load-balancer --load-balancer-arn {BALANCER}",
        "ec2 delete-nat-gateway --nat-gateway-id nat-1",
    ]
    assert all(thing.kind.costs for thing in left)


def test_a_state_holds_also_the_old_half_of_a_replacement_and_no_data_source() -> None:
    state = {
        "resources": [
            {
                "mode": "managed",
                "type": "aws_vpc",
                "name": "it",
                "instances": [
                    {"attributes": {"id": "new", "arn": "arn:new"}},
                    {"deposed": "00000000", "attributes": {"id": "old"}},
                ],
            },
            {"mode": "data", "instances": [{"attributes": {"id": "read"}}]},
        ]
    }
    assert list(ids_of(resources_of(state))) == ["new", "arn:new", "old"]
