"""How the tags of one build come to name one image, whoever built it."""

from collections.abc import Sequence

from prod_e.delivery.image_tag import FOLLOWED_TAG
from prod_e_ops.images.ecr import Repository

_MOST_RACES = 3


async def move_tags(
    repository: Repository, digest: str, tags: Sequence[str]
) -> tuple[str, list[str]]:
    """Lets all tags name the image; gives its digest, and the tags that named another or none.

    `tags`: the content's first, which names the image already. `latest` moves last. If somebody has
    pushed the same content meanwhile, all of them come to name that image.
    """
    content_tag, *others = tags
    moved: dict[str, None] = {}
    for _ in range(_MOST_RACES):
        stored = await repository.image(digest)
        missing = [tag for tag in others if stored is None or tag not in stored.tags]
        # In two calls, so that Ctrl-C between them leaves what starts a deployment alone.
        for part in (
            [tag for tag in missing if tag != FOLLOWED_TAG],
            [tag for tag in missing if tag == FOLLOWED_TAG],
        ):
            if part:
                await repository.tag(digest, part)
                moved |= dict.fromkeys(part)
        newest = await repository.image(content_tag)
        if newest is None or newest.digest == digest:
            break
        digest = newest.digest
    return digest, list(moved)
