"""Releases never name other content: which tags a push may move."""

from prod_e.delivery.image_tag import is_release
from prod_e_ops.errors import ReleaseTaken
from prod_e_ops.images.ecr import Repository, StoredImage
from prod_e_ops.images.push.plan import PushPlan


async def movable_tags(
    plan: PushPlan, repository: Repository, *, rebuilds: bool, left: str
) -> tuple[tuple[str, ...], StoredImage | None]:
    """The tags that may move to a push's image, and the image if ECR has its content already.

    A release that names other content stays where it is: as the one that the user asks for it is
    refused; as the settings' `image_tag`, it is left out beside a new release. `rebuilds`: whether
    the image will be another than the stored one. `left`: a sentence that says what was done.

    Raises `ReleaseTaken`.
    """
    stored = await repository.image(plan.content_tag)
    tags = []
    for tag in plan.tags:
        if is_release(tag):
            known = await repository.image(tag)
            if known and (rebuilds or stored is None or known.digest != stored.digest):
                if tag == plan.release or plan.release is None:
                    raise _release_taken(plan, tag, known, left)
                continue
        tags.append(tag)
    return tuple(tags), stored


def _release_taken(plan: PushPlan, tag: str, known: StoredImage, left: str) -> ReleaseTaken:
    others = ", ".join(other for other in known.tags if other != tag)
    where = f"{known.digest} ({others})" if others else known.digest
    if tag == plan.release:
        return ReleaseTaken(
            f"{tag} is released already, with other content: {where},"
            f" pushed {known.pushed_at:%Y-%m-%d %H:%M}. {left}",
            next_step="Give this content a new version with --release.",
        )
    return ReleaseTaken(
        f'image_tag = "{tag}" in {plan.environment.file} is a release that exists, with other'
        f" content: {where}. {left}",
        next_step="Push this content as a new version with --release, then set image_tag to it and"
        " deploy.",
    )
