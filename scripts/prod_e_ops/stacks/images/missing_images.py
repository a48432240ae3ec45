"""Images that a plan has a service run, that nobody builds here, and that ECR does not have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prod_e_ops import next_commands
from prod_e_ops.errors import ImageMissing
from prod_e_ops.images.ecr import Repository
from prod_e_ops.images.inventory import tag_in_settings
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks

_SERVICE, _TASK_DEFINITION = "aws_ecs_service", "aws_ecs_task_definition"


@dataclass(frozen=True, kw_only=True)
class MissingImage:
    """The image of one service. `repository_exists`: otherwise the deployment makes it."""

    key: str
    service: str
    repository: str
    tag: str
    repository_exists: bool

    @property
    def sentence(self) -> str:
        """For people."""
        return f"ECR has no {self.repository}:{self.tag}, which {self.service} is to run."


async def missing_images(
    prepared: PreparedStacks, plans: Sequence[StackPlan]
) -> Sequence[MissingImage]:
    """Looks for the image of every service that these plans deploy, but for those built here."""
    environment = prepared.environment
    missing = []
    for key, settings in environment.services.items():
        deployments = Deployments(environment, key)
        if settings.is_built or not _deploys(deployments, plans):
            continue
        tag = await tag_in_settings(prepared.context.project, deployments)
        repository = Repository(environment.region, deployments.names.repository)
        exists = await repository.find() is not None
        if tag and not (exists and await repository.image(tag)):
            missing.append(
                MissingImage(
                    key=key,
                    service=deployments.names.service,
                    repository=repository.name,
                    tag=tag,
                    repository_exists=exists,
                )
            )
    return missing


def refuse_missing_images(missing: Iterable[MissingImage], *, environment: str) -> None:
    """Raises `ImageMissing` for images that are not in repositories which are there.

    A repository that the deployment makes can hold none before.
    """
    lacking = [image for image in missing if image.repository_exists]
    if lacking:
        pushes = [next_commands.push(image.key, environment=environment) for image in lacking]
        raise ImageMissing(
            "This deployment would start tasks without an image:",
            details=[*(image.sentence for image in lacking), "Nothing was changed."],
            next_step=f"Push it first: {' and '.join(pushes)}",
        )


def first_pushes(missing: Iterable[MissingImage], *, environment: str) -> Sequence[str]:
    """What is to be pushed into repositories that the deployment makes, one line for each."""
    return [
        f"{image.sentence} Push it first, or as soon as the repository is there:"
        f" {next_commands.push(image.key, environment=environment)}"
        for image in missing
        if not image.repository_exists
    ]


def _deploys(deployments: Deployments, plans: Sequence[StackPlan]) -> bool:
    named = {_SERVICE: ("name", deployments.names.service)}
    named[_TASK_DEFINITION] = ("family", deployments.names.task_family)
    return any(
        change.after.get(named[change.type][0]) == named[change.type][1]
        for plan in plans
        for change in plan.summary.made_or_changed
        if change.type in named
    )
