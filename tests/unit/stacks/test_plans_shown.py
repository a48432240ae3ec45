"""What people see of a plan: every kind of change, what it loses, and where all of it is."""

from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.errors import UserMistake
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.stacks.render import show_plans, show_refusals, total_counts
from prod_e_ops.terraform.plans.plan_changes import Change, PlanSummary
from prod_e_ops.terraform.plans.value_changes import ValueChange
from tests.support.project.demo_run import Screen
from tests.support.project.prepared_world import (
    PlannedTerraform,
    change,
    prepared_in,
    screen_of,
)


class Image:
    """An image of a plan; `moves`: whether a tag of it does."""

    def __init__(self, *, moves: bool) -> None:
        self.moves = ("latest",) if moves else ()
        self.is_empty = not moves

    def lines(self) -> list[str]:
        return ["backend: ECR has no 0123: it is built and pushed"]


def planned(summary: PlanSummary, *, name: str = "tiny-e", **more: Any) -> StackPlan:
    return StackPlan(stack=Stack(name, Path(name)), summary=summary, **more)


def shown(folder: Path, summary: PlanSummary) -> list[str]:
    """The lines that show a plan of the main stack."""
    prepared = prepared_in(folder, PlannedTerraform(), "tiny-e")
    plan = StackPlan(stack=prepared.stacks[0], summary=summary)
    show_plans(prepared.context, [plan], saved_by=None)
    blank, head, *lines = screen_of(prepared).results
    assert blank == ""
    assert head == f"tiny-e  {summary.counts}"
    return lines


def test_what_is_created_is_counted_by_its_type(tmp_path: Path) -> None:
    summary = PlanSummary(
        created=(change("aws_subnet.b"), change("aws_lb.a"), change("aws_subnet.a"))
    )
    assert shown(tmp_path, summary) == ["  + aws_lb       1", "  + aws_subnet   2"]


def test_each_other_change_is_named(tmp_path: Path) -> None:
    values = (
        ValueChange(path="cpu", before="256", after="512"),
        ValueChange(path="name", before="a", after="b", forces_replacement=True),
    )
    summary = PlanSummary(
        changed=(Change("aws_ecs_service.a", "aws_ecs_service", values=values[:1]),),
        replaced=(
            Change("aws_lb.a", "aws_lb", reason="it was asked for", values=values[1:]),
            Change("aws_s3_bucket.a", "aws_s3_bucket"),
            Change("aws_ecs_task_definition.a", "aws_ecs_task_definition", values=values[1:]),
        ),
        destroyed=(change("aws_sns_topic.a"), change("aws_db_instance.a")),
        imported=(change("aws_vpc.a"),),
        moved=(change("aws_vpc.b"),),
        forgotten=(change("aws_vpc.c"),),
        outputs=("a", "b"),
    )
    assert shown(tmp_path, summary) == [
        "  ~ aws_ecs_service.a",
        "    cpu 256 -> 512",
        "  ± aws_lb.a: it was asked for",
        "    name a -> b (forces replacement)",
        "  ± aws_s3_bucket.a (loses what is in it)",
        # A revision that comes replaces nothing that anybody misses.
        "  ~ aws_ecs_task_definition.a: a new revision",
        "    name a -> b",
        "  - aws_sns_topic.a",
        "  - aws_db_instance.a (loses what is in it)",
        "  < aws_vpc.a: comes under Terraform's control",
        "  > aws_vpc.b: has a new name in the state",
        "  . aws_vpc.c: stays, and leaves Terraform's control",
        "  outputs: a, b",
    ]


@pytest.mark.parametrize(("count", "more"), [(12, []), (13, ["    and 1 more"])])
def test_values_are_in_lines_that_fit_a_terminal_and_the_rest_is_counted(
    tmp_path: Path, count: int, more: list[str]
) -> None:
    values = tuple(
        ValueChange(path=f"argument_{number:02}", before="1", after="2") for number in range(count)
    )
    summary = PlanSummary(changed=(Change("aws_lb.a", "aws_lb", values=values),))
    _, *lines = shown(tmp_path, summary)
    told = [line for line in lines if "->" in line]
    assert lines == [*told, *more]
    assert max(map(len, told)) <= 78
    assert len(told) == 4
    joined = ", ".join(line.strip() for line in told)
    assert joined == ", ".join(map(str, values[:12]))


