"""What AWS has of an environment and no state names: told with what deletes it."""

from prod_e_ops.stacks.take_over.orphans import orphans
from tests.unit.aws.recorded_aws import ARN, BALANCER, LISTENER, RecordedAws, in_ec2, rule


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
