"""What the synthesised JSON promises."""

import json
import re
from typing import Any

import pytest

MINIMAL = """
name = "tiny-e"
[services.backend]
"""


WATCHED = (
    MINIMAL
    + """
[database]
storage_gib = 100
[load_balancer]
waf = true
[monitoring]
alarm_emails = ["one@example.com", "two@example.com"]
log_retention_days = 545
[monitoring.thresholds]
http_5xx_percent = 2.5
p95_latency_seconds = 0.25
task_cpu_percent = 71
task_memory_percent = 72
database_cpu_percent = 73
database_free_storage_percent = 10
database_connections = 74
"""
)


def container(stack: Any) -> dict[str, Any]:
    (definition,) = stack.all("aws_ecs_task_definition")
    (found,) = json.loads(definition["container_definitions"])
    return dict(found)


def test_the_seed_has_three_stacks(seed: Any) -> None:
    assert set(seed) == {"prod-e-registry", "prod-e-image", "prod-e"}


def test_the_seed_names_never_change(seed: Any) -> None:
    stack = seed["prod-e"]
    assert seed["prod-e-registry"].one("aws_ecr_repository")["name"] == "prod-e-backend"
    assert stack.one("aws_ecs_cluster")["name"] == "prod-e-cluster"
    assert stack.one("aws_ecs_task_definition")["family"] == "prod-e-task"
    assert stack.one("aws_ecs_service")["name"] == "prod-e-service"
    assert container(stack)["name"] == "prod-e-container"
    assert stack.one("aws_cloudwatch_log_group", name="/ecs/prod-e-task")
    assert stack.one("aws_lb")["name"] == "prod-e-alb"
    assert stack.values["provider"]["aws"][0]["region"] == "us-west-2"


def test_the_task_has_256_cpu_units_and_512_mib_and_listens_on_port_3000(seed: Any) -> None:
    task = seed["prod-e"].one("aws_ecs_task_definition")
    assert (task["cpu"], task["memory"]) == ("256", "512")
    assert container(seed["prod-e"])["portMappings"] == [
        {"containerPort": 3000, "hostPort": 3000, "protocol": "tcp"}
    ]


def test_the_container_cannot_write_its_file_system_or_use_capabilities(seed: Any) -> None:
    found = container(seed["prod-e"])
    assert found["readonlyRootFilesystem"] is True
    assert found["linuxParameters"]["capabilities"] == {"add": [], "drop": ["ALL"]}


def test_health_is_asked_for_in_the_container_and_by_the_load_balancer(seed: Any) -> None:
    assert "http://127.0.0.1:3000/health" in " ".join(
        container(seed["prod-e"])["healthCheck"]["command"]
    )
    assert seed["prod-e"].one("aws_lb_target_group")["health_check"]["path"] == "/health"


def test_health_is_asked_for_as_often_as_the_settings_say(synthesised: Any) -> None:
    stack = synthesised(MINIMAL + "health_interval_seconds = 45\n")["tiny-e"]
    assert container(stack)["healthCheck"]["interval"] == 45
    assert stack.one("aws_lb_target_group")["health_check"]["interval"] == 45


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


def test_the_container_is_told_of_the_database_without_its_password(seed: Any) -> None:
    variables = {v["name"]: v["value"] for v in container(seed["prod-e"])["environment"]}
    assert set(variables) == {
        "DB_HOST", "DB_NAME", "DB_PORT", "DB_SECRET_ARN", "NODE_ENV", "PORT"
    }  # fmt: skip
    assert variables["NODE_ENV"] == "production"
    assert "master_user_secret" in variables["DB_SECRET_ARN"]


