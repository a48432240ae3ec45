"""No secret is in the JSON, and whatever stores data encrypts it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest

EVERYTHING = """
name = "all-e"
[services.backend]
execute_command = true
database = true
[services.worker]
source = "backend"
path = "/worker/*"
image_tag = "content"
database = true
[database]
instance_class = "db.t4g.large"
[load_balancer]
waf = true
domain_name = "api.example.com"
hosted_zone_id = "Z0123"
[monitoring]
alarm_emails = ["one@example.com"]
[network]
egress = "endpoints"
[delivery]
github_repository = "us/app"
[state]
kind = "s3"
bucket = "our-state"
"""
"""Every option that adds resources, NAT gateways apart, which the seed has."""

Json = dict[str, Any]


@pytest.fixture(scope="module")
def every_stack(seed: Any, staging: Any, synthesised: Any) -> list[Any]:
    return [*seed.values(), *staging.values(), *synthesised(EVERYTHING).values()]


# --- Secrets --------------------------------------------------------------------------------------

SECRET_KEY = re.compile(
    r"(^|[_-])(pass(word|wd)?|pwd|pat|secret|token|(api|access|private|secret)[_-]?key)$"
    r"|^(database|redis|amqp)_url$",
    re.IGNORECASE,
)
SECRET_VALUE = re.compile(
    r"AKIA[0-9A-Z]{16}|BEGIN [A-Z ]*PRIVATE KEY|gh[pousr]_[A-Za-z0-9]{30}|://[^/\s:@]+:[^/\s@]+@"
)
ONLY_SECRETS_IN_TERRAFORM = {
    # ECR's token of twelve hours, which the docker provider logs in with.
    "${data.aws_ecr_authorization_token.token.password}"
}


def secrets_in(value: object, key: str = "") -> Iterator[str]:
    """Where a value holds a secret: under a key that is named for one, or by its looks."""
    if isinstance(value, dict):
        # A variable of a container, or a parameter of a database, is one key and its value.
        pairs = {value["name"]: value["value"]} if set(value) == {"name", "value"} else value
        for each, below in pairs.items():
            yield from secrets_in(below, each)
    elif isinstance(value, list):
        for below in value:
            yield from secrets_in(below, key)
    elif isinstance(value, str) and value.startswith(("[", "{")) and key != "pattern":
        # Policies and container definitions are JSON within the JSON; patterns of logs are not.
        yield from secrets_in(json.loads(value))
    elif isinstance(value, str) and value not in ONLY_SECRETS_IN_TERRAFORM:
        looks_secret = SECRET_KEY.search(key) or SECRET_VALUE.search(value)
        yield from [f"{key} = {value}"] if looks_secret else []


def test_no_secret_is_in_the_json(every_stack: list[Any]) -> None:
    for stack in every_stack:
        assert list(secrets_in(stack.values)) == []


def _into_the_container(name: str, value: str) -> Callable[[Json], None]:
    def plant(stack: Json) -> None:
        (definition,) = stack["resource"]["aws_ecs_task_definition"].values()
        containers = json.loads(definition["container_definitions"])
        containers[-1]["environment"].append({"name": name, "value": value})
        definition["container_definitions"] = json.dumps(containers)

    return plant


def _as_the_master_password(stack: Json) -> None:
    (database,) = stack["resource"]["aws_db_instance"].values()
    database["password"] = "hunter2"


def _as_an_output(stack: Json) -> None:
    stack["output"]["login"] = {"value": "postgres://admin:hunter2@db.example.com/app"}


@pytest.mark.parametrize(
    "plant",
    [
        _into_the_container("DB_PASSWORD", "hunter2"),
        _into_the_container("DB_PASS", "hunter2"),
        _into_the_container("GITHUB_PAT", "hunter2"),
        _into_the_container("DATABASE_URL", "${aws_db_instance.x.address}/app"),
        _into_the_container("UPSTREAM", "https://user:hunter2@example.com"),
        _into_the_container("WHO", "AKIAABCDEFGHIJKLMNOP"),
        _as_the_master_password,
        _as_an_output,
    ],
)
def test_a_secret_that_got_into_the_json_would_be_found(
    plant: Callable[[Json], None], seed: Any
) -> None:
    stack = deepcopy(dict(seed["prod-e"].values))
    plant(stack)
    assert len(list(secrets_in(stack))) == 1


# --- Encryption at rest ---------------------------------------------------------------------------

STORES_NOTHING = {
    "aws_acm_certificate", "aws_acm_certificate_validation", "aws_appautoscaling_policy",
    "aws_appautoscaling_target", "aws_cloudwatch_dashboard", "aws_cloudwatch_event_rule",
    "aws_cloudwatch_event_target", "aws_cloudwatch_log_metric_filter",
    "aws_cloudwatch_metric_alarm", "aws_cloudwatch_query_definition",
    "aws_db_parameter_group", "aws_db_subnet_group", "aws_default_security_group",
    "aws_ecr_lifecycle_policy", "aws_ecs_cluster", "aws_ecs_cluster_capacity_providers",
    "aws_ecs_service", "aws_ecs_task_definition", "aws_eip", "aws_flow_log",
    "aws_iam_openid_connect_provider", "aws_iam_role", "aws_iam_role_policy",
    "aws_internet_gateway", "aws_kms_alias", "aws_kms_key", "aws_lb", "aws_lb_listener",
    "aws_lb_listener_rule", "aws_lb_target_group", "aws_nat_gateway", "aws_route",
    "aws_route53_record", "aws_route_table", "aws_route_table_association",
    "aws_s3_bucket_lifecycle_configuration", "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration", "aws_s3_bucket_versioning",
    "aws_security_group", "aws_sfn_state_machine", "aws_sns_topic_policy",
    "aws_sns_topic_subscription", "aws_subnet", "aws_vpc", "aws_vpc_endpoint",
    "aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule",
    "aws_wafv2_web_acl", "aws_wafv2_web_acl_association", "docker_image", "docker_registry_image",
    "docker_tag",
}  # fmt: skip
"""Settings and connections; what tasks keep while they run is in Fargate's own encrypted storage:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html"""


