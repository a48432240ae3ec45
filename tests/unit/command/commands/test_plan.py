"""`prod-e plan`: what is shown of plans, what a deployment would be refused for, and the way on."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.commands.infrastructure import plan as module
from prod_e_ops.commands.infrastructure.plan import plan_stacks
from prod_e_ops.stacks.images.missing_images import MissingImage
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from tests.support.project.demo_run import Screen
from tests.support.project.prepared_world import (
    NOTHING,
    PlannedTerraform,
    change,
    prepared_in,
    screen_of,
    stacks_in,
)

TOPIC = PlanSummary(created=(change("aws_sns_topic.a"),))
LOSS = PlanSummary(destroyed=(change("aws_db_instance.a"),))
MISSING = MissingImage(
    key="backend",
    service="tiny-e-backend",
    repository="tiny-e-backend",
    tag="latest",
    repository_exists=False,
)


class Planned:
    """`prod-e plan tiny-e` of a stack with such a plan."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.missing: Sequence[MissingImage] = ()
        self.skips = False
        self._folder = folder
        self._monkeypatch = monkeypatch

    def run(self, summary: PlanSummary, *, as_json: bool = False) -> Screen:
        terraform = PlannedTerraform(plans={"tiny-e": [summary]})
        prepared = prepared_in(self._folder, terraform, "tiny-e")
        if self.skips:
            (image,) = stacks_in(self._folder, "tiny-e-image")
            skipped = SkippedStack(stack=image, reason="it needs Docker")
            prepared = replace(prepared, skipped=[skipped])

        @asynccontextmanager
        async def prepare(
            context: object, name: str | None, *, keeps_plans: bool
        ) -> AsyncIterator[PreparedStacks]:
            assert (context, name, keeps_plans) == (prepared.context, "tiny", True)
            yield prepared

        async def missing(given: object, plans: Sequence[StackPlan]) -> Sequence[MissingImage]:
            assert given is prepared
            assert [plan.summary for plan in plans] == [summary]
            return self.missing

        self._monkeypatch.setattr(module, "prepare_stacks", prepare)
        self._monkeypatch.setattr(module, "missing_images", missing)
        asyncio.run(plan_stacks(prepared.context, "tiny", as_json=as_json))
        return screen_of(prepared)


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planned:
    return Planned(tmp_path, monkeypatch)


def hints(screen: Screen) -> list[str]:
    return [line for line in screen.lines if line.startswith("hint: ")]


def test_a_plan_is_shown_with_the_way_to_what_it_does(planned: Planned) -> None:
    screen = planned.run(TOPIC)
    assert "  + aws_sns_topic   1" in screen.results
    assert not any(line.startswith("!") for line in screen.results)
    (hint,) = hints(screen)
    assert "deploy tiny-e" in hint


def test_a_plan_that_does_nothing_leads_nowhere(planned: Planned) -> None:
    assert hints(planned.run(NOTHING)) == []


def test_a_plan_that_is_refused_leads_to_no_deployment(planned: Planned) -> None:
    screen = planned.run(LOSS)
    assert any("aws_db_instance.a" in line for line in screen.results)
    assert not any(line.startswith("hint: ./prod-e deploy tiny-e") for line in hints(screen))
    assert any("refuse" in line.lower() for line in [*screen.results, *screen.lines])


def test_an_image_that_is_to_be_pushed_first_is_told(planned: Planned) -> None:
    planned.missing = [MISSING]
    screen = planned.run(TOPIC)
    at = next(at for at, line in enumerate(screen.results) if line.startswith("! ECR has no tiny-"))
    assert screen.results[at - 1] == ""
    assert "push" in screen.results[at]


def test_the_json_has_plans_what_is_left_out_and_what_is_refused(planned: Planned) -> None:
    planned.skips = True
    screen = planned.run(LOSS, as_json=True)
    (printed,) = screen.results
    told: Any = json.loads(printed)
    assert told["environment"] == "tiny-e"
    (stack,) = told["stacks"]
    assert (stack["stack"], stack["destroyed"]) == ("tiny-e", ["aws_db_instance.a"])
    assert told["skipped"] == [{"stack": "tiny-e-image", "reason": "it needs Docker"}]
    assert len(told["refused"]) == 2
    assert hints(screen) == []
