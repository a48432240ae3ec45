"""What is planned of an environment's stacks, by what ECR has of its images."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prod_e.delivery.image_build import BUILD_NETWORK_VARIABLE
from prod_e_ops.images import image_plan
from prod_e_ops.images.image_plan import ImageOptions, ImagePlan, SynthesisedImage
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks import prepared as module
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from tests.support.fakes import FakeRepository, stored_image
from tests.support.project.prepared_world import (
    NOTHING,
    PlannedTerraform,
    change,
    prepared_in,
    screen_of,
)

REGISTRY, IMAGE, MAIN = "tiny-e-registry", "tiny-e-image", "tiny-e"
TOPIC = PlanSummary(created=(change("aws_sns_topic.a"),))
SERVICE = PlanSummary(
    changed=(change("aws_ecs_service.a", "cpu", name="tiny-e-backend"),),
    replaced=(replace(change("aws_vpc.a", "cidr_block"), before={"name": "tiny-e"}),),
)


class World:
    """Three stacks, of which one builds images; ECR has those that `there` names."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.terraform = PlannedTerraform()
        self.there: Sequence[str] = ()
        self.prepared = prepared_in(folder, self.terraform, REGISTRY, IMAGE, MAIN)
        docker = {"required_providers": {"docker": {"source": "kreuzwerker/docker"}}}
        self.image.json_file.write_text(json.dumps({"terraform": docker}))
        monkeypatch.setattr(module, "synthesised_images", self._synthesised)
        monkeypatch.setattr(image_plan, "default_build_network", self._network)

    @property
    def image(self) -> Stack:
        return self.prepared.stacks[1]

    def skip_image_stack(self) -> SkippedStack:
        registry, image, main = self.prepared.stacks
        skipped = SkippedStack(stack=image, reason="no Docker daemon answers")
        self.prepared = replace(self.prepared, stacks=[registry, main], skipped=[skipped])
        return skipped

    def plan(self, options: ImageOptions | None = None) -> list[StackPlan]:
        return asyncio.run(self.prepared.plan(options))

    def images(self, *, is_built: bool) -> Sequence[ImagePlan]:
        self.there = () if is_built else ("api", "worker")
        return asyncio.run(self.prepared.look_at_images(self.image, ImageOptions()))

    def _synthesised(self, environment: object, stack: Stack) -> Sequence[SynthesisedImage]:
        assert environment is self.prepared.environment
        assert stack.name == IMAGE
        return [
            SynthesisedImage(
                key=key,
                repository=FakeRepository(
                    *([stored_image("sha256:1", f"content-{key}")] if key in self.there else ())
                ),
                tags=(f"content-{key}",),
                pushes=(f"docker_registry_image.{key}",),
                image="docker_image.both",
                log=stack.folder / "build.log",
            )
            for key in ("api", "worker")
        ]

    async def _network(self) -> str:
        return "host"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def planned(plans: Sequence[StackPlan]) -> list[tuple[str, PlanSummary, int]]:
    return [(plan.stack.name, plan.summary, len(plan.images)) for plan in plans]


def test_every_stack_is_planned_in_the_order_in_which_it_is_deployed(world: World) -> None:
    world.terraform.plans = {IMAGE: [SERVICE], MAIN: [TOPIC]}
    assert planned(world.plan()) == [(REGISTRY, NOTHING, 0), (IMAGE, SERVICE, 2), (MAIN, TOPIC, 0)]
    look, plan = screen_of(world.prepared).steps
    assert (look.title, look.outcome) == ("Look at the images in ECR", "to build: api, worker")
    assert plan.title == f"Plan {REGISTRY}, {IMAGE}, {MAIN}"
    assert plan.outcome == (
        f"{REGISTRY} no changes; {IMAGE} 1 to change, 1 to replace; {MAIN} 1 to create"
    )


def test_only_the_images_that_ecr_lacks_are_built(world: World) -> None:
    world.there = ["api"]
    (_, image, _) = world.plan()
    assert [each.builds for each in image.images] == [False, True]
    assert [line for line in world.terraform.done if IMAGE in line] == [
        f"plan {IMAGE} "
        + str(
            {
                "targets": ["docker_registry_image.worker"],
                "variables": {BUILD_NETWORK_VARIABLE: "host"},
            }
        )
    ]
    assert screen_of(world.prepared).steps[0].outcome == "to build: worker"


