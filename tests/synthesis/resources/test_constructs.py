"""The constructs in somebody else's app, without settings."""

import json
from collections.abc import Callable

import pytest
from cdktf import TerraformStack

from prod_e import (
    Cluster,
    ContainerHealthCheck,
    Database,
    DatabaseBase,
    EcrImage,
    FargateService,
    FargateTaskDefinition,
    HealthCheck,
    LoadBalancer,
    Monitoring,
    Network,
    NetworkBase,
    Scaling,
    Statement,
    Waf,
)
from tests.support.synthesised import Synthesised

IMAGE = "nginxinc/nginx-unprivileged:1"


def test_two_load_balancers_databases_and_services_fit_one_network(
    stack: TerraformStack, network: Network, synthesise: Callable[[], Synthesised]
) -> None:
    monitoring = Monitoring(stack, "monitoring")
    for number in ("one", "two"):
        service = FargateService(
            stack, f"web-{number}", network=network, image=IMAGE, port=8080, scaling=Scaling()
        )
        LoadBalancer(stack, f"alb-{number}", network=network).route(service)
        database = Database(stack, f"db-{number}", network=network)
        database.allow_from(service)
        monitoring.watch(service)
        monitoring.watch(database)
    found = synthesise()
    for type_name, attribute in {
        "aws_lb": "name",
        "aws_lb_target_group": "name",
        "aws_s3_bucket": "bucket",
        "aws_db_instance": "identifier",
        "aws_db_parameter_group": "name",
        "aws_ecs_service": "name",
        "aws_ecs_cluster": "name",
        "aws_appautoscaling_target": "resource_id",
    }.items():
        assert len({each[attribute] for each in found.all(type_name)}) == 2, type_name
    for type_name, attribute in {
        "aws_security_group": "name",
        "aws_iam_role": "name",
        "aws_cloudwatch_log_group": "name",
        "aws_cloudwatch_metric_alarm": "alarm_name",
        "aws_cloudwatch_query_definition": "name",
    }.items():
        names = [each[attribute] for each in found.all(type_name)]
        assert len(set(names)) == len(names) > 2, type_name
    assert found.ingress() == {
        rule
        for number in ("one", "two")
        for rule in (
            ("0.0.0.0/0", f"theirs-alb-{number}", 80),
            (f"theirs-alb-{number}", f"theirs-web-{number}", 8080),
            (f"theirs-web-{number}", f"theirs-db-{number}", 5432),
        )
    }


def test_a_service_without_a_route_is_a_worker_that_nobody_reaches(
    stack: TerraformStack, network: Network, synthesise: Callable[[], Synthesised]
) -> None:
    worker = FargateService(stack, "worker", network=network, image=IMAGE)
    Monitoring(stack, "monitoring").watch(worker)
    found = synthesise()
    service = found.one("aws_ecs_service")
    # ECS refuses a grace period without a load balancer.
    assert not {"load_balancer", "health_check_grace_period_seconds", "alarms"} & set(service)
    assert not found.all("aws_lb_target_group")
    assert found.container(family="theirs-worker")["portMappings"] == []
    assert found.variables(family="theirs-worker") == {}
    assert found.ingress() == set()
    assert found.all("aws_cloudwatch_metric_alarm")
    assert "AWS/ApplicationELB" not in found.text


def test_a_worker_depends_on_its_roles_policies_whenever_they_are_added(
    stack: TerraformStack, network: Network, synthesise: Callable[[], Synthesised]
) -> None:
    worker = FargateService(stack, "worker", network=network, image=IMAGE)
    may = Statement(actions=("sqs:ReceiveMessage",), resources=("arn:aws:sqs:::jobs",))
    worker.add_to_task_policy(may)
    worker.add_to_task_policy(may)
    found = synthesise()
    name = next(
        key
        for key, policy in found.values["resource"]["aws_iam_role_policy"].items()
        if policy["name"] == "theirs-worker-task"
    )
    assert f"aws_iam_role_policy.{name}" in found.one("aws_ecs_service")["depends_on"]
    policy = found.one("aws_iam_role_policy", name="theirs-worker-task")["policy"]
    assert json.loads(policy)["Statement"] == [may.as_json()]


def test_a_service_lets_another_in_on_its_port_or_the_one_that_is_given(
    stack: TerraformStack, network: Network, synthesise: Callable[[], Synthesised]
) -> None:
    web = FargateService(stack, "web", network=network, image=IMAGE)
    api = FargateService(stack, "api", network=network, image=IMAGE, port=8000)
    api.allow_from(web)
    api.allow_from(web)
    api.allow_from(web, port=9090)
    with pytest.raises(ValueError, match="theirs-web has no port"):
        web.allow_from(api)
    assert synthesise().ingress() == {
        ("theirs-web", "theirs-api", 8000),
        ("theirs-web", "theirs-api", 9090),
    }


