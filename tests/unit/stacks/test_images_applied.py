"""Images of a plan that are built and tagged, and what else may come in the meantime."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e.delivery.build_context import read_build_context
from prod_e.delivery.image_tag import content_tag
from prod_e_ops.errors import (
    BuildFailed,
    Declined,
    NotYetVisible,
    OpsError,
    PlanIsStale,
    SourceChanged,
    TagsNotMoved,
)
from prod_e_ops.images.ecr import StoredImage
from prod_e_ops.images.image_plan import ImageOptions, ImagePlan, SynthesisedImage
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.images import image_apply
from prod_e_ops.stacks.images.image_apply import apply_images
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.output.events import Event
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from tests.support.project.prepared_world import (
    PlannedTerraform,
    change,
    prepared_in,
    screen_of,
)

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
BUILT = PlanSummary(created=(change("docker_image.backend"),))
FAILED_BUILD = "#8 [build 3/5] RUN npm ci\n#8 1.2 no such package\n#8 ERROR: exit code: 1\n"


@dataclass
class Ecr:
    """A repository; `takes_back`: somebody else moves this tag back at once."""

    name: str = "tiny-e-backend"
    tags: dict[str, str] = field(default_factory=dict)
    takes_back: str | None = None

    async def image(self, reference: str) -> StoredImage | None:
        digest = self.tags.get(reference, reference)
        tags = tuple(sorted(tag for tag, named in self.tags.items() if named == digest))
        if not tags:
            return None
        return StoredImage(digest=digest, tags=tags, pushed_at=BEFORE, size_bytes=1)

    async def tag(self, digest: str, tags: Sequence[str]) -> None:
        for tag in tags:
            if tag != self.takes_back:
                self.tags[tag] = digest


class Service:
    """A service; `exists`: whether it is there."""

    there = True

    def __init__(self, environment: Any, key: str) -> None:
        self.key = key
        self.settings = environment.services[key]

    async def exists(self) -> bool:
        return self.there

    async def status(self) -> Any:
        return SimpleNamespace(deployment=SimpleNamespace(created_at=BEFORE))


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> type[Service]:
    monkeypatch.setattr(Service, "there", True)
    monkeypatch.setattr(image_apply, "Deployments", Service)
    return Service


@dataclass
class World:
    """One image that is planned; its build pushes it under its content's tag."""

    prepared: PreparedStacks
    terraform: PlannedTerraform
    ecr: Ecr
    image: SynthesisedImage
    options: ImageOptions = field(default_factory=ImageOptions)

    def planned(self) -> StackPlan:
        return asyncio.run(self._planned())

    async def _planned(self) -> StackPlan:
        known = {tag: await self.ecr.image(tag) for tag in self.image.tags}
        plan = ImagePlan(synthesised=self.image, known=known, options=self.options)
        return StackPlan(stack=self.prepared.stacks[0], summary=BUILT, images=[plan])

    def apply(self, plan: StackPlan, *, yes: bool = True) -> Mapping[str, datetime]:
        return asyncio.run(apply_images(self.prepared, plan, self.options, yes=yes))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    source = tmp_path / "backend"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM scratch\n")
    ecr = Ecr()

    class Building(PlannedTerraform):
        async def apply(self, stack: Stack, **options: Any) -> None:
            await super().apply(stack, **options)
            ecr.tags[image.content_tag] = "sha256:new"

    terraform = Building()
    prepared = prepared_in(tmp_path, terraform, "tiny-e-image")
    settings = prepared.environment.services["backend"]
    context = read_build_context(
        source, architecture=settings.architecture, build_args=settings.build_args
    )
    repository: Any = ecr
    image = SynthesisedImage(
        key="backend",
        repository=repository,
        tags=(content_tag(context.content_hash), "latest"),
        pushes=("docker_registry_image.backend",),
        image="docker_image.backend",
        log=tmp_path / "build.log",
    )
    found = World(prepared, terraform, ecr, image)

    async def look(*_: object) -> Sequence[ImagePlan]:
        return (await found._planned()).images

    monkeypatch.setattr(PreparedStacks, "look_at_images", look)
    return found


