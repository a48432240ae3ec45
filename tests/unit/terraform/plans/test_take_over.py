"""Plans are made anew with what is found, a few times and no more, and nobody's yes is taken."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from prod_e_ops.errors import AccessDenied, Declined, LeftOver, NoTerminal, NotTakenOver, OpsError
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.take_over import take_over as module
from prod_e_ops.stacks.take_over.take_over import take_over
from prod_e_ops.terraform.plans.imports import forget_imports
from prod_e_ops.terraform.plans.plan_changes import Change, PlanSummary
from prod_e_ops.terraform.states.state import StateResource

CREATES = PlanSummary(created=(Change("aws_lb.a", "aws_lb"),))


@dataclass
class Prepared:
    """`answer`: raised by the question; absent: yes. `plans`: the imports of each plan.

    `unfinished`: addresses in the state that the next plan would make anew. `kept`: those of them
    that it is told to keep.
    """

    folder: Path
    answer: OpsError | None = None
    plans: list[dict[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    unfinished: Sequence[str] = ()
    kept: list[str] = field(default_factory=list)
    environment: Any = field(default_factory=lambda: SimpleNamespace(name="tiny-e"))

    @property
    def context(self) -> Any:
        async def confirm(question: str) -> None:
            self.said.append(question)
            if self.answer:
                raise self.answer

        return SimpleNamespace(terminal=SimpleNamespace(say=self.said.append, confirm=confirm))

    @property
    def terraform(self) -> Any:
        async def resources(_: Stack) -> Sequence[StateResource]:
            return [
                StateResource(address=address, values={}, is_tainted=True)
                for address in self.unfinished
            ]

        async def untaint(_: Stack, address: str) -> None:
            self.kept.append(address)

        return SimpleNamespace(resources=resources, untaint=untaint)

    async def plan_stacks(self, stacks: Sequence[Stack]) -> list[StackPlan]:
        (stack,) = stacks
        file, written = stack.folder / "prod-e-imports.tf.json", []
        if file.exists():
            assert file.stat().st_mode & 0o077 == 0, "ARNs have the account in them"
            written = json.loads(file.read_text())["import"]
        self.plans.append({each["to"]: each["id"] for each in written})
        return [StackPlan(stack=stack, summary=PlanSummary())]


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return Prepared(tmp_path)


def taken(
    prepared: Prepared,
    monkeypatch: pytest.MonkeyPatch,
    rounds: Sequence[dict[str, str]],
    *,
    agreed: bool = True,
    plan: PlanSummary = CREATES,
) -> Sequence[StackPlan]:
    """Takes over what each look finds, by address; after the last one nothing is left."""
    stack, looks = Stack("tiny-e", prepared.folder), iter(rounds)

    async def look(*_: object) -> dict[Stack, dict[str, str]]:
        found = next(looks, {})
        return {stack: found} if found else {}

    monkeypatch.setattr(module._Search, "look", look)
    given = [StackPlan(stack=stack, summary=plan)]
    return asyncio.run(take_over(cast("Any", prepared), given, agreed=agreed, yes=True))


def test_what_leads_to_more_is_imported_by_the_next_plan_too(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plan,) = taken(prepared, monkeypatch, [{"aws_lb.a": "1"}, {"aws_lb_listener.b": "2"}])
    assert plan.summary.created == ()
    assert prepared.plans == [{"aws_lb.a": "1"}, {"aws_lb.a": "1", "aws_lb_listener.b": "2"}]
    assert prepared.said[1:] == ["  aws_lb.a: 1", "  aws_lb_listener.b: 2"]
    forget_imports(plan.stack)
    assert not list(prepared.folder.iterdir())


def test_where_nothing_is_found_nothing_is_planned_or_asked(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plan,) = taken(prepared, monkeypatch, [], agreed=False)
    assert plan.summary.created
    assert (prepared.plans, prepared.said) == ([], [])


def unfinished(type: str, reason: str = "it was left unfinished") -> Change:
    return Change(f"{type}.a", type, reason=reason, before={"id": "its-id"})


def test_what_was_left_unfinished_and_cannot_be_made_beside_itself_is_kept_and_planned_anew(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared.unfinished = ("aws_security_group.a", "aws_lb.a")
    replaced = (unfinished("aws_security_group"), unfinished("aws_lb"))
    (plan,) = taken(prepared, monkeypatch, [], plan=PlanSummary(replaced=replaced))
    assert prepared.kept == ["aws_security_group.a"]
    assert plan.summary == PlanSummary(), "a new plan"
    assert prepared.said[1:] == ["  aws_security_group.a: its-id"]

    prepared.answer = NoTerminal("no terminal")
    prepared.kept.clear()
    with pytest.raises(LeftOver) as refused:
        taken(prepared, monkeypatch, [], plan=PlanSummary(replaced=replaced), agreed=False)
    assert refused.value.details == ("aws_security_group.a: its-id", "Nothing was changed.")
    assert "--take-over" in str(refused.value.next_step)
    assert prepared.kept == []


@pytest.mark.parametrize("agreed", [True, False])
def test_what_may_hold_data_and_was_left_unfinished_is_kept_where_somebody_has_agreed(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch, agreed: bool
) -> None:
    prepared.unfinished = ("aws_kms_key.a",)
    summary = PlanSummary(replaced=(unfinished("aws_kms_key"),))
    (plan,) = taken(prepared, monkeypatch, [], plan=summary, agreed=agreed)
    # A plan that still replaces it is refused afterwards.
    assert (plan.summary == summary) is not agreed
    assert prepared.kept == ["aws_kms_key.a"] * agreed


@pytest.mark.parametrize(
    "change", [unfinished("aws_lb"), unfinished("aws_security_group", "it was asked for")], ids=str
)
def test_what_can_be_made_anew_or_is_meant_to_be_is_replaced(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    prepared.unfinished = (change.address,)
    summary = PlanSummary(replaced=(change,))
    (plan,) = taken(prepared, monkeypatch, [], plan=summary, agreed=False)
    assert plan.summary is summary
    assert (prepared.kept, prepared.plans, prepared.said) == ([], [], [])


def test_credentials_that_may_not_list_by_tags_may_still_deploy(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(*_: object) -> dict[Stack, dict[str, str]]:
        raise AccessDenied("It cannot be told: the credentials may not do that.")

    monkeypatch.setattr(module._Search, "look", look)
    plan = StackPlan(stack=Stack("tiny-e", prepared.folder), summary=PlanSummary())
    given = cast("Any", prepared)
    assert asyncio.run(take_over(given, [plan], agreed=False, yes=True)) == [plan]
    assert len(prepared.said) == 1
    with pytest.raises(AccessDenied):
        asyncio.run(take_over(given, [plan], agreed=True, yes=True))


def test_after_three_plans_the_rest_is_named(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [{f"aws_lb.a{number}": str(number)} for number in range(4)]
    with pytest.raises(NotTakenOver) as refused:
        taken(prepared, monkeypatch, found)
    assert len(prepared.plans) == 3
    assert refused.value.details == ("aws_lb.a3: 3", "Nothing was changed.")


def test_it_is_asked_even_where_yes_is_given(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(prepared, monkeypatch, [{"aws_lb.a": "1"}], agreed=False)
    (question,) = prepared.said
    assert "  aws_lb.a: 1\n" in question

    prepared.answer = Declined("Nothing was changed.")
    with pytest.raises(Declined):
        taken(prepared, monkeypatch, [{"aws_lb.a": "1"}], agreed=False)

    prepared.answer = NoTerminal("no terminal")
    with pytest.raises(LeftOver) as refused:
        taken(prepared, monkeypatch, [{"aws_lb.a": "1"}], agreed=False)
    assert refused.value.exit_status == 1
    assert refused.value.details == ("aws_lb.a: 1", "Nothing was changed.")
    assert "deploy tiny-e --take-over --yes" in str(refused.value.next_step)
