"""What changes between the plan of the image stack and its apply."""

import json

import pytest

from prod_e_ops.errors import SourceChanged
from prod_e_ops.images.image_plan import ImageOptions
from prod_e_ops.stacks.images.image_apply import apply_images
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from tests.support.project.image_stack import (
    World,
)

pytestmark = pytest.mark.slow


def test_what_somebody_pushes_before_the_apply_is_not_built_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = world.tags()["latest"]
    commit = world.change()

    async def work(prepared: PreparedStacks) -> StackPlan:
        plan = await world.plan_with(prepared)
        assert plan.images[0].builds
        # Another image stands for what another machine has built of this content.
        for image in plan.images:
            repository = image.synthesised.repository
            await repository.tag(before, [image.synthesised.content_tag])
        (world.stack / "api-image.log").unlink()
        await apply_images(prepared, plan, ImageOptions(), yes=True)
        return plan

    content = world.with_the_stack(work).images[0].synthesised.content_tag
    assert "Somebody has pushed or tagged images in the meantime" in capsys.readouterr().err
    assert world.log == ""
    assert world.tags()[content] == world.tags()[f"git-{commit}"] == before


def test_a_source_that_changes_after_the_plan_was_shown_is_not_built(world: World) -> None:
    before = world.tags()
    world.change()
    (world.stack / "api-image.log").unlink()

    async def work(prepared: PreparedStacks) -> StackPlan:
        plan = await world.plan_with(prepared)
        assert [image.builds for image in plan.images] == [True, True]
        (world.source / "content").write_text("nobody has seen this")
        await apply_images(prepared, plan, ImageOptions(), yes=True)
        return plan

    with pytest.raises(SourceChanged) as refused:
        world.with_the_stack(work)
    assert "no image was built" in refused.value.message
    assert world.log == ""
    assert world.tags() == before


def test_images_are_planned_anew_where_their_state_has_changed_meanwhile(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.change()

    async def work(prepared: PreparedStacks) -> StackPlan:
        plan = await world.plan_with(prepared)
        state = json.loads(world.state.read_text())
        world.state.write_text(json.dumps({**state, "serial": state["serial"] + 1}))
        await apply_images(prepared, plan, ImageOptions(), yes=True)
        return plan

    content = world.with_the_stack(work).images[0].synthesised.content_tag
    assert "The state of tiny-e-image has changed since it was planned" in capsys.readouterr().err
    assert world.tags()["latest"] == world.tags()[content]
