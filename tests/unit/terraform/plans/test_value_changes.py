"""What a plan shows of the values that it changes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.context import Context
from prod_e_ops.project.project import Project, Stack
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.render import show_plans
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terminal.terminal import Terminal
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from prod_e_ops.terraform.plans.value_changes import value_changes


def shown(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    **more: Any,
) -> list[str]:
    change = {"actions": ["update"], "before": before, "after": after, **more}
    return [str(value) for value in value_changes(change)]


def container(**values: Any) -> dict[str, str]:
    definition = {"name": "backend", "cpu": 0, "environment": [], **values}
    return {"container_definitions": json.dumps([definition])}


def variables(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def test_numbers_and_text_are_shown_before_and_after() -> None:
    assert shown({"cpu": "256", "memory": 512}, {"cpu": "512", "memory": 1024}) == [
        "cpu 256 -> 512",
        "memory 512 -> 1024",
    ]


def test_a_container_definition_is_compared_by_its_content() -> None:
    before = container(environment=variables(NODE_ENV="production", LOG_LEVEL="info"), image="a:1")
    after = container(environment=variables(NODE_ENV="production", PORT="80"), image="a:2")
    assert shown(before, after) == ["- LOG_LEVEL", "+ PORT=80", "image a:1 -> a:2"]


def test_json_that_is_only_written_otherwise_is_no_change() -> None:
    policy = {"Version": "2012-10-17", "Statement": []}
    assert shown({"policy": json.dumps(policy)}, {"policy": json.dumps(policy, indent=2)}) == []


def test_text_that_becomes_a_table_is_shown_whole() -> None:
    def policy(principal: object) -> dict[str, str]:
        return {"policy": json.dumps({"Statement": [{"Effect": "Allow", "Principal": principal}]})}

    assert shown(policy("*"), policy({"AWS": "*"})) == [
        'policy.Statement.Principal * -> {"AWS": "*"}'
    ]
    assert shown(policy({"AWS": "a"}), policy({"AWS": ["a", "b"]})) == [
        'policy.Statement.Principal.AWS a -> ["a", "b"]'
    ]


def test_each_of_several_containers_is_named() -> None:
    def two(cpu: int) -> dict[str, str]:
        return {
            "container_definitions": json.dumps(
                [{"name": "backend", "cpu": cpu}, {"name": "proxy", "cpu": 0}]
            )
        }

    assert shown(two(1), two(2)) == ["container_definitions.backend.cpu 1 -> 2"]


def test_a_block_is_shown_by_what_changes_in_it() -> None:
    def breaker(enable: bool) -> dict[str, Any]:
        return {"deployment_circuit_breaker": [{"enable": enable, "rollback": True}]}

    assert shown(breaker(False), breaker(True)) == [
        "deployment_circuit_breaker.enable false -> true"
    ]


def test_lists_show_what_comes_and_what_goes() -> None:
    assert shown({"subnets": ["a", "b"]}, {"subnets": ["b", "c"]}) == [
        "subnets a -> (removed)",
        "+ subnets=c",
    ]
    assert shown({"subnets": ["a", "b"]}, {"subnets": ["b", "a"]}) == [
        'subnets order ["a", "b"] -> ["b", "a"]'
    ]


@pytest.mark.parametrize("side", ["before_sensitive", "after_sensitive"])
def test_a_sensitive_value_is_never_shown(side: str) -> None:
    lines = shown({"password": "hunter2"}, {"password": "hunter3"}, **{side: {"password": True}})
    assert lines == ["password (sensitive) -> (sensitive)"]


def test_a_list_without_a_sensitive_value_is_shown() -> None:
    marks = {"before_sensitive": {"names": [False]}, "after_sensitive": {"names": [False, False]}}
    assert shown({"names": ["a"]}, {"names": ["a", "b"]}, **marks) == ["+ names=b"]
    marks["after_sensitive"]["names"][1] = True
    assert shown({"names": ["a"]}, {"names": ["a", "b"]}, **marks) == [
        "names (sensitive) -> (sensitive)"
    ]


def test_a_replacement_tells_no_computed_values_and_what_forces_it() -> None:
    change = {
        "actions": ["delete", "create"],
        "before": {"name": "a", "arn": "arn:a", "size": 1},
        "after": {"name": "b", "size": 2},
        "replace_paths": [["name"]],
        "after_unknown": {"arn": True},
    }
    values = list(value_changes(change))
    assert [value.forces_replacement for value in values] == [True, False]
    assert [str(value) for value in values] == ["name a -> b", "size 1 -> 2"]


def test_a_value_known_later_is_told_as_that() -> None:
    assert shown({"task_definition": "task:1"}, {}, after_unknown={"task_definition": True}) == [
        "task_definition task:1 -> (known after apply)"
    ]


def test_default_tags_are_told_once() -> None:
    tags = {"tags": {"A": "2"}, "tags_all": {"A": "2"}}
    assert shown({"tags": {"A": "1"}, "tags_all": {"A": "1"}}, tags) == ["tags.A 1 -> 2"]


def test_what_is_long_is_cut_and_control_characters_are_shown_as_their_codes() -> None:
    (line,) = shown({"description": "a\x1b[2J"}, {"description": "b" * 100})
    assert line == rf"description a\x1b[2J -> {'b' * 59}…"


def test_a_plan_shows_values_and_a_task_definition_as_a_new_revision(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = {
        "address": "aws_ecs_task_definition.backend",
        "type": "aws_ecs_task_definition",
        "change": {
            "actions": ["create", "delete"],
            "before": {"cpu": "256", **container()},
            "after": {"cpu": "512", **container(environment=variables(LOG_LEVEL="debug"))},
            "replace_paths": [["container_definitions"], ["cpu"]],
        },
    }
    stack = Stack("app", tmp_path)
    stack.json_file.write_text('{"terraform": {}}')
    plan = StackPlan(stack=stack, summary=PlanSummary.of({"resource_changes": [task]}))
    terminal = Terminal()
    context = Context(
        project=Project(tmp_path, tmp_path),
        terminal=terminal,
        processes=ChildProcesses(terminal.say),
    )
    show_plans(context, [plan], saved_by=None)
    assert capsys.readouterr().out.splitlines() == [
        "",
        "app  1 in a new revision",
        "  ~ aws_ecs_task_definition.backend: a new revision",
        "    + LOG_LEVEL=debug, cpu 256 -> 512",
    ]
