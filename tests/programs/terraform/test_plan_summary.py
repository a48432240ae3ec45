"""What a plan does is read right from the JSON of real plans."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.results import StackPlanResult
from prod_e_ops.terminal.json_output import to_json
from prod_e_ops.terraform.plans.plan_changes import (
    NETWORK_TYPES,
    STATEFUL_TYPES,
    Change,
    PlanSummary,
)
from prod_e_ops.terraform.states.unfinished import keep_unfinished_here
from tests.support.project.project_folder import PROJECT
from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform

SNAPSHOTS = PROJECT / "tests" / "synthesis" / "snapshots"


@pytest.fixture
def terraform(tmp_path: Path) -> TerraformFolder:
    return TerraformFolder(tmp_path)


def resource_change(*actions: str, type_name: str = "aws_db_instance", **more: Any) -> Any:
    """An entry of a plan's `resource_changes`, as `terraform show -json` writes it."""
    values = {"name": "before"}
    change: dict[str, Any] = {
        "actions": list(actions),
        "before": None if actions == ("create",) else values,
        "after": None if actions in {("delete",), ("forget",)} else {"name": "after"},
        "after_unknown": {},
        "before_sensitive": {},
        "after_sensitive": {},
    }
    return {
        "address": f"{type_name}.it",
        "mode": "managed",
        "type": type_name,
        "name": "it",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": change,
        **more,
    }


def summary_of(*changes: Any) -> PlanSummary:
    return PlanSummary.of({"format_version": "1.2", "resource_changes": list(changes)})


@needs_terraform
def test_a_first_plan_creates_everything(terraform: TerraformFolder) -> None:
    terraform.write(
        resource={"terraform_data": {"a": {"input": 1}, "b": {"count": 2}}},
        output={"url": {"value": "${terraform_data.a.output}"}},
    )
    summary = terraform.plan()
    assert [change.address for change in summary.created] == [
        "terraform_data.a",
        "terraform_data.b[0]",
        "terraform_data.b[1]",
    ]
    assert summary.counts == "3 to create"
    assert summary.outputs == ("url",)
    assert summary.change_count == 3
    assert not summary.is_empty


@needs_terraform
def test_every_fate_is_told_apart(terraform: TerraformFolder) -> None:
    terraform.write_resources(
        changed={"input": "a"},
        replaced={"triggers_replace": ["a"]},
        swapped={"triggers_replace": "a", "lifecycle": {"create_before_destroy": True}},
        kept={"input": "a"},
        destroyed={"input": "a"},
    )
    terraform.apply()
    terraform.write_resources(
        changed={"input": "b"},
        replaced={"triggers_replace": ["b"]},
        swapped={"triggers_replace": "b", "lifecycle": {"create_before_destroy": True}},
        kept={"input": "a"},
        created={"input": "a"},
    )
    summary = terraform.plan()

    def shown(changes: Sequence[Change]) -> dict[str, list[str]]:
        return {
            change.address.removeprefix("terraform_data."): [
                f"{value}{' (forces replacement)' if value.forces_replacement else ''}"
                for value in change.values
            ]
            for change in changes
        }

    assert shown(summary.created) == {"created": []}
    assert shown(summary.changed) == {
        "changed": ["input a -> b", "output a -> (known after apply)"]
    }
    assert shown(summary.replaced) == {
        "replaced": ["triggers_replace a -> b (forces replacement)"],
        "swapped": ["triggers_replace a -> b (forces replacement)"],
    }
    assert shown(summary.destroyed) == {"destroyed": []}
    assert summary.counts == "1 to create, 1 to change, 2 to replace, 1 to destroy"
    assert summary.change_count == 7


@needs_terraform
def test_a_second_plan_is_empty(terraform: TerraformFolder) -> None:
    terraform.write_resources(a={"input": "a"})
    terraform.apply()
    summary = terraform.plan()
    assert summary == PlanSummary()
    assert summary.is_empty
    assert summary.counts == "no changes"
    assert summary.change_count == 0


@needs_terraform
def test_a_plan_that_changes_outputs_only_is_not_empty(terraform: TerraformFolder) -> None:
    terraform.write(output={"old": {"value": 1}, "kept": {"value": 1}})
    terraform.apply()
    terraform.write(output={"new": {"value": 1}, "kept": {"value": 1}})
    summary = terraform.plan()
    assert summary.outputs == ("new", "old")
    assert summary.counts == "2 outputs to change"
    assert not summary.is_empty


@needs_terraform
def test_a_plan_to_destroy_destroys_everything(terraform: TerraformFolder) -> None:
    terraform.write_resources(a={"input": "a"}, b={"input": "a"})
    terraform.apply()
    assert terraform.plan(destroy=True).counts == "2 to destroy"


@needs_terraform
def test_what_changes_the_state_alone_is_not_passed_over(terraform: TerraformFolder) -> None:
    terraform.write_resources(old={"input": "a"}, left={"input": "a"})
    terraform.apply()
    terraform.write(
        resource={"terraform_data": {"new": {"input": "a"}, "found": {"input": "b"}}},
        moved=[{"from": "terraform_data.old", "to": "terraform_data.new"}],
        removed=[{"from": "terraform_data.left", "lifecycle": {"destroy": False}}],
        **{"import": [{"to": "terraform_data.found", "id": "some-id"}]},
    )
    summary = terraform.plan()
    assert [change.address for change in summary.moved] == ["terraform_data.new"]
    assert [change.address for change in summary.forgotten] == ["terraform_data.left"]
    assert [change.address for change in summary.imported] == ["terraform_data.found"]
    assert not summary.destroyed
    assert not summary.created
    assert "1 to import, 1 to move, 1 to forget" in summary.counts