def test_rds_keeps_the_password_and_the_database_is_encrypted_and_private(seed: Any) -> None:
    database = seed["prod-e"].one("aws_db_instance")
    assert database["manage_master_user_password"] is True
    assert database["storage_encrypted"] is True
    assert database["storage_type"] == "gp3"
    assert database["publicly_accessible"] is False
    assert database["deletion_protection"] is True
    assert database["lifecycle"]["prevent_destroy"] is True
    parameters = seed["prod-e"].one("aws_db_parameter_group")["parameter"]
    assert {"name": "rds.force_ssl", "value": "1"} in parameters


def ingress(stack: Any) -> set[tuple[str, str, int]]:
    """Who may open connections to whom: source, destination, port."""
    found = set()
    for rule in stack.all("aws_vpc_security_group_ingress_rule"):
        source = rule.get("referenced_security_group_id") or rule["cidr_ipv4"]
        found.add((source, rule["security_group_id"], rule["from_port"]))
        assert rule["from_port"] == rule["to_port"]
    return found


def test_only_the_load_balancer_reaches_tasks_and_only_tasks_reach_the_database(seed: Any) -> None:
    stack = seed["prod-e"]
    balancer, tasks, database = (
        stack.reference("aws_security_group", "id", name=f"prod-e-{name}")
        for name in ("load-balancer", "backend-service", "database")
    )
    assert ingress(stack) == {
        ("0.0.0.0/0", balancer, 80),
        (balancer, tasks, 3000),
        (tasks, database, 5432),
    }


def test_isolated_subnets_have_no_route_out(seed: Any) -> None:
    stack = seed["prod-e"]
    table = stack.reference("aws_route_table", "id", tags={"Name": "prod-e-isolated"})
    assert table not in {route["route_table_id"] for route in stack.all("aws_route")}
    gateway = stack.one("aws_vpc_endpoint", vpc_endpoint_type="Gateway")
    assert table not in gateway["route_table_ids"]


def test_the_default_security_group_lets_nothing_through(seed: Any) -> None:
    group = seed["prod-e"].one("aws_default_security_group")
    assert "ingress" not in group
    assert "egress" not in group


def test_no_policy_allows_a_wildcard_action(seed: Any, staging: Any) -> None:
    for stack in (*seed.values(), *staging.values()):
        for statement in stack.policies():
            assert not any("*" in action for action in statement["Action"])


def test_every_action_on_any_resource_is_one_for_which_aws_has_nothing_finer(
    seed: Any, staging: Any
) -> None:
    found = {
        action
        for stack in (*seed.values(), *staging.values())
        for statement in stack.policies()
        if "*" in statement.get("Resource", ()) and statement["Effect"] == "Allow"
        for action in statement["Action"]
    }
    assert found == {
        "ecr:GetAuthorizationToken",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    }


def test_a_failed_deployment_is_rolled_back_by_the_circuit_breaker_and_by_alarms(
    seed: Any,
) -> None:
    service = seed["prod-e"].one("aws_ecs_service")
    assert service["deployment_circuit_breaker"] == {"enable": True, "rollback": True}
    assert service["alarms"]["rollback"] is True
    assert len(service["alarms"]["alarm_names"]) == 2
    assert service["availability_zone_rebalancing"] == "ENABLED"
    assert service["wait_for_steady_state"] is True


def test_the_number_of_tasks_is_left_to_autoscaling_only_where_there_is_autoscaling(
    seed: Any, synthesised: Any
) -> None:
    assert seed["prod-e"].one("aws_ecs_service")["lifecycle"]["ignore_changes"] == ["desired_count"]
    metrics = {
        policy["target_tracking_scaling_policy_configuration"]["predefined_metric_specification"][
            "predefined_metric_type"
        ]
        for policy in seed["prod-e"].all("aws_appautoscaling_policy")
    }
    assert metrics == {
        "ALBRequestCountPerTarget",
        "ECSServiceAverageCPUUtilization",
        "ECSServiceAverageMemoryUtilization",
    }
    fixed = synthesised(MINIMAL + "min_tasks = 2\ndesired_tasks = 2\nmax_tasks = 2\n")["tiny-e"]
    assert "ignore_changes" not in fixed.one("aws_ecs_service")["lifecycle"]
    assert not fixed.all("aws_appautoscaling_target")


