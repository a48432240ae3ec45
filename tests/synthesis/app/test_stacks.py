"""An environment's stacks: names, providers, state, account."""

import re
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.stacks.take_over.kind_table import (
    EGRESS_RULE,
    INGRESS_RULE,
    KINDS,
    LISTENER,
    LISTENER_RULE,
)
from prod_e_ops.stacks.take_over.matching import FOUND, WRITTEN_ANEW
from tests.support.project.variants import VARIANTS, filled_in
from tests.support.synthesised import MINIMAL


def test_the_seed_has_three_stacks(seed: Any) -> None:
    assert set(seed) == {"prod-e-registry", "prod-e-image", "prod-e"}


def test_the_seed_names_never_change(seed: Any) -> None:
    stack = seed["prod-e"]
    assert seed["prod-e-registry"].one("aws_ecr_repository")["name"] == "prod-e-backend"
    assert stack.one("aws_ecs_cluster")["name"] == "prod-e-cluster"
    assert stack.one("aws_ecs_task_definition")["family"] == "prod-e-task"
    assert stack.one("aws_ecs_service")["name"] == "prod-e-service"
    assert stack.container()["name"] == "prod-e-container"
    assert stack.one("aws_cloudwatch_log_group", name="/ecs/prod-e-task")
    assert stack.one("aws_lb")["name"] == "prod-e-alb"
    assert stack.values["provider"]["aws"][0]["region"] == "us-west-2"
    task = stack.one("aws_ecs_task_definition")
    assert (task["cpu"], task["memory"]) == ("256", "512")
    assert stack.container()["portMappings"] == [
        {"containerPort": 3000, "hostPort": 3000, "protocol": "tcp"}
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


def test_credentials_of_another_account_are_refused(synthesised: Any) -> None:
    stacks = synthesised('account = "111122223333"\n' + MINIMAL)
    for stack in stacks.values():
        assert stack.values["provider"]["aws"][0]["allowed_account_ids"] == ["111122223333"]


def test_everything_made_has_the_name_of_its_environment(seed: Any, synthesised: Any) -> None:
    for name, stacks in {"prod-e": seed, "tiny-e": synthesised(MINIMAL)}.items():
        for stack in stacks.values():
            (provider,) = stack.values["provider"]["aws"]
            assert provider["default_tags"][0]["tags"]["prod-e:environment"] == name


FOUND_OTHERWISE = {LISTENER, LISTENER_RULE, INGRESS_RULE, EGRESS_RULE, "aws_acm_certificate"}
"""By what they are a part of; a certificate not at all."""


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda path: path.stem)
def test_what_is_found_by_its_name_tag_is_the_only_one_of_its_type_with_it(
    synthesised: Any, variant: Path
) -> None:
    by_tag = {kind.type for kind in KINDS if not kind.named_by} - FOUND_OTHERWISE
    for stack in synthesised(filled_in(variant)).values():
        for type in by_tag:
            resources = stack.values.get("resource", {}).get(type, {}).values()
            names = [resource["tags"]["Name"] for resource in resources]
            assert len(names) == len(set(names)), type


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda path: path.stem)
def test_of_each_type_it_is_known_how_it_is_found_where_an_answer_of_aws_was_lost(
    synthesised: Any, variant: Path
) -> None:
    for stack in synthesised(filled_in(variant)).values():
        assert set(stack.values.get("resource", {})) <= FOUND | WRITTEN_ANEW
    assert not FOUND & WRITTEN_ANEW


def test_a_subnet_has_as_many_tags_as_aws_takes_and_no_more(synthesised: Any) -> None:
    given = "\n".join(f'T{number} = "a"' for number in range(47))
    stack = synthesised(f"{MINIMAL}[tags]\n{given}\n")["tiny-e"]
    (default,) = stack.values["provider"]["aws"][0]["default_tags"]
    most = max(
        len({*default["tags"], *resource.get("tags", {})})
        for resources in stack.values["resource"].values()
        for resource in resources.values()
    )
    assert most == 50


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