def test_a_database_lets_a_service_in_and_tells_it_where_it_is(
    stack: TerraformStack, network: Network, synthesise: Callable[[], Synthesised]
) -> None:
    service = FargateService(
        stack, "web", network=network, image=IMAGE, environment={"LEVEL": "${x} info"}
    )
    first, second = (Database(stack, id, network=network) for id in ("first", "second"))
    first.add_user(service, migration_command=("migrate", "up"))
    with pytest.raises(ValueError, match="DB_HOST has a value already"):
        second.allow_from(service)
    with pytest.raises(ValueError, match="allowed: 1 to 365"):
        second.add_user(service, migration_command=("migrate",), password_lifetime_days=0)
    login = "arn:aws:secretsmanager:us-west-2:1:secret:reports-AbCdEf"
    second.allow_from(service, prefix="REPORTS_", secret_arn=login)
    found = synthesise()
    told = found.variables(family="theirs-web")
    assert told["LEVEL"] == "$${x} info"
    assert told["DB_HOST"] == found.reference(
        "aws_db_instance", "address", identifier="theirs-first"
    )
    assert told["REPORTS_HOST"] == found.reference(
        "aws_db_instance", "address", identifier="theirs-second"
    )
    assert told["REPORTS_SECRET_ARN"] == login
    readable = [
        resource
        for statement in found.role_statements("theirs-web-task")
        if "secretsmanager:GetSecretValue" in statement["Action"]
        for resource in statement["Resource"]
    ]
    assert sorted(readable) == sorted([told["DB_SECRET_ARN"], login])


def test_a_database_that_is_merely_allowed_tells_no_login(
    stack: TerraformStack, network: Network, synthesise: Callable[[], Synthesised]
) -> None:
    service = FargateService(stack, "web", network=network, image=IMAGE)
    Database(stack, "db", network=network).allow_from(service)
    found = synthesise()
    assert set(found.variables(family="theirs-web")) == {"DB_HOST", "DB_PORT", "DB_NAME"}
    assert "GetSecretValue" not in found.text


def test_routes_of_a_service_share_its_target_group(
    stack: TerraformStack, network: Network, synthesise: Callable[[], Synthesised]
) -> None:
    web = FargateService(stack, "web", network=network, image=IMAGE, port=8080, scaling=Scaling())
    alb = LoadBalancer(stack, "alb", network=network, waf=Waf())
    check = HealthCheck(path="/up", interval_seconds=15)
    alb.route(web, path="/a/*", health_check=check)
    alb.route(web, path="/b", host="b.example.com", priority=7)
    found = synthesise()
    health = found.one("aws_lb_target_group")["health_check"]
    assert (health["path"], health["interval"]) == ("/up", 15)
    assert {rule["priority"] for rule in found.all("aws_lb_listener_rule")} >= {7}
    assert len(found.all("aws_lb_listener_rule")) == 2
    assert len(found.one("aws_ecs_service")["load_balancer"]) == 1
    assert len(found.all("aws_appautoscaling_policy")) == 3
    assert found.one("aws_wafv2_web_acl")["name"] == "theirs-alb-waf"


def test_a_priority_is_one_that_a_listener_has(stack: TerraformStack, network: Network) -> None:
    web = FargateService(stack, "web", network=network, image=IMAGE, port=8080)
    alb = LoadBalancer(stack, "alb", network=network)
    for priority in (-1, 50_001):
        with pytest.raises(ValueError, match=f"priority = {priority}; allowed: 1 to 50000"):
            alb.route(web, path="/a", priority=priority)
    for priority in (1, 50_000):
        alb.route(web, id=f"at-{priority}", path="/a", priority=priority)


def test_rules_of_the_web_acl_on_bodies_count_unless_they_are_to_block(
    stack: TerraformStack, network: Network, synthesise: Callable[[], Synthesised]
) -> None:
    LoadBalancer(stack, "counts", network=network, waf=Waf())
    LoadBalancer(stack, "blocks", network=network, waf=Waf(block_bodies=True))
    found = synthesise()

    def counted(name: str) -> dict[str, list[str]]:
        groups = [
            rule["statement"]["managed_rule_group_statement"]
            for rule in found.one("aws_wafv2_web_acl", name=name)["rule"]
            if "managed_rule_group_statement" in rule["statement"]
        ]
        assert len(groups) == 3
        return {
            group["name"]: [each["name"] for each in group["rule_action_override"]]
            for group in groups
            if all(e["action_to_use"] == {"count": {}} for e in group["rule_action_override"])
        }

    assert counted("theirs-counts-waf") == {
        "AWSManagedRulesAmazonIpReputationList": [],
        "AWSManagedRulesKnownBadInputsRuleSet": ["JavaDeserializationRCE_BODY", "Log4JRCE_BODY"],
        "AWSManagedRulesCommonRuleSet": [
            "SizeRestrictions_BODY",
            "EC2MetaDataSSRF_BODY",
            "GenericLFI_BODY",
            "GenericRFI_BODY",
            "CrossSiteScripting_BODY",
        ],
    }
    assert not any(counted("theirs-blocks-waf").values())