def test_a_build_is_pushed_and_the_tag_that_is_followed_moves_to_it(world: World) -> None:
    world.ecr.tags["latest"] = "sha256:old"
    plan = world.planned()
    world.terraform.says = [
        Event(stack="", kind="apply_start", address=address, message="", action="create")
        for address in ("docker_image.backend", "docker_registry_image.backend")
    ]
    assert world.apply(plan) == {"backend": BEFORE}
    assert world.terraform.done == ["apply tiny-e-image"]
    assert world.ecr.tags == {world.image.content_tag: "sha256:new", "latest": "sha256:new"}
    assert screen_of(world.prepared).lines == [
        "Build and push the images of tiny-e-image",
        "Verify the tags in ECR",
    ]


def test_what_a_build_warns_of_is_said_with_the_name_of_its_service(world: World) -> None:
    plan = world.planned()
    apply = world.terraform.apply

    async def warn(stack: Stack, **options: Any) -> None:
        world.image.log.write_text("#7 [2/2] RUN old\n#7 0.1 WARNING: it is old.\n")
        await apply(stack, **options)

    world.terraform.apply = warn  # type: ignore[method-assign]
    world.apply(plan)
    assert "backend: it is old." in screen_of(world.prepared).lines


def test_a_service_that_is_not_there_yet_is_not_deployed_by_a_push(
    world: World, service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "there", False)
    assert world.apply(world.planned()) == {}
    assert world.ecr.tags["latest"] == "sha256:new"


def test_what_ecr_has_is_not_built_again_and_only_its_tag_moves(world: World) -> None:
    world.ecr.tags |= {world.image.content_tag: "sha256:there", "latest": "sha256:old"}
    world.options = ImageOptions(move_followed=True)
    assert world.apply(world.planned()) == {"backend": BEFORE}
    assert world.terraform.done == []
    assert world.ecr.tags["latest"] == "sha256:there"


def test_where_no_tag_moves_nothing_is_verified(world: World) -> None:
    world.ecr.tags |= {world.image.content_tag: "sha256:there", "latest": "sha256:there"}
    assert world.apply(world.planned()) == {}
    assert screen_of(world.prepared).lines == []


@pytest.mark.parametrize("yes", [True, False])
def test_what_somebody_pushed_meanwhile_is_planned_for_anew(world: World, yes: bool) -> None:
    plan = world.planned()
    world.ecr.tags["latest"] = "sha256:theirs"
    world.apply(plan, yes=yes)
    screen = screen_of(world.prepared)
    assert screen.lines[0] == "Somebody has pushed or tagged images in the meantime. The new plan:"
    assert any("latest moves from" in line for line in screen.lines)
    asked = [("Go on?", "No image was built, and no tag moved.")]
    assert screen.asked == ([] if yes else asked)
    assert world.ecr.tags["latest"] == "sha256:new"
    assert world.terraform.done[-1] == "apply tiny-e-image"


def test_a_new_plan_that_is_declined_builds_nothing(world: World) -> None:
    plan = world.planned()
    world.ecr.tags["latest"] = "sha256:theirs"
    screen_of(world.prepared).declines = "Go on?"
    with pytest.raises(Declined):
        world.apply(plan, yes=False)
    assert world.ecr.tags == {"latest": "sha256:theirs"}


def test_a_new_plan_that_does_nothing_is_not_asked_about(world: World) -> None:
    plan = world.planned()
    world.ecr.tags |= {world.image.content_tag: "sha256:theirs", "latest": "sha256:theirs"}
    assert world.apply(plan, yes=False) == {}
    assert screen_of(world.prepared).asked == []
    assert "apply tiny-e-image" not in world.terraform.done