def test_what_is_rebuilt_is_planned_anew_though_ecr_has_it(world: World) -> None:
    world.there = ["api", "worker"]
    world.plan(ImageOptions(rebuild=True))
    (asked,) = (line for line in world.terraform.done if IMAGE in line)
    assert "'replace': ['docker_image.both']" in asked
    assert "targets" not in asked


def test_an_image_stack_that_builds_nothing_needs_no_terraform(world: World) -> None:
    world.there = ["api", "worker"]
    world.terraform.plans = {MAIN: [TOPIC]}
    assert planned(world.plan()) == [(REGISTRY, NOTHING, 0), (IMAGE, NOTHING, 2), (MAIN, TOPIC, 0)]
    assert world.terraform.done == [f"plan {REGISTRY}", f"plan {MAIN}"]
    assert screen_of(world.prepared).steps[0].outcome == "nothing to build"


def test_a_skipped_image_stack_is_planned_if_ecr_has_all_of_it(world: World) -> None:
    world.skip_image_stack()
    world.there = ["api", "worker"]
    plans = world.plan()
    assert [plan.stack.name for plan in plans] == [REGISTRY, IMAGE, MAIN]
    assert world.prepared.skipped_besides(plans) == []


def test_a_skipped_image_stack_with_something_to_build_is_left_out(world: World) -> None:
    skipped = world.skip_image_stack()
    world.there = ["api"]
    plans = world.plan()
    assert [plan.stack.name for plan in plans] == [REGISTRY, MAIN]
    assert world.prepared.skipped_besides(plans) == [skipped]
    assert world.terraform.done == [f"plan {REGISTRY}", f"plan {MAIN}"]


def test_only_stacks_that_are_ready_are_planned(world: World) -> None:
    world.prepared = replace(world.prepared, stacks=world.prepared.stacks[2:])
    assert [plan.stack.name for plan in world.plan()] == [MAIN]
    assert screen_of(world.prepared).steps[-1].outcome == "no changes"


@pytest.mark.parametrize("is_built", [True, False])
def test_the_image_stack_is_planned_alone(world: World, is_built: bool) -> None:
    images = world.images(is_built=is_built)
    world.terraform.plans = {IMAGE: [TOPIC]}
    plan = asyncio.run(world.prepared.plan_images(world.image, images))
    assert plan is not None
    assert plan == StackPlan(
        stack=world.image, summary=TOPIC if is_built else NOTHING, images=images
    )
    assert len(world.terraform.done) == is_built


def test_what_cannot_be_built_here_is_not_planned(world: World) -> None:
    images, stack = world.images(is_built=True), world.image
    world.skip_image_stack()
    assert asyncio.run(world.prepared.plan_images(stack, images)) is None
    assert world.terraform.done == []


def test_nothing_is_shown_where_nothing_is_planned(world: World) -> None:
    assert asyncio.run(world.prepared.plan_stacks([])) == []
    assert screen_of(world.prepared).steps == []


def notes(prepared: PreparedStacks, stack: Stack, **how: Any) -> Sequence[str]:
    (plan,) = asyncio.run(prepared.plan_stacks([stack], **how))
    return plan.notes


def test_what_a_plan_means_is_said_with_it(world: World) -> None:
    world.terraform.plans = {REGISTRY: [SERVICE], MAIN: [SERVICE]}
    registry, _, main = world.prepared.stacks
    of_registry, of_main = notes(world.prepared, registry), notes(world.prepared, main)
    assert any("VPC tiny-e is deleted and made anew" in note for note in of_registry)
    # What the environment lacks is said of what runs.
    assert [note for note in of_main if note not in of_registry] == [
        "Alarms ring at nobody: monitoring.alarm_emails is empty."
    ]


def test_of_what_is_destroyed_nothing_needs_to_be_said(world: World) -> None:
    world.terraform.plans = {MAIN: [SERVICE]}
    main = world.prepared.stacks[-1]
    targets = ("aws_vpc.a",)
    (plan,) = asyncio.run(world.prepared.plan_stacks([main], destroy=True, targets=targets))
    assert (plan.notes, plan.destroy, plan.targets) == ((), True, targets)
    assert world.terraform.done == [f"plan {MAIN} {{'destroy': True, 'targets': {targets}}}"]