def test_a_push_of_the_followed_tag_and_nothing_else_starts_a_deployment(seed: Any) -> None:
    rule = seed["prod-e"].one("aws_cloudwatch_event_rule", name="prod-e-backend-redeploy")
    assert json.loads(rule["event_pattern"]) == {
        "source": ["aws.ecr"],
        "detail-type": ["ECR Image Action"],
        "detail": {
            "action-type": ["PUSH"],
            "result": ["SUCCESS"],
            "repository-name": ["prod-e-backend"],
            "image-tag": ["latest"],
        },
    }
    machine = json.loads(seed["prod-e"].one("aws_sfn_state_machine")["definition"])
    assert machine["States"]["UpdateService"]["Parameters"] == {
        "Cluster": "prod-e-cluster",
        "Service": "prod-e-service",
        "ForceNewDeployment": True,
    }


@pytest.mark.parametrize("tag", ["content", "v1.2.3"])
def test_a_pinned_tag_is_not_redeployed_on_push(synthesised: Any, tag: str) -> None:
    stack = synthesised(MINIMAL + f'image_tag = "{tag}"\n')["tiny-e"]
    assert not stack.all("aws_sfn_state_machine")
    expected = r"content-[0-9a-f]{16}" if tag == "content" else re.escape(tag)
    assert re.search(rf"/tiny-e-backend:{expected}$", container(stack)["image"])


@pytest.mark.parametrize("tag", ["content-0123456789abcdef", "git-0123456789ab"])
def test_a_service_pinned_to_a_build_that_exists_runs_it_and_builds_nothing(
    synthesised: Any, tag: str
) -> None:
    other = '[services.other]\nsource = "backend"\npath = "/other"\n'
    stacks = synthesised(MINIMAL + f'image_tag = "{tag}"\n')
    assert "tiny-e-image" not in stacks
    assert container(stacks["tiny-e"])["image"].endswith(f"/tiny-e-backend:{tag}")
    images = synthesised(MINIMAL + f'image_tag = "{tag}"\n{other}')["tiny-e-image"]
    assert "tiny-e-other:" in images.one("docker_image")["name"]
    assert not [name for name in images.all("docker_registry_image") if "backend" in name["name"]]


def test_a_tag_of_the_users_own_is_built_from_the_present_source(synthesised: Any) -> None:
    stack = synthesised(MINIMAL + 'image_tag = "v1.2.3"\n')["tiny-e-image"]
    (tag,) = (t for t in stack.all("docker_tag") if t["target_image"].endswith(":v1.2.3"))
    assert tag["source_image"] == stack.reference("docker_image", "image_id")
    assert stack.one("docker_registry_image", name=tag["target_image"])


def test_the_repository_scans_and_keeps_every_tagged_image(seed: Any) -> None:
    repository = seed["prod-e-registry"].one("aws_ecr_repository")
    assert repository["image_scanning_configuration"] == {"scan_on_push": True}
    assert repository["image_tag_mutability"] == "MUTABLE"
    assert repository["encryption_configuration"] == [{"encryption_type": "AES256"}]
    policy = json.loads(seed["prod-e-registry"].one("aws_ecr_lifecycle_policy")["policy"])
    assert {rule["selection"]["tagStatus"] for rule in policy["rules"]} == {"untagged"}


def test_the_image_is_built_for_the_architecture_that_the_task_runs_on(synthesised: Any) -> None:
    stacks = synthesised(MINIMAL + 'architecture = "arm64"\n')
    assert stacks["tiny-e-image"].one("docker_image")["build"]["platform"] == "linux/arm64"
    platform = stacks["tiny-e"].one("aws_ecs_task_definition")["runtime_platform"]
    assert platform["cpu_architecture"] == "ARM64"


