"""What the images of a service are used for: which runs, which was healthy, which is named."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prod_e.delivery.image_tag import FOLLOWED_TAG, TagKind
from prod_e_ops import next_commands
from prod_e_ops.errors import RepositoryMissing
from prod_e_ops.images.ecr import Repository, StoredImage
from prod_e_ops.images.scans import with_findings
from prod_e_ops.project.project import Project
from prod_e_ops.project.source import read_source
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.model import Deployment, TaskDefinition

_SHORT_DIGEST = len("sha256:") + 12


@dataclass(frozen=True, kw_only=True)
class ImageUse:
    """An image in the repository and what uses it.

    `runs`: whether a task runs it. `healthy_at`: when the last deployment of it that succeeded
    began. `has_failed`: whether the newest deployment of it that ended failed. `last_ran_as`: the
    newest task definition that was deployed with it.
    `deployments`: the ids of the deployments of it that succeeded or are under way, newest first.
    `definitions`: the active task definitions that name it by a tag or its digest, newest first.
    """

    image: StoredImage
    runs: bool
    healthy_at: datetime | None
    has_failed: bool
    last_ran_as: str | None
    deployments: tuple[str, ...]
    definitions: tuple[TaskDefinition, ...]

    @property
    def name(self) -> str:
        """The tag that says most about it, or its digest where it has none."""
        return most_specific_tag(self.image) or short_digest(self.image.digest)


@dataclass(frozen=True, kw_only=True)
class ServiceImages:
    """The images of a service, the one pushed last first.

    `running`: the digests that tasks run, of images that are deleted too.
    """

    uses: tuple[ImageUse, ...]
    running: frozenset[str]

    def run_only(self, image: StoredImage) -> bool:
        """Whether every task runs this one, and there are tasks."""
        return bool(self.running) and self.running <= image.digests

    @property
    def last_healthy(self) -> ImageUse | None:
        """The one that does not run and was deployed successfully most recently."""
        found = [use for use in self.uses if use.healthy_at and not use.runs]
        return max(found, key=lambda use: use.healthy_at or use.image.pushed_at, default=None)


async def existing_repository(deployments: Deployments) -> Repository:
    """The repository of a service; raises `RepositoryMissing` if there is none."""
    environment = deployments.environment
    repository = Repository(environment.region, deployments.names.repository)
    if await repository.find() is None:
        raise RepositoryMissing(
            f"There is no ECR repository {repository.name} in {environment.region}.",
            next_step="Make it and push the first image:"
            f" {next_commands.push(deployments.key, environment=environment.name)}",
        )
    return repository


async def service_images(
    deployments: Deployments, repository: Repository, *, definitions: bool
) -> ServiceImages:
    """Asks ECR and ECS about all of it; raises as they do.

    `definitions`: whether every active task definition is read too, at a call to ECS each.
    """
    exists = await deployments.exists()
    history = await deployments.history() if exists else ()
    running = await deployments.running_digests() if exists else frozenset()
    named = [each async for each in deployments.task_definitions()] if definitions else []
    return ServiceImages(
        uses=tuple(
            _use(image, history, running, named, repository.name)
            for image in await repository.images()
        ),
        running=running,
    )


async def with_scan_findings(repository: Repository, found: ServiceImages) -> ServiceImages:
    """The same images with what ECR found in each; raises as `with_findings` does."""
    scanned = await with_findings(repository, [use.image for use in found.uses])
    return replace(
        found,
        uses=tuple(
            replace(use, image=image) for use, image in zip(found.uses, scanned, strict=True)
        ),
    )


async def tag_in_settings(project: Project, deployments: Deployments) -> str | None:
    """The tag that the settings have the service run, `latest` included.

    None if it is the content hash of a source that cannot be read.
    """
    image_tag = deployments.settings.image_tag
    if not image_tag.built_from_source:
        return image_tag.setting
    try:
        context = await read_source(project, deployments.environment, deployments.key)
    except (ValueError, OSError):
        return None
    return image_tag.resolve(context.content_hash)


def names_image(reference: str, image: StoredImage, *, repository: str) -> bool:
    """Whether a container's `image` is this one of that repository, as its tags are now."""
    named = reference_in(reference, repository=repository)
    return named is not None and (named in image.digests or named in image.tags)


def reference_in(reference: str, *, repository: str) -> str | None:
    """The tag or digest of a container's `image`; None if it is of another repository."""
    before, _, digest = reference.partition("@")
    address, _, last = before.rpartition("/")
    name, _, tag = last.partition(":")
    # A repository's own name may have slashes in it; the registry's host comes before the first.
    path = f"{address}/{name}".partition("/")[2]
    if path != repository:
        return None
    return digest or tag or FOLLOWED_TAG


def most_specific_tag(image: StoredImage) -> str | None:
    """Of an image's tags the one that people know best: a release, another of theirs, a hash."""
    ranks = {TagKind.CONTENT: 2, TagKind.COMMIT: 3, TagKind.FOLLOWED: 4}

    def rank(tag: str) -> int:
        return ranks.get(TagKind.of(tag), int(not tag.startswith("v")))

    return min(image.tags, key=lambda tag: (rank(tag), tag), default=None)


def short_digest(digest: str) -> str:
    """Enough of a digest for people to tell images apart."""
    return digest[:_SHORT_DIGEST]


def _use(
    image: StoredImage,
    history: Sequence[Deployment],
    running: frozenset[str],
    named: Sequence[TaskDefinition],
    repository: str,
) -> ImageUse:
    of_image = list(_of_image(image, history, repository))
    return ImageUse(
        image=image,
        runs=bool(image.digests & running),
        healthy_at=next((d.created_at for d in of_image if d.succeeded), None),
        has_failed=next((d.failed for d in of_image if not d.under_way), False),
        last_ran_as=next((d.revision.task_definition for d in of_image), None),
        deployments=tuple(d.id for d in of_image if d.succeeded or d.under_way),
        definitions=tuple(
            each for each in named if names_image(each.image, image, repository=repository)
        ),
    )


def _of_image(
    image: StoredImage, history: Sequence[Deployment], repository: str
) -> Iterator[Deployment]:
    for deployment in history:
        revision = deployment.revision
        if revision.digest is not None:
            if revision.digest in image.digests:
                yield deployment
        # A tag that is known to move says nothing about the past.
        elif not revision.image.endswith(f":{FOLLOWED_TAG}") and names_image(
            revision.image, image, repository=repository
        ):
            yield deployment
