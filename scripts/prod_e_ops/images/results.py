"""Images as `--json` shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from prod_e_ops.images.image_plan import ImagePlan
from prod_e_ops.images.inventory import ImageUse, ServiceImages
from prod_e_ops.terminal.json_output import Moment


@dataclass(frozen=True, kw_only=True)
class ScanResult:
    """What ECR's scan of an image came to."""

    status: str | None
    """ECR's: `COMPLETE`, `FAILED`, ...; null if it was not scanned."""

    findings: Mapping[str, int] | None
    """How many of each severity; null unless a scan is complete."""


@dataclass(frozen=True, kw_only=True)
class ImageResult:
    """An image in a service's repository, and what uses it."""

    digest: str
    """Of its manifest: `sha256:...`."""

    tags: Sequence[str]
    """All that name it; empty for one that lost its last tag."""

    parts: Sequence[str]
    """The digests of what an index is made of; empty for any other image."""

    size_bytes: int
    """Its layers, compressed."""

    pushed_at: Moment
    """When it was first pushed."""

    scan: ScanResult
    """What its last scan found."""

    runs: bool
    """Whether a task runs it."""

    last_healthy: bool
    """Whether it is what the service would be rolled back to."""

    failed: bool
    """Whether the newest deployment of it that ended failed."""

    healthy_at: Moment | None
    """When the last deployment of it that succeeded began; null if none did."""

    last_ran_as: str | None
    """The newest task definition that was deployed with it."""

    deployments: Sequence[str]
    """The ids of the deployments of it that succeeded or are under way, the newest first."""

    task_definitions: Sequence[str]
    """The active task definitions that name it, the newest first."""

    @classmethod
    def of(cls, use: ImageUse, found: ServiceImages) -> Self:
        """The result that shows an image of those that were found."""
        image = use.image
        return cls(
            digest=image.digest,
            tags=image.tags,
            parts=image.parts,
            size_bytes=image.size_bytes,
            pushed_at=image.pushed_at,
            scan=ScanResult(status=image.scan_status, findings=image.findings),
            runs=use.runs,
            last_healthy=use is found.last_healthy,
            healthy_at=use.healthy_at,
            failed=use.has_failed,
            last_ran_as=use.last_ran_as,
            deployments=use.deployments,
            task_definitions=[definition.name for definition in use.definitions],
        )


@dataclass(frozen=True, kw_only=True)
class ImagesResult:
    """What `prod-e images` prints."""

    environment: str
    """Its name."""

    service: str
    """The ECS service's name."""

    repository: str
    """The ECR repository's name."""

    images: Sequence[ImageResult]
    """The one pushed last first."""


@dataclass(frozen=True, kw_only=True)
class DeletedImage:
    """An image that was deleted."""

    digest: str
    """Of its manifest."""

    tags: Sequence[str]
    """All that named it."""


@dataclass(frozen=True, kw_only=True)
class PruneResult:
    """What `prod-e images --prune` prints."""

    environment: str
    """Its name."""

    repository: str
    """The ECR repository's name."""

    deleted: Sequence[DeletedImage]
    """The one pushed last first."""

    kept: int
    """How many images stay."""


@dataclass(frozen=True, kw_only=True)
class ImagePlanResult:
    """What a deployment does to the image of one service."""

    service: str
    """Its key in the settings."""

    repository: str
    """The ECR repository's name."""

    content_tag: str
    """The tag of the source's content."""

    digest: str | None
    """Of the image that ECR has of this content; null if it has none."""

    builds: bool
    """Whether it is built and pushed."""

    moves: Sequence[str]
    """The tags that come to name it."""

    followed_tag: str | None
    """The tag that the service runs; null if it runs its content's."""

    followed_digest: str | None
    """What that tag names now; null if it names nothing."""

    explanation: Sequence[str]
    """What is done and why, for people."""

    @classmethod
    def of(cls, plan: ImagePlan) -> Self:
        """The result that shows a plan."""
        image, stored = plan.synthesised, plan.stored
        followed = image.followed_tag
        now = plan.known[followed] if followed else None
        return cls(
            service=image.key,
            repository=image.repository.name,
            content_tag=image.content_tag,
            digest=stored.digest if stored else None,
            builds=plan.builds,
            moves=plan.moves,
            followed_tag=followed,
            followed_digest=now.digest if now else None,
            explanation=[line.strip() for line in plan.lines()],
        )