TWO = MINIMAL + '[services.other]\nsource = "backend"\npath = "/other"\n'


def test_services_of_one_source_share_one_build_and_have_their_own_names(
    synthesised: Any,
) -> None:
    stack = synthesised(TWO)["tiny-e-image"]
    assert "tiny-e-backend:content-" in stack.one("docker_image")["name"]
    pushed = [push["name"].split("/")[1] for push in stack.all("docker_registry_image")]
    repositories = [name.partition(":")[0] for name in pushed]
    assert sorted(repositories) == 2 * ["tiny-e-backend"] + 2 * ["tiny-e-other"]
    image_id = stack.reference("docker_image", "image_id")
    assert {tag["source_image"] for tag in stack.all("docker_tag")} == {image_id}


@pytest.mark.parametrize(
    "other",
    [
        'build_network = "none"',
        'architecture = "arm64"',
        'build_args = { EDITION = "2" }',
    ],
)
def test_services_that_build_a_source_differently_are_built_each(
    synthesised: Any, other: str
) -> None:
    assert len(synthesised(f"{TWO}{other}\n")["tiny-e-image"].all("docker_image")) == 2


def test_the_followed_tag_is_pushed_after_all_others(seed: Any) -> None:
    stack = seed["prod-e-image"]
    resources = stack.values["resource"]["docker_registry_image"]
    (latest,) = (n for n, push in resources.items() if push["name"].endswith(":latest"))
    others = {f"docker_registry_image.{name}" for name in resources if name != latest}
    assert others <= set(resources[latest]["depends_on"])


def test_another_commit_or_network_is_no_reason_to_build_again(seed: Any) -> None:
    image = seed["prod-e-image"].one("docker_image")
    assert image["lifecycle"]["ignore_changes"] == ["build"]
    assert list(image["triggers"]) == ["content_hash"]


def test_the_network_of_a_build_is_the_settings_or_else_a_variable(synthesised: Any) -> None:
    def network(settings: str) -> str:
        image = synthesised(MINIMAL + settings)["tiny-e-image"].one("docker_image")
        return str(image["build"]["network_mode"])

    assert network('build_network = "none"\n') == "none"
    assert network("") == "${var.build_network}"


def test_a_build_gets_the_users_arguments_beside_our_own(synthesised: Any) -> None:
    settings = MINIMAL + 'build_args = { EDITION = "2" }\n'
    arguments = synthesised(settings)["tiny-e-image"].one("docker_image")["build"]["build_args"]
    assert arguments["EDITION"] == "2"
    assert {"VERSION", "COMMIT"} < set(arguments)


def test_pushed_images_stay_when_terraform_forgets_them(seed: Any) -> None:
    pushed = seed["prod-e-image"].all("docker_registry_image")
    assert pushed
    assert all(image["keep_remotely"] is True for image in pushed)
    assert all(re.fullmatch("[0-9a-f]{16}", image["triggers"]["content_hash"]) for image in pushed)


def test_an_external_build_needs_no_image_stack(synthesised: Any) -> None:
    assert set(synthesised(MINIMAL + 'build = "external"\n')) == {"tiny-e-registry", "tiny-e"}


def test_a_domain_gives_https_with_tls_1_3_and_redirects_http(synthesised: Any) -> None:
    stack = synthesised(
        MINIMAL + '[load_balancer]\ndomain_name = "api.example.com"\nhosted_zone_id = "Z0123"\n'
    )["tiny-e"]
    secure = stack.one("aws_lb_listener", port=443)
    assert secure["protocol"] == "HTTPS"
    assert "TLS13" in secure["ssl_policy"]
    assert stack.one("aws_lb_listener", port=80)["default_action"][0]["type"] == "redirect"
    assert stack.one("aws_acm_certificate")["validation_method"] == "DNS"