@needs_terraform
def test_a_move_alone_is_worth_a_deployment(terraform: TerraformFolder) -> None:
    terraform.write_resources(old={"input": "a"})
    terraform.apply()
    terraform.write(
        resource={"terraform_data": {"new": {"input": "a"}}},
        moved=[{"from": "terraform_data.old", "to": "terraform_data.new"}],
    )
    summary = terraform.plan()
    assert not summary.is_empty
    assert summary.counts == "1 to move"
    assert summary.change_count == 0


@needs_terraform
def test_whether_there_is_anything_to_do_is_known_without_reading_a_plan(
    terraform: TerraformFolder,
) -> None:
    terraform.write_resources(a={"input": "a"})
    assert terraform.has_changes()
    terraform.apply()
    assert not terraform.has_changes()
    terraform.write(
        resource={"terraform_data": {"a": {"input": "a"}}},
        output={"url": {"value": "${terraform_data.a.output}"}},
    )
    assert terraform.has_changes()


@needs_terraform
def test_a_resource_that_was_left_unfinished_is_replaced_for_that_reason(
    terraform: TerraformFolder,
) -> None:
    terraform.write_resources(a={"input": "a"})
    terraform.apply()
    state_file = terraform.stack.folder / "terraform.tfstate"
    state = json.loads(state_file.read_text())
    state["resources"][0]["instances"][0]["status"] = "tainted"
    state["serial"] += 1
    state_file.write_text(json.dumps(state))
    (replaced,) = terraform.plan().replaced
    assert replaced.reason == "it was left unfinished"
    assert replaced.changed_keys == ()
    assert keep_unfinished_here(terraform.stack, ["terraform_data.a"])
    assert terraform.plan().is_empty


@needs_terraform
def test_the_plan_and_its_json_lie_in_the_stacks_folder(terraform: TerraformFolder) -> None:
    terraform.write_resources(a={"input": "a"})
    summary = terraform.plan()
    plan = json.loads((terraform.stack.folder / "prod-e.tfplan.json").read_text())
    assert PlanSummary.of(plan) == summary
    assert (terraform.stack.folder / "prod-e.tfplan").stat().st_size > 0


@pytest.mark.parametrize("type_name", sorted(STATEFUL_TYPES | NETWORK_TYPES))
@pytest.mark.parametrize(
    "actions", [("delete",), ("delete", "create"), ("create", "delete")], ids="-".join
)
def test_destroying_or_replacing_what_holds_data_loses_it(
    type_name: str, actions: tuple[str, ...]
) -> None:
    summary = summary_of(resource_change(*actions, type_name=type_name))
    assert [change.address for change in summary.loses_data] == [f"{type_name}.it"]


@pytest.mark.parametrize("actions", [("create",), ("update",), ("no-op",), ("forget",)], ids=str)
def test_what_keeps_a_database_loses_nothing(actions: tuple[str, ...]) -> None:
    assert not summary_of(resource_change(*actions)).loses_data


def test_a_log_group_that_was_left_unfinished_has_nothing_to_lose_and_a_database_may_have() -> None:
    replaced = [
        resource_change("delete", "create", type_name=name, action_reason="replace_because_tainted")
        for name in ("aws_cloudwatch_log_group", "aws_db_instance")
    ]
    (lost,) = summary_of(*replaced).loses_data
    assert lost.type == "aws_db_instance"
    assert lost.is_unfinished


def test_replacing_what_holds_no_data_loses_none() -> None:
    summary = summary_of(
        resource_change("delete", "create", type_name="aws_ecs_task_definition"),
        resource_change("delete", type_name="aws_lb_listener_rule"),
    )
    assert summary.counts == "1 in a new revision, 1 to destroy"
    assert not summary.loses_data


def test_every_store_of_the_synthesised_stacks_counts_as_one() -> None:
    """A kind of resource that keeps data must not come into the stacks unnoticed."""
    stores = {
        type_name
        for file in SNAPSHOTS.glob("*.json")
        for type_name in json.loads(file.read_text()).get("resource", {})
        if type_name.startswith(("aws_db_i", "aws_rds_c", "aws_efs_f", "aws_dynamodb_t"))
        or type_name in {"aws_s3_bucket", "aws_ecr_repository", "aws_cloudwatch_log_group"}
    }
    assert len(stores) >= 4
    assert stores <= STATEFUL_TYPES


def test_reading_data_sources_is_not_a_change() -> None:
    data = resource_change("read", type_name="aws_ecr_authorization_token", mode="data")
    assert summary_of(data).is_empty


def test_a_value_that_is_known_only_afterwards_counts_as_changed() -> None:
    known_later = resource_change("update", type_name="aws_lb")
    del known_later["change"]["after"]["name"]
    known_later["change"]["after_unknown"] = {"name": True}
    (change,) = summary_of(known_later).changed
    assert change.changed_keys == ("name",)


def test_the_plan_for_machines_has_every_address_once(tmp_path: Path) -> None:
    summary = summary_of(resource_change("create"), resource_change("delete", type_name="aws_lb"))
    stack = Stack("app", tmp_path)
    stack.json_file.write_text('{"terraform": {}}')
    result = StackPlanResult.of(StackPlan(stack=stack, summary=summary))
    assert json.loads(to_json(result)) == {
        "stack": "app",
        "created": ["aws_db_instance.it"],
        "changed": [],
        "replaced": [],
        "destroyed": ["aws_lb.it"],
        "imported": [],
        "moved": [],
        "forgotten": [],
        "outputs": [],
        "notes": [],
        "plan_file": str(tmp_path / "prod-e.tfplan"),
        "plan_json_file": str(tmp_path / "prod-e.tfplan.json"),
        "images": [],
    }
