"""Builds, pushes and tags the images of a plan."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prod_e.delivery.image_tag import content_tag
from prod_e_ops.errors import (
    BuildFailed,
    NotYetVisible,
    OpsError,
    PlanIsStale,
    SourceChanged,
    TagsNotMoved,
)
from prod_e_ops.images.docker.build_log import failed_step, following, warnings_of
from prod_e_ops.images.image_plan import ImageOptions, ImagePlan
from prod_e_ops.images.tags import move_tags
from prod_e_ops.project.source import read_source
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.output.events import Event

if TYPE_CHECKING:
    from prod_e.settings import Environment


async def apply_images(
    prepared: PreparedStacks, plan: StackPlan, options: ImageOptions, *, yes: bool
) -> Mapping[str, datetime]:
    """Applies the plan of the image stack, and sees to it that all tags of a build name one image.

    ECR is asked once more before: if it or the state has changed meanwhile, all is planned anew and
    agreed to again, unless `yes`.

    Gives the services that are deployed anew by that, as the tag that they follow names another
    image: by key, `created_at` of the newest deployment before.

    Raises `SourceChanged` for a source that is not what was planned, and `OpsError` if the build,
    ECR, Docker or Terraform fails.
    """
    now = await prepared.look_at_images(plan.stack, options)
    if not all(one.does_as(other) for one, other in zip(plan.images, now, strict=True)):
        prepared.context.terminal.say(
            "Somebody has pushed or tagged images in the meantime. The new plan:"
        )
        plan = await _plan_again(prepared, plan, now, yes=yes)
    before = await _newest_before(prepared.environment, plan.images)
    try:
        await _build(prepared, plan)
    except PlanIsStale:
        prepared.context.terminal.say(
            f"The state of {plan.stack.name} has changed since it was planned. The new plan:"
        )
        now = await prepared.look_at_images(plan.stack, options)
        plan = await _plan_again(prepared, plan, now, yes=yes)
        await _build(prepared, plan)
    moving = [image for image in plan.images if image.moves]
    pushed = {}
    if moving:
        with prepared.context.terminal.step("Verify the tags in ECR") as step:
            moved: list[str] = []
            for image in moving:
                digest, tags = await _let_tags_agree(image)
                moved += tags
                key = image.synthesised.key
                if key in before and image.follows_another(digest):
                    pushed[key] = before[key]
            step.outcome = f"moved: {', '.join(moved)}" if moved else "each build is one image"
    return pushed


async def _newest_before(
    environment: "Environment", images: Sequence[ImagePlan]
) -> Mapping[str, datetime]:
    """When the newest deployment began of each service that is there and follows a tag."""
    newest = {}
    for image in images:
        deployments = Deployments(environment, image.synthesised.key)
        if deployments.settings.image_tag.follows and await deployments.exists():
            newest[deployments.key] = (await deployments.status()).deployment.created_at
    return newest


async def _plan_again(
    prepared: PreparedStacks, plan: StackPlan, now: Sequence[ImagePlan], *, yes: bool
) -> StackPlan:
    terminal = prepared.context.terminal
    again = await prepared.plan_images(plan.stack, now)
    if again is None:
        raise BuildFailed(
            f"{plan.stack.name} has to build now, and cannot here.",
            details=["Its images are as they were."],
            next_step="Run the command again.",
        )
    for image in again.images:
        for line in image.lines():
            terminal.say(f"  {line}")
    if not yes and not again.is_empty:
        await terminal.confirm("Go on?", declined="No image was built, and no tag moved.")
    return again


async def _check_sources(prepared: PreparedStacks, building: Sequence[ImagePlan]) -> None:
    environment, project = prepared.environment, prepared.context.project
    for image in building:
        key = image.synthesised.key
        try:
            now = (await read_source(project, environment, key)).content_hash
        except (ValueError, OSError):
            now = ""
        if content_tag(now) != image.synthesised.content_tag:
            folder = project.shown(project.folder / environment.source_of(key))
            raise SourceChanged(
                f"Files in {folder} have changed since it was planned: no image was built.",
                next_step="Run the command again.",
            )


async def _build(prepared: PreparedStacks, plan: StackPlan) -> None:
    building = [image for image in plan.images if image.builds]
    if not building:
        return
    await _check_sources(prepared, building)
    project, terminal = prepared.context.project, prepared.context.terminal
    logs = {image.synthesised.image: image.synthesised.log for image in building}
    names = {
        built: " and ".join(i.synthesised.key for i in building if i.synthesised.image == built)
        for built in logs
    }
    with terminal.step(f"Build and push the images of {plan.stack.name}") as step:

        def on_event(event: Event) -> None:
            if event.doing and not event.address.startswith("docker_image."):
                step.update(event.doing)

        try:
            async with following({names[image]: log for image, log in logs.items()}, step.update):
                await prepared.terraform.apply(plan.stack, on_event=on_event)
        except asyncio.CancelledError:
            terminal.say("Stopped. `latest` moves last, and only when its image is pushed.")
            raise
        except PlanIsStale:
            raise
        except OpsError as error:
            for image, log in logs.items():
                if failed := failed_step(_written(log)):
                    raise BuildFailed(
                        f"The image of {names[image]} was not built: {failed.name} failed.",
                        details=[
                            *failed.output,
                            failed.reason,
                            f"All that the build wrote: {project.shown(log)}.",
                            "Nothing of it was pushed, and no tag moved.",
                        ],
                        next_step="Fix this and run it again.",
                    ) from None
            raise error
        step.outcome = ", ".join(
            f"{image.synthesised.key} {image.synthesised.content_tag}" for image in building
        )
    for image, log in logs.items():
        for warning in warnings_of(_written(log)):
            terminal.say(f"{names[image]}: {warning}")


def _written(log: Path) -> str:
    """What a build has written; nothing where it did not begin."""
    return log.read_text("utf-8", "replace") if log.exists() else ""


async def _let_tags_agree(plan: ImagePlan) -> tuple[str, Sequence[str]]:
    """Lets the tags that the plan moves name what the content's tag names.

    Gives the digest of that, and the tags that named another image.
    """
    image = plan.synthesised
    repository = image.repository
    stored = await repository.image(image.content_tag)
    if stored is None:
        raise NotYetVisible(
            f"{repository.name} has no {image.content_tag}, though it should have it by now.",
            next_step="Run the command again: what is missing is built and pushed.",
        )
    tags = [image.content_tag, *(tag for tag in plan.moves if tag != image.content_tag)]
    digest, moved = await move_tags(repository, stored.digest, tags)
    verified = await repository.image(digest)
    missing = [tag for tag in tags if verified is None or tag not in verified.tags]
    if missing:
        raise TagsNotMoved(
            f"Tags of {repository.name} name other images than {image.content_tag}:",
            details=[*missing, "Somebody else is moving them right now."],
            next_step="Run the command again.",
        )
    return digest, moved