def _bucket_is_encrypted(stack: Any, name: str, _: Json) -> bool:
    rules = [
        rule["apply_server_side_encryption_by_default"]["sse_algorithm"]
        for settings in stack.all("aws_s3_bucket_server_side_encryption_configuration")
        if settings["bucket"] == f"${{aws_s3_bucket.{name}.bucket}}"
        or settings["bucket"] == f"${{aws_s3_bucket.{name}.id}}"
        for rule in settings["rule"]
    ]
    return len(rules) == 1 and rules[0] in ("AES256", "aws:kms")


STORES: Mapping[str, Callable[[Any, str, Json], bool]] = {
    "aws_db_instance": lambda _, __, resource: resource["storage_encrypted"] is True,
    "aws_ecr_repository": lambda _, __, resource: all(
        each["encryption_type"] in ("AES256", "KMS")
        for each in resource["encryption_configuration"]
    ),
    "aws_s3_bucket": _bucket_is_encrypted,
    # CloudWatch Logs encrypts every log group, which nobody can switch off:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    "aws_cloudwatch_log_group": lambda *_: True,
    # With the account's own key for it, unless another is given:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    "aws_secretsmanager_secret": lambda *_: True,
    "aws_sns_topic": lambda _, __, resource: "kms_master_key_id" in resource,
}
"""What stores data, and how its encryption shows."""


def unencrypted(stack: Any) -> list[str]:
    """The addresses of the stores that do not encrypt, and of resources of an unknown type."""
    return [
        f"{type_name}.{name}"
        for type_name, resources in stack.values.get("resource", {}).items()
        for name, resource in resources.items()
        if type_name not in STORES_NOTHING
        and not (type_name in STORES and STORES[type_name](stack, name, resource))
    ]


def test_every_store_is_encrypted(every_stack: list[Any]) -> None:
    for stack in every_stack:
        assert unencrypted(stack) == []


def test_every_kind_of_resource_is_looked_at(every_stack: list[Any]) -> None:
    made = {type_name for stack in every_stack for type_name in stack.values.get("resource", {})}
    assert set(STORES) <= made
    assert not set(STORES) & STORES_NOTHING


@pytest.mark.parametrize(
    "type_name",
    ["aws_db_instance", "aws_ecr_repository", "aws_s3_bucket", "aws_sns_topic"],
)
def test_a_store_without_encryption_would_be_found(type_name: str, seed: Any) -> None:
    (stack,) = (each for each in seed.values() if each.all(type_name))
    changed = deepcopy(stack)
    changed.values["resource"].pop("aws_s3_bucket_server_side_encryption_configuration", None)
    for resource in changed.all("aws_db_instance"):
        resource["storage_encrypted"] = False
    for resource in changed.all("aws_ecr_repository"):
        resource["encryption_configuration"] = [{"encryption_type": "NONE"}]
    for resource in changed.all("aws_sns_topic"):
        del resource["kms_master_key_id"]
    (found,) = {address.partition(".")[0] for address in unencrypted(changed)} & {type_name}
    assert found == type_name


def test_a_kind_of_resource_that_nobody_has_looked_at_would_be_found(seed: Any) -> None:
    changed = deepcopy(seed["prod-e"])
    changed.values["resource"]["aws_dynamodb_table"] = {"notes": {"name": "notes"}}
    assert unencrypted(changed) == ["aws_dynamodb_table.notes"]


def test_terraforms_state_in_a_bucket_is_encrypted(synthesised: Any) -> None:
    for stack in synthesised(EVERYTHING).values():
        assert stack.values["terraform"]["backend"]["s3"]["encrypt"] is True