def test_a_web_application_firewall_stands_before_the_load_balancer_if_wanted(
    synthesised: Any, seed: Any
) -> None:
    stack = synthesised(WATCHED)["tiny-e"]
    acl = stack.one("aws_wafv2_web_acl", scope="REGIONAL")
    assert acl["default_action"] == {"allow": {}}
    assert stack.one(
        "aws_wafv2_web_acl_association",
        resource_arn=stack.reference("aws_lb", "arn"),
        web_acl_arn=stack.reference("aws_wafv2_web_acl", "arn"),
    )
    assert not seed["prod-e"].all("aws_wafv2_web_acl")


def test_the_firewall_limits_each_address_and_has_the_managed_rules_of_aws_block(
    synthesised: Any,
) -> None:
    rules = synthesised(WATCHED)["tiny-e"].one("aws_wafv2_web_acl")["rule"]
    limit, *managed = sorted(rules, key=lambda rule: int(rule["priority"]))
    assert limit["statement"]["rate_based_statement"] == {
        "limit": 2000, "aggregate_key_type": "IP"
    }  # fmt: skip
    assert limit["action"] == {"block": {}}
    assert [rule["statement"]["managed_rule_group_statement"] for rule in managed] == [
        {"vendor_name": "AWS", "name": "AWSManagedRulesAmazonIpReputationList"},
        {"vendor_name": "AWS", "name": "AWSManagedRulesKnownBadInputsRuleSet"},
        {"vendor_name": "AWS", "name": "AWSManagedRulesCommonRuleSet"},
    ]
    # "none" leaves each rule's own action, which is to block.
    assert all(rule["override_action"] == {"none": {}} for rule in managed)
    assert len({rule["priority"] for rule in rules}) == len(rules)


def test_endpoints_alone_give_tasks_aws_and_no_internet(synthesised: Any) -> None:
    stack = synthesised(MINIMAL + '[network]\negress = "endpoints"\n')["tiny-e"]
    assert not stack.all("aws_nat_gateway")
    assert len([e for e in stack.all("aws_vpc_endpoint") if "private_dns_enabled" in e]) == 5
    tasks = stack.reference("aws_security_group", "id", name="tiny-e-backend-service")
    for rule in stack.all("aws_vpc_security_group_egress_rule"):
        assert rule["security_group_id"] != tasks or "cidr_ipv4" not in rule


def test_nat_gateways_are_one_per_zone_or_a_single_one(seed: Any, staging: Any) -> None:
    assert len(seed["prod-e"].all("aws_nat_gateway")) == 2
    assert len(staging["staging-e"].all("aws_nat_gateway")) == 1


def test_three_zones_have_three_subnets_of_each_tier(synthesised: Any) -> None:
    stack = synthesised(MINIMAL + "[network]\navailability_zones = 3\n")["tiny-e"]
    tiers = [subnet["tags"]["Tier"] for subnet in stack.all("aws_subnet")]
    assert {tier: tiers.count(tier) for tier in tiers} == {
        "public": 3,
        "private": 3,
        "isolated": 3,
    }


def test_two_services_share_the_load_balancer_and_have_the_rest_to_themselves(
    synthesised: Any,
) -> None:
    stacks = synthesised(
        MINIMAL + '[services.worker]\nsource = "backend"\npath = "/jobs/*"\ndatabase = false\n'
    )
    stack = stacks["tiny-e"]
    assert len(stack.all("aws_lb")) == 1
    for type_name in ("aws_ecs_service", "aws_lb_target_group", "aws_lb_listener_rule"):
        assert len(stack.all(type_name)) == 2
    priorities = {
        rule["condition"][0]["path_pattern"]["values"][0]: rule["priority"]
        for rule in stack.all("aws_lb_listener_rule")
    }
    assert priorities["/jobs/*"] < priorities["/*"]
    assert len(stacks["tiny-e-registry"].all("aws_ecr_repository")) == 2


