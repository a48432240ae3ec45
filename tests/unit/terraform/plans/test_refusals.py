"""What is refused before anything is changed, and what is let through."""

import re
from pathlib import Path

import pytest

from prod_e.settings import Environment, load_environments
from prod_e_ops.errors import DestroyRefused, PlanRefused, StackNotDeployable
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.stacks.refusals import (
    expected_refusals,
    refuse_data_loss,
    refuse_more_than_create,
    refuse_protected,
    refuse_skipped,
)
from prod_e_ops.terraform.plans.plan_changes import Change, PlanSummary

SUBNET = Change("aws_subnet.private_1", "aws_subnet")
DATABASE = Change("aws_db_instance.database", "aws_db_instance")
ROLE = Change("aws_iam_role.task", "aws_iam_role")
STACK = Stack("tiny-e-registry", Path("stack"))


def plan(**changes: tuple[Change, ...]) -> StackPlan:
    return StackPlan(stack=STACK, summary=PlanSummary(**changes))  # type: ignore[arg-type]


def environment(folder: Path, settings: str) -> Environment:
    (folder / "tiny-e.toml").write_text(f'name = "tiny-e"\n[services.backend]\n{settings}')
    (loaded,) = load_environments(folder)
    return loaded


@pytest.mark.parametrize("action", ["replaced", "destroyed"])
@pytest.mark.parametrize("lost", [DATABASE, SUBNET], ids=lambda change: change.type)
def test_a_plan_that_loses_data_or_the_network_is_refused_by_address(
    action: str, lost: Change
) -> None:
    plans = [plan(created=(ROLE,)), plan(**{action: (ROLE, lost)})]
    with pytest.raises(PlanRefused) as refused:
        refuse_data_loss(plans, environment="tiny-e", left="Nothing was changed.")
    assert refused.value.details == (lost.address, "Nothing was changed.")
    assert str(refused.value.next_step).startswith(
        "Take back the setting that asks for it. To lose"
    )


def test_what_may_be_lost_is_named_by_address_and_nothing_else_is_lost() -> None:
    group = Change("aws_cloudwatch_log_group.api", "aws_cloudwatch_log_group")
    plans = [plan(destroyed=(DATABASE, group))]
    with pytest.raises(PlanRefused) as refused:
        refuse_data_loss(plans, environment="tiny-e", left="", may_lose=[group.address])
    assert refused.value.details[0] == DATABASE.address
    allowed = re.findall(r"--allow-data-loss=(\S+)", str(refused.value.next_step))
    assert allowed == [group.address, DATABASE.address]
    refuse_data_loss(plans, environment="tiny-e", left="", may_lose=allowed)


def test_a_plan_tells_all_that_its_deployment_is_refused_for() -> None:
    skipped = [SkippedStack(stack=STACK, reason="no Docker daemon answers")]
    told = expected_refusals([plan(destroyed=(DATABASE,))], skipped, environment="tiny-e")
    assert [type(error) for error in told] == [StackNotDeployable, PlanRefused]
    assert told[1].details == (DATABASE.address, "Nothing was changed.")
    assert expected_refusals([plan(destroyed=(ROLE,))], [], environment="tiny-e") == []


def test_what_holds_data_and_was_left_unfinished_is_told_with_the_way_to_keep_it() -> None:
    unfinished = Change(DATABASE.address, DATABASE.type, reason="it was left unfinished")
    with pytest.raises(PlanRefused) as refused:
        refuse_data_loss(
            [plan(replaced=(unfinished,))], environment="tiny-e", left="Nothing was changed."
        )
    assert refused.value.details[0] == "aws_db_instance.database (it was left unfinished)"
    assert "deploy tiny-e --take-over." in str(refused.value.next_step)


def test_a_plan_that_keeps_all_data_is_let_through() -> None:
    refuse_data_loss(
        [plan(created=(DATABASE,), changed=(DATABASE,), destroyed=(ROLE,))],
        environment="tiny-e",
        left="",
    )


@pytest.mark.parametrize("action", ["changed", "replaced", "destroyed"])
def test_what_is_not_asked_about_may_only_create(action: str) -> None:
    refuse_more_than_create(plan(created=(DATABASE, ROLE)), environment="tiny-e")
    with pytest.raises(PlanRefused) as refused:
        refuse_more_than_create(
            plan(created=(DATABASE,), **{action: (ROLE,)}), environment="tiny-e"
        )
    assert refused.value.details == (ROLE.address, "Nothing was changed.")
    assert "deploy tiny-e" in str(refused.value.next_step)


def test_a_skipped_stack_is_refused_with_its_reason() -> None:
    refuse_skipped([])
    with pytest.raises(StackNotDeployable, match="no Docker daemon answers") as refused:
        refuse_skipped([SkippedStack(stack=STACK, reason="no Docker daemon answers")])
    assert 'build = "external"' in str(refused.value.next_step)


@pytest.mark.parametrize(
    ("protects", "named"),
    [
        ("[database]\n[load_balancer]\ndeletion_protection = false\n", "[database]"),
        ("[load_balancer]\ndeletion_protection = true\n", "[load_balancer]"),
    ],
)
def test_a_protected_environment_is_not_destroyed(
    tmp_path: Path, protects: str, named: str
) -> None:
    with pytest.raises(DestroyRefused) as refused:
        refuse_protected(environment(tmp_path, protects))
    told, left = refused.value.details
    assert told.startswith(f"{named} deletion_protection = true")
    assert left == "Nothing was destroyed."
    assert "Set these to false in environments/tiny-e.toml" in str(refused.value.next_step)


def test_an_environment_without_protection_is_let_through(tmp_path: Path) -> None:
    off = "deletion_protection = false\n"
    refuse_protected(environment(tmp_path, f"[database]\n{off}[load_balancer]\n{off}"))
