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
from prod_e_ops.terraform.imports import forget_imports
from prod_e_ops.terraform.plan_changes import Change, PlanSummary


@dataclass
class Prepared:
    """`answer`: raised by the question; absent: yes. `plans`: the imports of each plan."""

    folder: Path
    answer: OpsError | None = None
    plans: list[dict[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    environment: Any = field(default_factory=lambda: SimpleNamespace(name="tiny-e"))

    @property
    def context(self) -> Any:
        async def confirm(question: str) -> None:
            self.said.append(question)
            if self.answer:
                raise self.answer

        return SimpleNamespace(terminal=SimpleNamespace(say=self.said.append, confirm=confirm))

    async def plan_stacks(self, stacks: Sequence[Stack]) -> list[StackPlan]:
        (stack,) = stacks
        file = stack.folder / "prod-e-imports.tf.json"
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
) -> Sequence[StackPlan]:
    """Takes over what each look finds, by address; after the last one nothing is left."""
    stack, looks = Stack("tiny-e", prepared.folder), iter(rounds)

    async def look(*_: object) -> dict[Stack, dict[str, str]]:
        found = next(looks, {})
        return {stack: found} if found else {}

    monkeypatch.setattr(module._Search, "look", look)
    plan = StackPlan(stack=stack, summary=PlanSummary(created=(Change("aws_lb.a", "aws_lb"),)))
    return asyncio.run(take_over(cast("Any", prepared), [plan], agreed=agreed, yes=True))


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
