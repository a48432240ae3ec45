"""A deployment: what is asked once, what is applied in which order, and what is planned again."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.commands.infrastructure import deploy as module
from prod_e_ops.errors import (
    Declined,
    DeploymentFailed,
    ImageMissing,
    PlanRefused,
    StackNotDeployable,
)
from prod_e_ops.images.image_plan import ImageOptions
from prod_e_ops.stacks.images.missing_images import MissingImage
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from tests.support.project.prepared_world import (
    NOTHING,
    PlannedTerraform,
    change,
    prepared_in,
    screen_of,
)
from tests.unit.stacks.deploying import TOPIC, World, deployed

REPOSITORY_GOES = PlanSummary(destroyed=(change("aws_ecr_repository.old"),))
NAMES = ("tiny-e-registry", "tiny-e")


def test_what_is_shown_is_asked_about_once_and_applied_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform(plans={"tiny-e-registry": [TOPIC], "tiny-e": [TOPIC]})
    prepared = deployed(prepared_in(tmp_path, terraform, *NAMES), monkeypatch)
    assert terraform.done == [
        "plan tiny-e-registry",
        "plan tiny-e",
        "apply tiny-e-registry",
        "apply tiny-e",
    ]
    screen = screen_of(prepared)
    assert screen.asked == [
        (
            "Deploy tiny-e to the account 123456789012, us-west-2: 2 to create?",
            "Nothing was changed.",
        )
    ]
    # What was applied is looked at, and what AWS has besides is told.
    assert world.verified == [{}]
    assert world.told == [
        "take over {'agreed': False, 'yes': False}",
        "delete images of tiny-e-registry",
        "delete images of tiny-e",
        "orphans",
    ]
    assert "tiny-e           1 to create" in screen.results
    assert any("full plan:" in line for line in screen.results)
    assert screen.results[-2:] == [
        "url_of_tiny-e https://example.com",
        "url_of_tiny-e-registry https://example.com",
    ]


def test_with_yes_nothing_is_asked_and_nobody_is_sent_to_read_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC]})
    prepared = prepared_in(tmp_path, terraform, *NAMES)
    deployed(prepared, monkeypatch, yes=True, takes_over=True)
    screen = screen_of(prepared)
    assert screen.asked == []
    assert not any("full plan:" in line for line in screen.results)
    # A stack without changes is neither shown nor applied.
    assert not any(line.startswith("tiny-e-registry") for line in screen.results)
    assert terraform.done[2:] == ["apply tiny-e"]
    assert world.told[0] == "take over {'agreed': True, 'yes': True}"


def test_as_json_stdout_is_for_the_result_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC]})
    prepared = prepared_in(tmp_path, terraform, "tiny-e")
    deployed(prepared, monkeypatch, yes=True, as_json=True)
    (result,) = screen_of(prepared).results
    assert json.loads(result) == {
        "environment": "tiny-e",
        "outputs": {"url_of_tiny-e": "https://example.com"},
        "images": [],
    }


def test_what_is_declined_is_not_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC]})
    prepared = prepared_in(tmp_path, terraform, *NAMES)
    screen_of(prepared).declines = "Deploy"
    with pytest.raises(Declined, match="Nothing was changed"):
        deployed(prepared, monkeypatch)
    assert terraform.done == ["plan tiny-e-registry", "plan tiny-e"]
    assert world.verified == []


def test_nothing_to_do_is_said_and_still_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform()
    prepared = deployed(prepared_in(tmp_path, terraform, *NAMES), monkeypatch)
    assert "tiny-e is up to date." in screen_of(prepared).lines
    assert screen_of(prepared).asked == []
    assert world.verified == [{}]
    assert world.told[-1] == "orphans"


def test_a_stack_that_cannot_be_planned_is_refused_before_anything_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    prepared = prepared_in(tmp_path, PlannedTerraform(plans={"tiny-e": [TOPIC]}), *NAMES)
    image, main = prepared.stacks

    async def plan(*_: object) -> list[StackPlan]:
        return [StackPlan(stack=main, summary=TOPIC)]

    monkeypatch.setattr(PreparedStacks, "plan", plan)
    skipped = [SkippedStack(stack=image, reason="no Docker")]
    with pytest.raises(StackNotDeployable, match="no Docker"):
        deployed(replace(prepared, stacks=[main], skipped=skipped), monkeypatch)
    assert world.told == []


def test_data_is_lost_only_where_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    bucket = PlanSummary(destroyed=(change("aws_s3_bucket.logs"),))
    terraform = PlannedTerraform(plans={"tiny-e": [bucket]})
    prepared = prepared_in(tmp_path, terraform, "tiny-e")
    with pytest.raises(PlanRefused, match="destroy resources that hold data"):
        deployed(prepared, monkeypatch)
    assert terraform.done == ["plan tiny-e"]
    assert screen_of(prepared).asked == []
    assert "  - aws_s3_bucket.logs (loses what is in it)" in screen_of(prepared).results
    deployed(prepared, monkeypatch, may_lose={"aws_s3_bucket.logs"})
    assert terraform.done[-1] == "apply tiny-e"


def test_what_the_main_stack_may_still_hold_goes_after_it_by_a_question_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    both = replace(REPOSITORY_GOES, created=(change("aws_ecr_repository.new"),))
    terraform = PlannedTerraform(
        plans={"tiny-e-registry": [both, TOPIC, REPOSITORY_GOES], "tiny-e": [TOPIC]}
    )
    world.lost = ["The repository old goes with 3 images."]
    prepared = prepared_in(tmp_path, terraform, *NAMES)
    deployed(prepared, monkeypatch, may_lose={"aws_ecr_repository.old"})
    assert terraform.done == [
        "plan tiny-e-registry",
        "plan tiny-e",
        # What it creates, the main stack needs.
        "plan tiny-e-registry {'targets': ['aws_ecr_repository.new']}",
        "apply tiny-e-registry",
        "apply tiny-e",
        "plan tiny-e-registry",
        "apply tiny-e-registry",
    ]
    screen = screen_of(prepared)
    assert [question for question, _ in screen.asked] == [
        "Deploy tiny-e to the account 123456789012, us-west-2: 2 to create?",
        "Apply this plan of tiny-e-registry: 1 to destroy?",
    ]
    assert screen.asked[1][1] == (
        "tiny-e-registry is as it was; what was deployed before it stays."
    )
    assert any("tiny-e-registry will lose what tiny-e may still use" in x for x in screen.lines)
    assert "The repository old goes with 3 images." in screen.lines


def test_what_goes_is_not_split_from_a_main_stack_without_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform(plans={"tiny-e-registry": [REPOSITORY_GOES]})
    prepared = prepared_in(tmp_path, terraform, *NAMES)
    deployed(prepared, monkeypatch, may_lose={"aws_ecr_repository.old"})
    assert terraform.done[2:] == ["apply tiny-e-registry"]
    assert len(screen_of(prepared).asked) == 1


def test_data_that_would_be_lost_later_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    terraform = PlannedTerraform(plans={"tiny-e-registry": [REPOSITORY_GOES], "tiny-e": [TOPIC]})
    prepared = prepared_in(tmp_path, terraform, *NAMES)
    with pytest.raises(PlanRefused):
        deployed(prepared, monkeypatch)
    assert terraform.done == ["plan tiny-e-registry", "plan tiny-e"]


def test_a_stack_that_imported_something_is_planned_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    imports = PlanSummary(imported=(change("aws_vpc.a"),))
    terraform = PlannedTerraform(plans={"tiny-e": [imports, TOPIC]})
    prepared = deployed(prepared_in(tmp_path, terraform, "tiny-e"), monkeypatch)
    assert terraform.done == ["plan tiny-e", "apply tiny-e", "plan tiny-e", "apply tiny-e"]
    assert len(screen_of(prepared).asked) == 2
    quiet = PlannedTerraform(plans={"tiny-e": [imports, NOTHING]})
    deployed(prepared_in(tmp_path / "quiet", quiet, "tiny-e"), monkeypatch)
    assert quiet.done == ["plan tiny-e", "apply tiny-e", "plan tiny-e"]


def missing(*, exists: bool) -> MissingImage:
    return MissingImage(
        key="backend",
        service="tiny-e-backend",
        repository="tiny-e-backend",
        tag="latest",
        repository_exists=exists,
    )


def test_tasks_without_an_image_are_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    world.missing = [missing(exists=True)]
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC]})
    prepared = prepared_in(tmp_path, terraform, "tiny-e")
    with pytest.raises(ImageMissing) as error:
        deployed(prepared, monkeypatch)
    assert error.value.details == (
        "ECR has no tiny-e-backend:latest, which tiny-e-backend is to run.",
        "Nothing was changed.",
    )
    assert error.value.next_step is not None
    assert "push backend" in error.value.next_step
    assert terraform.done == ["plan tiny-e"]


def test_what_is_to_be_pushed_into_a_new_repository_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    world.missing = [missing(exists=False)]
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC]})
    prepared = deployed(prepared_in(tmp_path, terraform, "tiny-e"), monkeypatch)
    assert any("Push it first, or as soon as the repo" in x for x in screen_of(prepared).lines)
    assert terraform.done[-1] == "apply tiny-e"


def test_images_of_the_image_stack_are_applied_and_what_they_deploy_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    applied: list[tuple[str, ImageOptions, bool]] = []

    async def apply(
        _: object, plan: StackPlan, options: ImageOptions, *, yes: bool
    ) -> Mapping[str, datetime]:
        applied.append((plan.stack.name, options, yes))
        return {"backend": began}

    monkeypatch.setattr(module, "apply_images", apply)
    prepared = prepared_in(tmp_path, PlannedTerraform(), "tiny-e-image", "tiny-e")
    image: Any = SimpleNamespace(
        lines=lambda: ["backend: ECR has no 0123"], moves=("latest",), is_empty=False
    )
    world.taken_over = [
        StackPlan(stack=prepared.stacks[0], summary=NOTHING, images=[image]),
        StackPlan(stack=prepared.stacks[1], summary=NOTHING),
    ]
    deployed(prepared, monkeypatch, yes=True)
    assert applied == [("tiny-e-image", ImageOptions(), True)]
    assert world.verified == [{"backend": began}]


def test_a_deployment_that_ecs_does_not_keep_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    world.kept = False
    terraform = PlannedTerraform(plans={"tiny-e": [TOPIC]})
    with pytest.raises(DeploymentFailed):
        deployed(prepared_in(tmp_path, terraform, "tiny-e"), monkeypatch)


def test_a_change_that_waits_for_the_maintenance_window_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    database = replace(
        change("aws_db_instance.a", "instance_class", instance_class="db.m7g.large"),
        before={"identifier": "tiny-e-database"},
    )
    terraform = PlannedTerraform(plans={"tiny-e": [PlanSummary(changed=(database,))]})
    prepared = deployed(prepared_in(tmp_path, terraform, "tiny-e"), monkeypatch)
    assert any("tiny-e-database" in line for line in screen_of(prepared).lines)