def test_a_plan_that_is_stale_is_made_anew(world: World) -> None:
    world.terraform.ends = {"tiny-e-image": [PlanIsStale("The state has changed.")]}
    assert world.apply(world.planned()) == {"backend": BEFORE}
    assert world.terraform.done[0] == "fail tiny-e-image"
    assert world.terraform.done[-1] == "apply tiny-e-image"
    told = "The state of tiny-e-image has changed since it was planned. The new plan:"
    assert told in screen_of(world.prepared).lines


def test_what_cannot_be_built_here_after_all_is_said(world: World) -> None:
    world.ecr.tags |= {world.image.content_tag: "sha256:there", "latest": "sha256:old"}
    plan = world.planned()
    world.ecr.tags.clear()
    (stack,) = world.prepared.stacks
    skipped = [SkippedStack(stack=stack, reason="no Docker")]
    world.prepared = replace(world.prepared, skipped=skipped)
    with pytest.raises(BuildFailed, match="tiny-e-image has to build now, and cannot here"):
        world.apply(plan)


@pytest.mark.parametrize("breaks", ["changes", "goes"])
def test_a_source_that_changed_since_it_was_planned_is_not_built(
    world: World, tmp_path: Path, breaks: str
) -> None:
    plan = world.planned()
    if breaks == "changes":
        (tmp_path / "backend" / "other.ts").write_text("")
    else:
        (tmp_path / "backend" / "Dockerfile").unlink()
        (tmp_path / "backend").rmdir()
    with pytest.raises(SourceChanged, match="Files in backend have changed since it was planned"):
        world.apply(plan)
    assert world.terraform.done == []


def fails_with(world: World, log: str, error: BaseException) -> None:
    """Its build writes that, and ends so."""

    async def apply(*_: object, **__: object) -> None:
        world.image.log.write_text(log)
        raise error

    world.terraform.apply = apply  # type: ignore[method-assign]


def test_a_step_that_fails_is_told_with_what_it_wrote(world: World) -> None:
    plan = world.planned()
    fails_with(world, FAILED_BUILD, OpsError("Terraform failed."))
    with pytest.raises(
        BuildFailed, match=r"image of backend was not built: \[build 3/5\]"
    ) as error:
        world.apply(plan)
    assert error.value.details == (
        "no such package",
        "exit code: 1",
        "All that the build wrote: build.log.",
        "Nothing of it was pushed, and no tag moved.",
    )
    assert world.ecr.tags == {}


@pytest.mark.parametrize("log", ["", "#8 [build 3/5] RUN npm ci\n#8 DONE 1.0s\n"])
def test_an_error_that_is_no_steps_is_terraforms(world: World, log: str) -> None:
    plan = world.planned()
    fails_with(world, log, OpsError("Terraform failed."))
    with pytest.raises(OpsError, match="Terraform failed"):
        world.apply(plan)


def test_a_build_that_is_interrupted_says_what_holds(world: World) -> None:
    plan = world.planned()
    fails_with(world, "", asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        world.apply(plan)
    assert screen_of(world.prepared).lines[-1].startswith("Stopped. `latest` moves last")


def test_an_image_that_was_pushed_and_is_not_there_is_told(world: World) -> None:
    plan = world.planned()

    async def apply(*_: object, **__: object) -> None:
        pass

    world.terraform.apply = apply  # type: ignore[method-assign]
    with pytest.raises(NotYetVisible, match=f"tiny-e-backend has no {world.image.content_tag}"):
        world.apply(plan)


def test_a_tag_that_somebody_else_moves_back_is_told(world: World) -> None:
    world.ecr.tags["latest"] = "sha256:old"
    plan = world.planned()
    world.ecr.takes_back = "latest"
    with pytest.raises(TagsNotMoved) as error:
        world.apply(plan)
    assert error.value.details == ("latest", "Somebody else is moving them right now.")