def test_without_a_database_there_is_none_and_no_variables_for_it(synthesised: Any) -> None:
    stack = synthesised(MINIMAL)["tiny-e"]
    assert not stack.all("aws_db_instance")
    assert {v["name"] for v in container(stack)["environment"]} == {"PORT"}


def test_secrets_reach_the_container_by_arn_and_the_role_may_read_those_only(
    synthesised: Any,
) -> None:
    arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:key-AbCdEf"
    stack = synthesised(MINIMAL + f'[services.backend.secrets]\nAPI_KEY = "{arn}"\n')["tiny-e"]
    assert container(stack)["secrets"] == [{"name": "API_KEY", "valueFrom": arn}]
    readable = [
        s["Resource"] for s in stack.policies() if "secretsmanager:GetSecretValue" in s["Action"]
    ]
    assert readable == [[arn]]


def test_staging_runs_on_spot(staging: Any) -> None:
    service = staging["staging-e"].one("aws_ecs_service")
    assert service["capacity_provider_strategy"] == [
        {"capacity_provider": "FARGATE_SPOT", "weight": 100}
    ]


def test_state_in_s3_is_encrypted_and_locked(synthesised: Any) -> None:
    stacks = synthesised(MINIMAL + '[state]\nkind = "s3"\nbucket = "states"\n')
    keys = set()
    for stack in stacks.values():
        backend = stack.values["terraform"]["backend"]["s3"]
        assert backend["use_lockfile"] is True
        assert backend["encrypt"] is True
        keys.add(backend["key"])
    assert len(keys) == len(stacks)


def test_local_state_is_told_of_by_a_path_that_means_the_same_everywhere(seed: Any) -> None:
    for name, stack in seed.items():
        path = stack.values["terraform"]["backend"]["local"]["path"]
        assert path == f"../../../terraform.{name}.tfstate"


def test_every_alarm_is_there_and_tells_the_topic(seed: Any) -> None:
    alarms = seed["prod-e"].all("aws_cloudwatch_metric_alarm")
    assert {alarm["alarm_name"] for alarm in alarms} == {
        "prod-e-backend-5xx",
        "prod-e-backend-cpu",
        "prod-e-backend-memory",
        "prod-e-backend-p95-latency",
        "prod-e-backend-tasks-below-desired",
        "prod-e-backend-unhealthy-hosts",
        "prod-e-database-connections",
        "prod-e-database-cpu",
        "prod-e-database-storage",
    }
    topic = seed["prod-e"].reference("aws_sns_topic", "arn")
    assert all(alarm["alarm_actions"] == [topic] for alarm in alarms)


def test_alarms_ring_where_the_settings_say(synthesised: Any) -> None:
    alarms = synthesised(WATCHED)["tiny-e"].all("aws_cloudwatch_metric_alarm")
    rings = {
        alarm["alarm_name"]: (alarm["comparison_operator"], alarm["threshold"]) for alarm in alarms
    }
    above, below = "GreaterThanThreshold", "LessThanThreshold"
    assert rings == {
        "tiny-e-backend-5xx": (above, 2.5),
        "tiny-e-backend-p95-latency": (above, 0.25),
        "tiny-e-backend-unhealthy-hosts": (above, 0),
        "tiny-e-backend-tasks-below-desired": (above, 0),
        "tiny-e-backend-cpu": (above, 71),
        "tiny-e-backend-memory": (above, 72),
        "tiny-e-database-cpu": (above, 73),
        "tiny-e-database-connections": (above, 74),
        "tiny-e-database-storage": (below, 10 * 1024**3),
    }


def test_everybody_who_is_to_be_told_is_told(synthesised: Any, seed: Any) -> None:
    stack = synthesised(WATCHED)["tiny-e"]
    topic = stack.reference("aws_sns_topic", "arn")
    addresses = [
        subscription["endpoint"]
        for subscription in stack.all("aws_sns_topic_subscription")
        if (subscription["protocol"], subscription["topic_arn"]) == ("email", topic)
    ]
    assert addresses == ["one@example.com", "two@example.com"]
    for alarm in stack.all("aws_cloudwatch_metric_alarm"):
        assert alarm["alarm_actions"] == alarm["ok_actions"] == [topic]
    assert not seed["prod-e"].all("aws_sns_topic_subscription")


