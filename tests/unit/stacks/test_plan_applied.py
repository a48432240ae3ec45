"""A plan that is stale by the time it is applied, and one that is interrupted."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from prod_e_ops.errors import (
    PlanIsStale,
    PlanRefused,
)
from prod_e_ops.stacks.apply import apply_plan
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.terraform.output.events import Event
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from prod_e_ops.terraform.states.state import StateResource
from tests.support.project.prepared_world import (
    NOTHING,
    PlannedTerraform,
    change,
    prepared_in,
    screen_of,
)
from tests.unit.stacks.deploying import TOPIC, World, deployed

STALE = PlanIsStale("The state has changed.")


def test_a_plan_that_is_stale_is_made_anew_once_and_asked_about_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC]}, ends={"tiny-e": [STALE]})
    prepared = deployed(prepared_in(tmp_path, terraform, "tiny-e"), monkeypatch)
    assert terraform.done == ["plan tiny-e", "fail tiny-e", "plan tiny-e", "apply tiny-e"]
    assert [question for question, _ in screen_of(prepared).asked] == [
        "Deploy tiny-e to the account 123456789012, us-west-2: 1 to create?",
        "Apply this plan of tiny-e: 1 to create?",
    ]


def test_a_plan_is_made_anew_as_it_was_made_before(tmp_path: Path) -> None:
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC]}, ends={"tiny-e": [STALE]})
    prepared = prepared_in(tmp_path, terraform, "tiny-e")
    agreed: list[StackPlan] = []

    async def agree(plan: StackPlan) -> None:
        agreed.append(plan)

    targets = ("aws_sns_topic.a",)
    plan = StackPlan(stack=prepared.stacks[0], summary=TOPIC, destroy=True, targets=targets)
    asyncio.run(apply_plan(prepared, plan, agree=agree))
    assert agreed == [plan]
    assert terraform.done == [
        "fail tiny-e",
        f"plan tiny-e {{'destroy': True, 'targets': {targets}}}",
        "apply tiny-e",
    ]
    assert any("has changed since it was planned" in line for line in screen_of(prepared).lines)


def test_terraform_is_asked_for_its_state_only_where_something_was_begun(tmp_path: Path) -> None:
    class Asked(PlannedTerraform):
        async def addresses(self, _: object) -> Sequence[str]:
            pytest.fail("it takes its time, and nobody needs it")

    terraform = Asked(ends={"tiny-e": [asyncio.CancelledError()]})
    prepared = prepared_in(tmp_path, terraform, "tiny-e")
    plan = StackPlan(stack=prepared.stacks[0], summary=TOPIC)

    async def agree(_: StackPlan) -> None:
        pytest.fail("nothing is planned anew")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(apply_plan(prepared, plan, agree=agree))
    assert screen_of(prepared).lines[-1] == "Run the command again to go on from there."


def test_a_plan_that_is_made_anew_and_loses_data_is_refused_without_a_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    bucket = PlanSummary(destroyed=(change("aws_s3_bucket.logs"),))
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC, bucket]}, ends={"tiny-e": [STALE]})
    prepared = prepared_in(tmp_path, terraform, "tiny-e")
    with pytest.raises(PlanRefused) as error:
        deployed(prepared, monkeypatch)
    assert any("what was deployed before it stays" in line for line in error.value.details)
    assert len(screen_of(prepared).asked) == 1
    assert terraform.done[-1] == "plan tiny-e"


def test_a_plan_that_is_stale_twice_is_not_made_a_third_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC]}, ends={"tiny-e": [STALE, STALE]})
    with pytest.raises(PlanIsStale):
        deployed(prepared_in(tmp_path, terraform, "tiny-e"), monkeypatch)
    assert terraform.done == ["plan tiny-e", "fail tiny-e", "plan tiny-e", "fail tiny-e"]


def test_a_stale_plan_that_has_nothing_left_to_do_is_not_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC, NOTHING]}, ends={"tiny-e": [STALE]})
    prepared = deployed(prepared_in(tmp_path, terraform, "tiny-e"), monkeypatch)
    assert terraform.done == ["plan tiny-e", "fail tiny-e", "plan tiny-e"]
    assert len(screen_of(prepared).asked) == 1


def begins(address: str) -> Event:
    return Event(stack="tiny-e", kind="apply_start", address=address, message="", action="create")


def completes(address: str) -> Event:
    return Event(stack="tiny-e", kind="apply_complete", address=address, message="")


def in_state(*addresses: str) -> Sequence[StateResource]:
    return [StateResource(address=each, values={}, is_tainted=False) for each in addresses]


@pytest.mark.parametrize(
    ("state", "at_once", "told"),
    [
        (
            {"tiny-e": in_state("aws_sns_topic.a", "aws_lb.a")},
            False,
            ["1 of 1 changes of tiny-e were made", "Run the command again to go on from there."],
        ),
        (
            {"tiny-e": in_state("aws_sns_topic.a")},
            False,
            ["1 of 1 changes", "Under way when", "  aws_lb.a", "offers to take it over"],
        ),
        ({}, False, ["1 of 1 changes", "Under way when", "  aws_lb.a", "offers to take it over"]),
        (
            {"tiny-e": in_state("aws_lb.a")},
            True,
            ["stopped in the middle of tiny-e", "offers to take it over"],
        ),
    ],
)
def test_an_interrupted_deployment_says_what_aws_may_have_and_the_way_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    state: Mapping[str, Sequence[StateResource]],
    at_once: bool,
    told: Sequence[str],
) -> None:
    terraform = PlannedTerraform(
        plans={"tiny-e": [TOPIC]},
        ends={"tiny-e": [asyncio.CancelledError()]},
        says=[begins("aws_sns_topic.a"), begins("aws_lb.a"), completes("aws_sns_topic.a")],
        state=state,
    )
    prepared = prepared_in(tmp_path, terraform, "tiny-e", stopped_at_once=at_once)
    with pytest.raises(asyncio.CancelledError):
        deployed(prepared, monkeypatch, yes=True)
    lines = screen_of(prepared).lines[-len(told) :]
    for line, expected in zip(lines, told, strict=True):
        assert expected in line