def test_notes_images_and_skipped_stacks_are_shown_beside_it(tmp_path: Path) -> None:
    prepared = prepared_in(tmp_path, PlannedTerraform(), "tiny-e", "tiny-e-image")
    main, image = prepared.stacks
    images: Any = [Image(moves=True)]
    show_plans(
        prepared.context,
        [StackPlan(stack=main, summary=PlanSummary(), notes=("It takes long.",), images=images)],
        [SkippedStack(stack=image, reason="no Docker")],
        saved_by=prepared.terraform,
    )
    assert screen_of(prepared).results == [
        "",
        "tiny-e        no changes",
        "  ! It takes long.",
        "  backend: ECR has no 0123: it is built and pushed",
        "  full plan: terraform -chdir=cdktf.out/stacks/tiny-e show tiny-e.tfplan",
        "",
        "tiny-e-image  skipped: no Docker",
    ]


def test_a_plan_that_stays_is_there_as_json_too(tmp_path: Path) -> None:
    class Keeping(PlannedTerraform):
        def keeps_plan(self, _: Stack) -> bool:
            return True

    prepared = prepared_in(tmp_path, Keeping(), "tiny-e")
    plan = StackPlan(stack=prepared.stacks[0], summary=PlanSummary())
    show_plans(prepared.context, [plan], saved_by=prepared.terraform)
    assert screen_of(prepared).results[2:] == [
        "  full plan: terraform -chdir=cdktf.out/stacks/tiny-e show prod-e.tfplan",
        "  as JSON:   cdktf.out/stacks/tiny-e/prod-e.tfplan.json",
    ]


def test_a_plan_with_a_secret_in_it_is_shown_to_nobody(tmp_path: Path) -> None:
    prepared = prepared_in(tmp_path, PlannedTerraform(), "tiny-e-image")
    (stack,) = prepared.stacks
    docker = {"docker": {"source": "kreuzwerker/docker"}}
    stack.json_file.write_text(
        f'{{"terraform": {{"required_providers": {docker}}}}}'.replace("'", '"')
    )
    plan = StackPlan(stack=stack, summary=PlanSummary())
    show_plans(prepared.context, [plan], saved_by=prepared.terraform)
    assert screen_of(prepared).results == ["", "tiny-e-image  no changes"]


ONE = PlanSummary(created=(change("aws_lb.a"),))


@pytest.mark.parametrize(
    ("images", "summaries", "counts"),
    [
        ([], [ONE, ONE], "2 to create"),
        ([True], [ONE], "1 image to push or tag, 1 to create"),
        ([True, True, False], [PlanSummary()], "2 images to push or tag"),
        ([False], [ONE], "1 to create"),
        ([], [PlanSummary()], "no changes"),
    ],
)
def test_all_plans_together_are_counted_in_one_line(
    images: list[bool], summaries: list[PlanSummary], counts: str
) -> None:
    any_images: Any = [Image(moves=each) for each in images]
    plans = [planned(summary) for summary in summaries]
    if images:
        # What Terraform does in the image stack is what is done to its images.
        plans.append(planned(ONE, name="tiny-e-image", images=any_images))
    assert total_counts(plans) == counts


def test_what_a_deployment_is_refused_for_is_told_with_the_way_on() -> None:
    screen: Any = Screen()
    show_refusals(
        screen, [UserMistake("It loses data.", details=["aws_lb.a"], next_step="Keep it.")]
    )
    assert screen.results == ["", "A deployment is refused: It loses data.", "  aws_lb.a"]
    assert screen.lines == ["hint: Keep it."]
    show_refusals(screen, [UserMistake("It is late.")])
    assert screen.lines == ["hint: Keep it."]
