"""A proof records AWS's answers about all that its environment is made of."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from embedded_aws import EmbeddedAws
from prod_e.settings import Environment, load_environment
from prod_e_ops.prove.recording import record
from tests.support.aws.aws_clients import client_of
from tests.support.snapshots import JsonFile

SETTINGS = """
name = "proof-e"
region = "us-east-1"

[services.web]
source = "backend"

[database]
"""
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)
NAMED = "somebody-else"
"""What stands beside the environment in the account, and is none of its."""


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    file = tmp_path / "proof-e.toml"
    file.write_text(SETTINGS)
    return load_environment(file)


class Account:
    """An embedded AWS and its clients, each made once."""

    def __init__(self, aws: EmbeddedAws, clients: ExitStack) -> None:
        self._aws = aws
        self._clients = clients
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = client_of(self._aws, service)
            self._clients.callback(self._made[service].close)
        return self._made[service]


@pytest.fixture
def account() -> Iterator[Account]:
    with EmbeddedAws(region="us-east-1") as aws, ExitStack() as clients:
        yield Account(aws, clients)


def make_load_balancer(account: Account) -> None:
    ec2, elb = account("ec2"), account("elbv2")
    tags = [{"Key": "Prove", "Value": "proof-e"}]
    vpc = ec2.create_vpc(
        CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}]
    )["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{zone}.0/24", AvailabilityZone=name)[
            "Subnet"
        ]["SubnetId"]
        for zone, name in enumerate(("us-east-1a", "us-east-1b"))
    ]
    balancer = elb.create_load_balancer(Name="proof-e-alb", Subnets=subnets)["LoadBalancers"][0]
    group = elb.create_target_group(
        Name="proof-e-web", Protocol="HTTP", Port=3000, VpcId=vpc, TargetType="ip"
    )["TargetGroups"][0]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    s3 = account("s3")
    s3.create_bucket(Bucket="proof-e-alb-logs")
    s3.put_bucket_policy(Bucket="proof-e-alb-logs", Policy=POLICY)
    s3.put_bucket_lifecycle_configuration(
        Bucket="proof-e-alb-logs",
        LifecycleConfiguration={
            "Rules": [{"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 30}}]
        },
    )
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Attributes=[
            {"Key": "access_logs.s3.enabled", "Value": "true"},
            {"Key": "access_logs.s3.bucket", "Value": "proof-e-alb-logs"},
        ],
    )


def make_service(account: Account) -> None:
    ecs = account("ecs")
    for cluster in ("proof-e-cluster", NAMED):
        ecs.create_cluster(clusterName=cluster)
    ecs.register_task_definition(
        family="proof-e-web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "web", "image": "web"}],
    )
    subnet = account("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    group = account("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    ecs.create_service(
        cluster="proof-e-cluster",
        serviceName="proof-e-web",
        taskDefinition="proof-e-web",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}
        },
    )
    account("ecr").create_repository(repositoryName="proof-e-web")
    account("logs").create_log_group(logGroupName="/ecs/proof-e-web")
    account("events").put_rule(Name="proof-e-web-redeploy", ScheduleExpression="rate(1 day)")
    for name in ("proof-e-web-redeploy", NAMED):
        account("stepfunctions").create_state_machine(
            name=name,
            definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
            roleArn="arn:aws:iam::123456789012:role/any",
        )


def make_the_rest(account: Account) -> None:
    subnets = [each["SubnetId"] for each in account("ec2").describe_subnets()["Subnets"]]
    account("rds").create_db_subnet_group(
        DBSubnetGroupName="proof-e-database", DBSubnetGroupDescription="any", SubnetIds=subnets[:2]
    )
    account("rds").create_db_instance(
        DBInstanceIdentifier="proof-e-database",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="prod",
        ManageMasterUserPassword=True,
    )
    for role in ("proof-e-web-task", NAMED):
        account("iam").create_role(RoleName=role, AssumeRolePolicyDocument=POLICY)
        account("iam").put_role_policy(RoleName=role, PolicyName="logs", PolicyDocument=POLICY)
    account("cloudwatch").put_dashboard(DashboardName="proof-e", DashboardBody='{"widgets": []}')
    for topic in ("proof-e-alarms", NAMED):
        account("sns").create_topic(Name=topic)
    key = account("kms").create_key()["KeyMetadata"]["KeyId"]
    account("kms").create_alias(AliasName="alias/proof-e-alarms", TargetKeyId=key)


def test_each_part_of_the_environment_is_asked_for_and_nothing_of_anybody_else(
    environment: Environment, account: Account, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    make_load_balancer(account)
    make_service(account)
    make_the_rest(account)
    folder = tmp_path / "recorded"
    count = record(environment, account, folder)
    files = sorted(folder.rglob("*.json"))
    assert count == len(files)
    recorded = {file.relative_to(folder).as_posix(): json.loads(file.read_text()) for file in files}
    asked = {
        name: {"request": fixture["request"], "answers": sorted(fixture["answer"])}
        for name, fixture in recorded.items()
    }
    assert asked == snapshot(name="recording", extension_class=JsonFile)
    assert NAMED not in json.dumps(recorded)
    for fixture in recorded.values():
        (source,) = fixture["source"]
        assert source.startswith("Recorded by prod-e prove in an account of AWS's, us-east-1, 20")
        assert fixture["before"] == []
    (task,) = recorded["ecs/DescribeTasks-web.json"]["answer"]["tasks"]
    assert task["launchType"] == "FARGATE"


def test_what_aws_does_not_answer_is_left_out_and_nothing_is_overwritten(
    environment: Environment, account: Account, tmp_path: Path
) -> None:
    make_load_balancer(account)
    make_service(account)
    for _ in range(2):
        record(environment, account, tmp_path)
    assert (tmp_path / "ec2" / "DescribeVpcs.json").exists()
    assert (tmp_path / "ec2" / "DescribeVpcs-2.json").exists()
    assert not (tmp_path / "ec2" / "DescribeVpcs-3.json").exists()
    assert not (tmp_path / "rds" / "DescribeDBInstances.json").exists()