def test_logs_of_services_and_of_the_database_are_kept_as_long_as_wanted(
    synthesised: Any, seed: Any
) -> None:
    kept = {
        group["name"]: group["retention_in_days"]
        for group in synthesised(WATCHED)["tiny-e"].all("aws_cloudwatch_log_group")
    }
    assert kept == {
        "/ecs/tiny-e-backend": 545,
        "/aws/rds/instance/tiny-e-database/postgresql": 545,
        "/aws/rds/instance/tiny-e-database/upgrade": 545,
        "/vpc/tiny-e-flow-log": 14,
    }
    assert all("retention_in_days" in g for g in seed["prod-e"].all("aws_cloudwatch_log_group"))


def test_a_failed_deployment_is_told(seed: Any) -> None:
    rule = seed["prod-e"].one("aws_cloudwatch_event_rule", name="prod-e-backend-failed-deployment")
    assert "SERVICE_DEPLOYMENT_FAILED" in rule["event_pattern"]


def test_the_outputs_say_where_everything_is(seed: Any) -> None:
    assert set(seed["prod-e"].values["output"]) == {
        "service_url",
        "cluster_name",
        "backend_repository_url",
        "backend_service_name",
        "backend_log_group",
        "database_endpoint",
        "dashboard_url",
    }


def test_credentials_of_another_account_are_refused(synthesised: Any) -> None:
    stacks = synthesised('account = "111122223333"\n' + MINIMAL)
    for stack in stacks.values():
        assert stack.values["provider"]["aws"][0]["allowed_account_ids"] == ["111122223333"]


def test_one_branch_of_one_github_repository_may_push_images_and_nothing_else(
    synthesised: Any, seed: Any
) -> None:
    stack = synthesised(MINIMAL + '[delivery]\ngithub_repository = "us/app"\n')["tiny-e-registry"]
    trust = json.loads(stack.one("aws_iam_role")["assume_role_policy"])["Statement"]
    (conditions,) = [statement["Condition"]["StringEquals"] for statement in trust]
    assert conditions == {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": "repo:us/app:ref:refs/heads/main",
    }
    repository = stack.reference("aws_ecr_repository", "arn")
    push = [s for s in stack.policies() if "ecr:PutImage" in s["Action"]]
    assert [statement["Resource"] for statement in push] == [[repository]]
    assert all(a.startswith("ecr:") for s in push for a in s["Action"])
    assert sorted(set(push[0]["Action"])) == push[0]["Action"]
    # `prod-e push` looks at the repository and its images before it uploads.
    assert {"ecr:DescribeRepositories", "ecr:DescribeImages"} <= set(push[0]["Action"])
    assert not seed["prod-e-registry"].all("aws_iam_role")


def test_text_that_looks_like_an_expression_of_terraform_reaches_the_container_as_it_is(
    synthesised: Any,
) -> None:
    stack = synthesised(
        MINIMAL
        + """health_command = ["CMD-SHELL", "test ${A:-1} = 1"]
[services.backend.environment]
PATTERN = "${HOME} %{x} $HOME"
"""
    )["tiny-e"]
    found = container(stack)
    assert found["healthCheck"]["command"] == ["CMD-SHELL", "test $${A:-1} = 1"]
    variables = {v["name"]: v["value"] for v in found["environment"]}
    assert variables["PATTERN"] == "$${HOME} %%{x} $HOME"


