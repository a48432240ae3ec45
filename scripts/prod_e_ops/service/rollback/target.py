"""What `--to` of a rollback means."""

import re
from dataclasses import dataclass

from prod_e.delivery.image_tag import FOLLOWED_TAG, names_one_build
from prod_e_ops import next_commands
from prod_e_ops.errors import ImageMissing, InvalidOption, TaskDefinitionMissing
from prod_e_ops.images.ecr import StoredImage
from prod_e_ops.images.inventory import most_specific_tag, reference_in, short_digest
from prod_e_ops.project.project import Project, did_you_mean
from prod_e_ops.project.settings_edit import SettingsEdit, edit_image_tag
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.model import TaskDefinition
from prod_e_ops.service.rollback.state import ServiceState

_SHORTEST_DIGEST = 7
_UNCHANGED = "Nothing was changed."


@dataclass(frozen=True, kw_only=True)
class RollbackTarget:
    """What the service is to run.

    `image`: what it is to run; None for an image of another registry, which is not looked at.
    `definition`: the task definition to set; None: the tag that the present one follows moves.
    `change`: of the settings, so that the next deployment keeps it; None: they say so already.
    """

    image: StoredImage | None
    definition: TaskDefinition | None
    change: SettingsEdit | None

    @property
    def name(self) -> str:
        """For people."""
        image = self.image
        shown = (most_specific_tag(image) or short_digest(image.digest)) if image else ""
        if self.definition and image:
            return f"{self.definition.name} ({shown})"
        return self.definition.name if self.definition else shown


async def resolve_target(project: Project, state: ServiceState, to: str) -> RollbackTarget:
    """What `to` means; raises `UserMistake` if that is nothing."""
    deployments, repository = state.deployments, state.repository
    family = deployments.names.task_family
    images = {use.image.digest: use.image for use in state.found.uses}
    tagged = next((image for image in images.values() if to in image.tags), None)
    revision = re.fullmatch(r"(?:(?P<family>[\w-]+):)?(?P<number>[1-9]\d*)", to, re.ASCII)
    if revision and revision["family"] is None and tagged:
        raise InvalidOption(
            f"{to} is both a tag in {repository.name} and a number of a task definition.",
            details=[_UNCHANGED],
            next_step=f"Say --to {family}:{to} or --to {short_digest(tagged.digest)}.",
        )
    if tagged:
        return _to_image(project, state, tagged)
    if to.startswith("sha256:"):
        fitting = [image for digest, image in images.items() if digest.startswith(to)]
        if len(to) < len("sha256:") + _SHORTEST_DIGEST:
            raise InvalidOption(
                f"{to} is too short: take {_SHORTEST_DIGEST} digits of a digest or more.",
                details=[_UNCHANGED],
            )
        if len(fitting) == 1:
            return _to_image(project, state, fitting[0])
        problem = "is the beginning of several digests" if fitting else "is not"
        raise _no_such_image(state, f"{to} {problem} in {repository.name}")
    if revision:
        if revision["family"] not in (None, family):
            raise InvalidOption(
                f"{to} is not a revision of {family}, the task definition of"
                f" {deployments.names.service}.",
                details=[_UNCHANGED],
                next_step=f"Say --to {family}:NUMBER.",
            )
        return await _to_revision(project, state, f"{family}:{revision['number']}")
    tags = [tag for image in images.values() for tag in image.tags]
    raise _no_such_image(
        state,
        f"There is no image with the tag {to} in {repository.name}",
        meant=did_you_mean(to, tags),
    )


def _to_image(project: Project, state: ServiceState, image: StoredImage) -> RollbackTarget:
    if state.follows:
        return RollbackTarget(image=image, definition=None, change=None)
    deployments = state.deployments
    use = next(use for use in state.found.uses if use.image.digest == image.digest)
    if not use.definitions:
        shown = most_specific_tag(image)
        by_hand = (
            f'Set image_tag = "{shown}" in {deployments.environment.file} and deploy:'
            f" {next_commands.deploy(deployments.environment.name)}"
            if shown
            else None
        )
        raise ImageMissing(
            f"No active revision of {deployments.names.task_family} runs {use.name}, so there is"
            " nothing for ECS to go back to.",
            details=[_UNCHANGED],
            next_step=by_hand,
        )
    definition = use.definitions[0]
    return RollbackTarget(
        image=image, definition=definition, change=_pin(project, state, definition, image)
    )


async def _to_revision(project: Project, state: ServiceState, name: str) -> RollbackTarget:
    deployments, repository = state.deployments, state.repository
    definition = await deployments.task_definition(name)
    if definition is None or not definition.is_active:
        problem = "does not exist" if definition is None else "is deregistered"
        active = await _newest_names(deployments, 5)
        raise TaskDefinitionMissing(
            f"The task definition {name} {problem}.",
            details=[f"Active, newest first: {', '.join(active) or 'none'}", _UNCHANGED],
        )
    reference = reference_in(definition.image, repository=repository.name)
    if reference is None:
        return RollbackTarget(image=None, definition=definition, change=None)
    image = await repository.image(reference)
    if image is None:
        raise _no_such_image(
            state, f"{name} runs {definition.image}, which is not in {repository.name} any more"
        )
    return RollbackTarget(
        image=image,
        definition=definition,
        change=None if state.follows else _pin(project, state, definition, image),
    )


async def _newest_names(deployments: Deployments, count: int) -> list[str]:
    names: list[str] = []
    async for definition in deployments.task_definitions():
        names.append(definition.name)
        if len(names) == count:
            break
    return names


def _pin(
    project: Project, state: ServiceState, definition: TaskDefinition, image: StoredImage
) -> SettingsEdit | None:
    """The change that pins what the definition names; None if the settings pin that already."""
    deployments = state.deployments
    tag = reference_in(definition.image, repository=state.repository.name)
    if tag is None or tag.startswith("sha256:"):
        tag = most_specific_tag(image)
    if tag is None or tag == state.pinned_tag:
        return None
    if deployments.settings.build == "terraform" and not names_one_build(tag):
        # Under a tag of the user's, the next deployment would build the source as it is now.
        tag = next(filter(names_one_build, image.tags), tag)
    file = project.folder / deployments.environment.file
    return edit_image_tag(file, key=deployments.key, tag=tag)


def _no_such_image(state: ServiceState, problem: str, *, meant: str = "") -> ImageMissing:
    names = [use.name for use in state.found.uses if not state.is_current(use)]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    others = f"{', '.join(names[:10])}{more}" if names else "none"
    environment = state.deployments.environment.name
    return ImageMissing(
        f"{problem}.",
        details=[f"Other images there are: {others}", _UNCHANGED],
        next_step=f"{meant}All images:"
        f" {next_commands.images(state.deployments.key, environment=environment)}",
    )


def runs_already(state: ServiceState, target: RollbackTarget) -> bool:
    """Whether the tasks, and what decides about the next ones, are as they are to be."""
    image, definition = target.image, target.definition
    if image is None or not state.found.run_only(image):
        return False
    if definition is None:
        return FOLLOWED_TAG in image.tags
    return definition.name == state.status.task_definition
