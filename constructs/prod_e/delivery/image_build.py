"""How a service's image is built and tagged, whoever does it: Terraform or `prod-e push`.

It needs no cdktf, so that any tool can ask it quickly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from prod_e.delivery.build_context import BuildContext
from prod_e.delivery.image_tag import ImageTag, commit_tag, content_tag

RESERVED_BUILD_ARGS = frozenset({"VERSION", "COMMIT"})
"""Build arguments that prod-e itself gives to every build."""

PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""What docker calls the architectures of ECS."""

BUILD_NETWORK_VARIABLE = "build_network"
"""The image stack's variable with the network that a build's steps have where no setting says."""

REBUILD_VARIABLE = "rebuild"
"""The image stack's variable that has every step run anew, on the newest base image."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """One build of a folder.

    `content_hash`: see `BuildContext`. `platform`: for `docker build --platform`. `build_args`:
    what the Dockerfile may ask for; `COMMIT` is the one that the content is built from now, which
    stays in the image when a later commit has the same content. `tags`: the content hash's first,
    then the commit's if known, then the one that is followed.
    """

    content_hash: str
    platform: str
    build_args: Mapping[str, str]
    tags: tuple[str, ...]

    @classmethod
    def of(
        cls,
        context: BuildContext,
        *,
        architecture: str,
        image_tag: ImageTag,
        immutable_tags: bool = False,
    ) -> Self:
        """The build of a context.

        `architecture`: `x86_64` or `arm64`, the one that the context was read for.
        `image_tag`: what the service runs. `immutable_tags`: whether tags cannot move, so that
        changes which are not committed are tagged by their content alone.
        """
        tags = [content_tag(context.content_hash)]
        if context.commit and not (context.is_dirty and immutable_tags):
            tags.append(commit_tag(context.commit, is_dirty=context.is_dirty))
        if image_tag.moves_to_builds:
            tags.append(image_tag.moves_to_builds)
        return cls(
            content_hash=context.content_hash,
            platform=PLATFORMS[architecture],
            build_args={
                **context.build_args,
                "VERSION": context.content_hash,
                "COMMIT": context.revision,
            },
            tags=tuple(tags),
        )
