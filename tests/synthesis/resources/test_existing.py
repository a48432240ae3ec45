"""An environment that uses what somebody has already makes nothing in its place."""

import re
from typing import Any

import pytest

from tests.support.aws.existing_resources import ExistingResources
from tests.support.synthesised import MINIMAL

LISTENER = (
    "arn:aws:elasticloadbalancing:us-west-2:111122223333:listener/app/company/0a1b2c3d/4e5f6071"
)
EVERYTHING = ExistingResources(
    vpc_id="vpc-0123456789abcdef0",
    public_subnet_ids=("subnet-00000001", "subnet-00000002"),
    private_subnet_ids=("subnet-00000003", "subnet-00000004"),
    cluster_arn="arn:aws:ecs:us-west-2:111122223333:cluster/company",
    listener_arn=LISTENER,
    load_balancer_group="sg-0000000000000001",
    database_arn="arn:aws:rds:us-west-2:111122223333:db:company",
    database_group="sg-0000000000000002",
).settings("tiny-e")


def test_an_environment_may_consist_of_its_services_and_what_is_there_already(
    synthesised: Any,
) -> None:
    stack = synthesised(EVERYTHING)["tiny-e"]
    made = set(stack.values["resource"])
    assert not made & {
        "aws_vpc", "aws_subnet", "aws_internet_gateway", "aws_nat_gateway", "aws_vpc_endpoint",
        "aws_route_table", "aws_flow_log", "aws_lb", "aws_lb_listener", "aws_s3_bucket",
        "aws_ecs_cluster", "aws_ecs_cluster_capacity_providers", "aws_db_instance",
        "aws_db_subnet_group", "aws_db_parameter_group",
    }  # fmt: skip
    service = stack.one("aws_ecs_service")
    assert service["cluster"].endswith(":cluster/company")
    assert service["network_configuration"]["subnets"] == ["subnet-00000003", "subnet-00000004"]
    assert stack.one("aws_lb_listener_rule")["listener_arn"] == LISTENER
    (tasks,) = stack.values["resource"]["aws_security_group"]
    rules = {
        (rule["referenced_security_group_id"], rule["security_group_id"], rule["from_port"])
        for rule in stack.all("aws_vpc_security_group_ingress_rule")
    }
    assert rules == {
        ("sg-0000000000000001", f"${{aws_security_group.{tasks}.id}}", 3000),
        (f"${{aws_security_group.{tasks}.id}}", "sg-0000000000000002", 5432),
    }
    data = stack.values["data"]
    assert [each["db_instance_identifier"] for each in data["aws_db_instance"].values()] == [
        "company"
    ]
    assert stack.variables()["DB_PORT"] == "5432"
    assert ".address}" in stack.variables()["DB_HOST"]


def test_alarms_watch_what_is_there_already(synthesised: Any) -> None:
    watched = {
        (key, re.sub(r"_[0-9A-F]{8}\b", "", value))
        for alarm in synthesised(EVERYTHING)["tiny-e"].all("aws_cloudwatch_metric_alarm")
        if "redeploy" not in alarm["alarm_name"]
        for metric in (alarm, *(query.get("metric", {}) for query in alarm.get("metric_query", ())))
        for key, value in metric.get("dimensions", {}).items()
    }
    assert watched == {
        ("LoadBalancer", "${data.aws_lb.load-balancer_alb.arn_suffix}"),
        ("TargetGroup", "${aws_lb_target_group.load-balancer_backend-targets.arn_suffix}"),
        ("ClusterName", "company"),
        ("ServiceName", "tiny-e-backend"),
        ("DBInstanceIdentifier", "company"),
    }


def test_the_alarm_on_storage_needs_the_storage_of_the_database(synthesised: Any) -> None:
    def names(toml: str) -> set[str]:
        alarms = synthesised(toml)["tiny-e"].all("aws_cloudwatch_metric_alarm")
        return {alarm["alarm_name"] for alarm in alarms}

    sized = EVERYTHING.replace("[database]\n", "[database]\nstorage_gib = 50\n")
    assert names(sized) - names(EVERYTHING) == {"tiny-e-database-storage"}


@pytest.mark.parametrize("port", [5432, 6432])
def test_a_database_that_is_no_instance_of_rds_is_told_of_and_not_watched(
    synthesised: Any, port: int
) -> None:
    secret = "arn:aws:secretsmanager:us-west-2:111122223333:secret:db-AbCdEf"
    other = f'host = "db.example.com"\nport = {port}\nname = "reports"\nsecret_arn = "{secret}"\n'
    arn = 'arn = "arn:aws:rds:us-west-2:111122223333:db:company"\n'
    stack = synthesised(EVERYTHING.replace(arn, other))["tiny-e"]
    place = {"DB_HOST": "db.example.com", "DB_PORT": str(port), "DB_NAME": "reports"}
    assert {**stack.variables(), **place} == stack.variables()
    assert stack.variables()["DB_SECRET_ARN"] != secret
    assert stack.one("aws_vpc_security_group_ingress_rule", from_port=port)
    # Its login is the master user's, which only the migration is told.
    (_, migration) = stack.containers()
    assert {each["valueFrom"] for each in migration["secrets"]} == {
        f"{secret}:username::",
        f"{secret}:password::",
    }
    (readable,) = [
        statement["Resource"]
        for statement in stack.role_statements("tiny-e-backend-execution")
        if "secretsmanager:GetSecretValue" in statement["Action"]
    ]
    assert readable == [secret]
    assert "AWS/RDS" not in stack.text
    assert stack.values["output"]["database_endpoint"]["value"] == f"db.example.com:{port}"


def test_people_reach_a_load_balancer_by_its_domain_or_else_its_own_name(synthesised: Any) -> None:
    def url(toml: str) -> str:
        return str(synthesised(toml)["tiny-e"].values["output"]["service_url"]["value"])

    named = EVERYTHING.replace(
        "[load_balancer]\n", '[load_balancer]\ndomain_name = "apps.example.com"\n'
    )
    assert url(named).endswith("://apps.example.com")
    assert re.search(r"://\$\{data\.aws_lb\.[^}]+\.dns_name\}$", url(EVERYTHING))


def test_an_environment_lives_in_a_vpc_and_has_a_certificate_that_were_there(
    synthesised: Any,
) -> None:
    arn = "arn:aws:acm:us-west-2:111122223333:certificate/0a1b"
    stack = synthesised(
        MINIMAL
        + f"""
[database]
[load_balancer]
certificate_arn = "{arn}"
[network]
vpc_id = "vpc-0123456789abcdef0"
public_subnet_ids = ["subnet-00000001", "subnet-00000002"]
private_subnet_ids = ["subnet-00000003", "subnet-00000004"]
isolated_subnet_ids = ["subnet-00000005", "subnet-00000006"]
"""
    )["tiny-e"]
    for type_name in ("aws_vpc", "aws_subnet", "aws_nat_gateway", "aws_acm_certificate"):
        assert not stack.all(type_name)
    assert {g["vpc_id"] for g in stack.all("aws_security_group")} == {"vpc-0123456789abcdef0"}
    assert stack.one("aws_lb")["subnets"] == ["subnet-00000001", "subnet-00000002"]
    tasks = stack.one("aws_ecs_service")["network_configuration"]
    assert tasks["subnets"] == ["subnet-00000003", "subnet-00000004"]
    assert stack.one("aws_db_subnet_group")["subnet_ids"] == ["subnet-00000005", "subnet-00000006"]
    assert stack.one("aws_lb_listener", port=443)["certificate_arn"] == arn