def test_tmp_is_a_file_system_in_memory_unless_it_is_switched_off(
    stack: TerraformStack, synthesise: Callable[[], Synthesised]
) -> None:
    FargateTaskDefinition(stack, "with", image=IMAGE, tmp_mib=128)
    FargateTaskDefinition(stack, "without", image=IMAGE, tmp_mib=None)
    found = synthesise()
    assert found.container(family="theirs-with")["linuxParameters"]["tmpfs"] == [
        {"containerPath": "/tmp", "size": 128, "mountOptions": ["nosuid", "nodev"]}
    ]
    assert "tmpfs" not in found.container(family="theirs-without")["linuxParameters"]
    for family in ("theirs-with", "theirs-without"):
        assert found.container(family=family)["readonlyRootFilesystem"] is True


def test_a_container_is_asked_for_health_only_if_somebody_says_how(
    stack: TerraformStack, synthesise: Callable[[], Synthesised]
) -> None:
    FargateTaskDefinition(stack, "silent", image=IMAGE, port=8080)
    FargateTaskDefinition(
        stack, "asked", image=IMAGE, health_check=ContainerHealthCheck(command=("CMD", "true"))
    )
    found = synthesise()
    assert "healthCheck" not in found.container(family="theirs-silent")
    assert found.container(family="theirs-asked")["healthCheck"]["command"] == ["CMD", "true"]


def test_only_an_image_in_ecr_gives_the_execution_role_the_right_to_pull(
    stack: TerraformStack, synthesise: Callable[[], Synthesised]
) -> None:
    FargateTaskDefinition(stack, "public", image=IMAGE)
    FargateTaskDefinition(stack, "own", image=EcrImage(repository="team/own", tag="v1"))
    found = synthesise()

    def actions(role: str) -> str:
        return str(found.one("aws_iam_role_policy", name=f"theirs-{role}-execution")["policy"])

    assert "ecr:" not in actions("public")
    assert "repository/team/own" in actions("own")
    assert found.container(family="theirs-own")["image"].endswith("/team/own:v1")
    assert found.container(family="theirs-public")["image"] == IMAGE


def test_what_is_there_already_is_used_and_not_made(
    stack: TerraformStack, synthesise: Callable[[], Synthesised]
) -> None:
    network: NetworkBase = Network.from_existing(
        stack, "network", vpc_id="vpc-1", private_subnet_ids=["subnet-1", "subnet-2"]
    )
    database: DatabaseBase = Database.from_existing(
        stack, "db", identifier="company", security_group_id="sg-db"
    )
    web = FargateService(
        stack,
        "web",
        network=network,
        image=IMAGE,
        port=8080,
        cluster=Cluster.from_existing(stack, "cluster", name="company"),
        execute_command=True,
    )
    LoadBalancer.from_existing(
        stack,
        "alb",
        network=network,
        listener_arn="arn:aws:elasticloadbalancing:us-west-2:1:listener/app/a/b/c",
        security_group_id="sg-alb",
    ).route(web)
    database.allow_from(web)
    monitoring = Monitoring(stack, "monitoring")
    monitoring.watch(web)
    monitoring.watch(database)
    found = synthesise()
    for type_name in ("aws_vpc", "aws_subnet", "aws_lb", "aws_lb_listener", "aws_db_instance",
                      "aws_ecs_cluster", "aws_vpc_endpoint", "aws_nat_gateway"):  # fmt: skip
        assert not found.all(type_name), type_name
    assert found.one("aws_security_group")["vpc_id"] == "vpc-1"
    assert found.one("aws_lb_target_group")["vpc_id"] == "vpc-1"
    service = found.one("aws_ecs_service")
    assert service["network_configuration"]["subnets"] == ["subnet-1", "subnet-2"]
    assert service["cluster"].endswith(":cluster/company")
    assert found.ingress() == {("sg-alb", "theirs-web", 8080), ("theirs-web", "sg-db", 5432)}
    assert "data.aws_db_instance" in found.variables(family="theirs-web")["DB_HOST"]


def test_a_certificate_that_is_there_gives_https(
    stack: TerraformStack, network: Network, synthesise: Callable[[], Synthesised]
) -> None:
    arn = "arn:aws:acm:us-west-2:111122223333:certificate/x"
    alb = LoadBalancer(stack, "alb", network=network, certificate_arn=arn, access_logs=None)
    assert alb.url.startswith("https://")
    found = synthesise()
    assert found.one("aws_lb_listener", port=443)["certificate_arn"] == arn
    assert found.one("aws_lb_listener", port=80)["default_action"][0]["type"] == "redirect"
    assert not found.all("aws_acm_certificate")
