"""What runs a service: its task, container, scaling and deployments."""

import json
import re
from typing import Any

import pytest

from prod_e.service.task_definition import _without_key
from tests.support.synthesised import MINIMAL


def test_the_container_cannot_write_its_file_system_or_use_capabilities(seed: Any) -> None:
    found = seed["prod-e"].container()
    assert found["readonlyRootFilesystem"] is True
    assert found["linuxParameters"]["capabilities"] == {"add": [], "drop": ["ALL"]}


def test_health_is_asked_for_in_the_container_and_by_the_load_balancer(synthesised: Any) -> None:
    stack = synthesised(MINIMAL)["tiny-e"]
    assert "http://127.0.0.1:3000/health" in " ".join(stack.container()["healthCheck"]["command"])
    assert stack.one("aws_lb_target_group")["health_check"]["path"] == "/health"


def test_health_is_asked_for_as_often_as_the_settings_say(synthesised: Any) -> None:
    stack = synthesised(MINIMAL + "health_interval_seconds = 45\n")["tiny-e"]
    assert stack.container()["healthCheck"]["interval"] == 45
    assert stack.one("aws_lb_target_group")["health_check"]["interval"] == 45


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
    found = stack.container()
    assert found["healthCheck"]["command"] == ["CMD-SHELL", "test $${A:-1} = 1"]
    variables = {v["name"]: v["value"] for v in found["environment"]}
    assert variables["PATTERN"] == "$${HOME} %%{x} $HOME"


def test_secrets_reach_the_container_by_arn_and_the_role_may_read_those_only(
    synthesised: Any,
) -> None:
    arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:key-AbCdEf"
    stack = synthesised(MINIMAL + f'[services.backend.secrets]\nAPI_KEY = "{arn}"\n')["tiny-e"]
    assert stack.container()["secrets"] == [{"name": "API_KEY", "valueFrom": arn}]
    readable = [
        s["Resource"] for s in stack.policies() if "secretsmanager:GetSecretValue" in s["Action"]
    ]
    assert readable == [[arn]]


def test_another_share_of_spot_keeps_the_service(seed: Any) -> None:
    # Without it the provider replaces the service when its capacity providers change:
    # https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/resources/ecs_service
    assert seed["prod-e"].one("aws_ecs_service")["force_new_deployment"] is True


def test_staging_is_cheap_and_can_be_destroyed(staging: Any) -> None:
    database = staging["staging-e"].one("aws_db_instance")
    assert (database["multi_az"], database["backup_retention_period"]) == (False, 1)
    assert "max_allocated_storage" not in database
    assert database["deletion_protection"] is database["lifecycle"]["prevent_destroy"] is False
    assert database["skip_final_snapshot"] is database["delete_automated_backups"] is True
    assert "final_snapshot_identifier" not in database
    assert staging["staging-e"].one("aws_lb")["enable_deletion_protection"] is False
    assert not staging["staging-e"].all("aws_s3_bucket")


def test_a_shell_in_a_task_needs_folders_that_its_agent_may_write_to(staging: Any) -> None:
    stack = staging["staging-e"]
    assert stack.one("aws_ecs_service")["enable_execute_command"] is True
    volumes = {volume["name"] for volume in stack.one("aws_ecs_task_definition")["volume"]}
    mounted = {
        mount["containerPath"]: mount["sourceVolume"]
        for mount in stack.container()["mountPoints"]
        if mount["readOnly"] is False
    }
    assert set(mounted) == {"/var/lib/amazon", "/var/log/amazon"}
    assert set(mounted.values()) == volumes
    assert stack.container()["readonlyRootFilesystem"] is True


def test_staging_runs_on_spot(staging: Any) -> None:
    service = staging["staging-e"].one("aws_ecs_service")
    assert service["capacity_provider_strategy"] == [
        {"capacity_provider": "FARGATE_SPOT", "weight": 100}
    ]


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


def test_what_is_called_after_a_long_name_is_no_longer_than_aws_takes(synthesised: Any) -> None:
    longest = "n" * 255
    stack = synthesised(f'{MINIMAL}service = "{longest}"\ncontainer = "{longest}"\n[database]\n')[
        "tiny-e"
    ]
    names = [
        *(policy["name"] for policy in stack.all("aws_appautoscaling_policy")),
        *(container["name"] for container in stack.containers()),
    ]
    assert len({*names}) == len(names)
    assert {len(name) for name in names} == {255}


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


@pytest.mark.parametrize(
    ("path", "patterns"),
    [
        ("/api2", ["/api2", "/api2/*"]),
        ("/api2/", ["/api2/", "/api2/*"]),
        ("/", ["/", "/*"]),
        ("/api?", ["/api?"]),
        ("/jobs/*", ["/jobs/*"]),
    ],
)
def test_a_path_without_wildcards_is_it_and_all_below(
    synthesised: Any, path: str, patterns: list[str]
) -> None:
    stack = synthesised(f'{MINIMAL}path = "{path}"\n')["tiny-e"]
    (condition,) = stack.one("aws_lb_listener_rule")["condition"]
    assert condition["path_pattern"]["values"] == patterns


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


def test_a_push_is_deployed_where_ecs_is_busy_and_not_where_there_is_no_service(seed: Any) -> None:
    machine = json.loads(seed["prod-e"].one("aws_sfn_state_machine")["definition"])
    update = machine["States"]["UpdateService"]
    none, others = update["Retry"]
    assert (none["MaxAttempts"], others["ErrorEquals"]) == (0, ["States.ALL"])
    assert others["MaxAttempts"] > 0
    (caught,) = update["Catch"]
    assert caught["ErrorEquals"] == none["ErrorEquals"]
    assert "Ecs.ServiceNotFoundException" in none["ErrorEquals"]
    assert machine["States"][caught["Next"]]["Type"] == "Succeed"


@pytest.mark.parametrize("tag", ["content", "v1.2.3"])
def test_a_pinned_tag_is_not_redeployed_on_push(synthesised: Any, tag: str) -> None:
    stack = synthesised(MINIMAL + f'image_tag = "{tag}"\n')["tiny-e"]
    assert not stack.all("aws_sfn_state_machine")
    expected = r"content-[0-9a-f]{16}" if tag == "content" else re.escape(tag)
    assert re.search(rf"/tiny-e-backend:{expected}$", stack.container()["image"])


@pytest.mark.parametrize(
    ("given", "secret"),
    [
        ("${aws_secretsmanager_secret.db.arn}", "${aws_secretsmanager_secret.db.arn}"),
        ("${aws_secretsmanager_secret.db.arn}:password::", "${aws_secretsmanager_secret.db.arn}"),
        (
            "arn:aws:secretsmanager:us-west-2:111122223333:secret:key-AbCdEf:password::",
            "arn:aws:secretsmanager:us-west-2:111122223333:secret:key-AbCdEf",
        ),
        (
            "arn:aws:ssm:us-west-2:111122223333:parameter/app/key",
            "arn:aws:ssm:us-west-2:111122223333:parameter/app/key",
        ),
    ],
)
def test_the_right_to_read_a_key_of_a_secret_is_that_to_the_secret(given: str, secret: str) -> None:
    assert _without_key(given) == secret