IAM_NAME = r"[\w+=,.@-]{1,64}"
LOAD_BALANCER_NAME = r"(?!internal-)[a-zA-Z0-9](-?[a-zA-Z0-9]){0,31}"
NAMES = {
    "aws_cloudwatch_event_rule": ("name", r"[\w.-]{1,64}"),
    "aws_cloudwatch_log_group": ("name", r"(?!aws/)[\w./#-]{1,512}"),
    "aws_cloudwatch_metric_alarm": ("alarm_name", r".{1,255}"),
    "aws_db_instance": ("identifier", r"[a-z](-?[a-z0-9]){0,62}"),
    "aws_db_parameter_group": ("name", r"[a-z](-?[a-z0-9]){0,254}"),
    "aws_db_subnet_group": ("name", r"(?!default$)[a-z0-9 ._-]{1,255}"),
    "aws_ecr_repository": ("name", r"(?=.{2,256}$)[a-z0-9]+([._/-][a-z0-9]+)*"),
    "aws_ecs_cluster": ("name", r"[\w-]{1,255}"),
    "aws_ecs_service": ("name", r"[\w-]{1,255}"),
    "aws_ecs_task_definition": ("family", r"[\w-]{1,255}"),
    "aws_iam_role": ("name", IAM_NAME),
    "aws_lb": ("name", LOAD_BALANCER_NAME),
    "aws_lb_target_group": ("name", LOAD_BALANCER_NAME),
    "aws_s3_bucket": ("bucket", r"(?!sthree-|xn--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
    "aws_security_group": ("name", r"(?!sg-)[\w .:/()#,@+=&;{}!$*-]{1,255}"),
    "aws_sfn_state_machine": ("name", r"[\w-]{1,80}"),
    "aws_sns_topic": ("name", r"[\w-]{1,256}"),
    "aws_wafv2_web_acl": ("name", r"[\w-]{1,128}"),
}
"""How AWS lets resources be named: the attribute, and what it must look like."""


# A target group's name holds all three of environment, service and port, in 32 characters.
@pytest.mark.parametrize(
    ("environment", "service"), [("e" * 24, "ab"), ("e", "a" * 25)], ids=["long", "short"]
)
def test_the_longest_names_that_settings_allow_make_no_name_that_aws_refuses(
    synthesised: Any, environment: str, service: str
) -> None:
    stacks = synthesised(
        f"""
name = "{environment}"
region = "ap-northeast-1"
[services.{service}]
source = "backend"
execute_command = true
[database]
[load_balancer]
waf = true
[delivery]
github_repository = "us/app"
"""
    )
    named = [
        (type_name, resource)
        for stack in stacks.values()
        for type_name in NAMES
        for resource in stack.values["resource"].get(type_name, {}).values()
    ]
    assert {type_name for type_name, _ in named} == set(NAMES)
    for type_name, resource in named:
        attribute, allowed = NAMES[type_name]
        name = re.sub(r"\$\{data\.aws_caller_identity\.[^}]+\}", "1" * 12, resource[attribute])
        assert re.fullmatch(allowed, name), f"{type_name} {name}"


def test_every_stack_takes_the_tested_providers_only(seed: Any) -> None:
    for stack in seed.values():
        required = stack.values["terraform"]["required_providers"]
        assert required["aws"]["version"] == "~> 5.100"
    image = seed["prod-e-image"].values["terraform"]["required_providers"]
    assert image["docker"]["version"] == "~> 3.6.2"


def test_the_settings_choose_other_providers_for_every_stack(synthesised: Any) -> None:
    stacks = synthesised(
        """
name = "newer-e"
[services.backend]
[providers]
aws = "~> 6.25"
docker = ">= 3.6.2, < 5.0"
"""
    )
    assert len(stacks) == 3
    for stack in stacks.values():
        required = stack.values["terraform"]["required_providers"]
        assert required["aws"]["version"] == "~> 6.25"
    image = stacks["newer-e-image"].values["terraform"]["required_providers"]
    assert image["docker"]["version"] == ">= 3.6.2, < 5.0"
