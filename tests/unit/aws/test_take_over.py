"""What AWS has of a planned resource: taken only where it is provably the environment's."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from prod_e_ops.stacks.take_over.matching import Found, Matching
from prod_e_ops.stacks.take_over.orphans import orphans
from prod_e_ops.terraform.plans.plan_changes import Change
from tests.unit.aws.recorded_aws import (
    ARN,
    BALANCER,
    LISTENER,
    ROLE,
    RULE,
    TAG,
    RecordedAws,
    in_ec2,
    rule,
)


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
            planned("aws_cloudwatch_event_target", rule="tiny-e-failed", arn="arn:topic"),
            RecordedAws(
                described={
                    ("list_targets_by_rule", "tiny-e-failed"): {
                        "Targets": [
                            {"Id": "users", "Arn": "arn:queue"},
                            {"Id": "terraform-1", "Arn": "arn:topic"},
                        ]
                    }
                }
            ),
            "tiny-e-failed/terraform-1",
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


def test_a_target_that_a_state_holds_is_not_taken() -> None:
    there = {"Targets": [{"Id": "1", "Arn": "arn:topic"}]}
    aws = RecordedAws(described={("list_targets_by_rule", "failed"): there})
    change = planned("aws_cloudwatch_event_target", rule="failed", arn="arn:topic")
    assert taken(aws, change, held={"failed-1": "terraform.tiny-e.tfstate"}) == {}
    assert taken(aws, planned("aws_cloudwatch_event_target", rule="failed")) == {}, "a new topic's"


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
