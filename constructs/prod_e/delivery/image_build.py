"""How a service's image is built and tagged, whoever does it: Terraform or `prod-e push`.

It needs no cdktf, so that any tool can ask it quickly.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from prod_e.delivery.build_context import BuildContext

RESERVED_BUILD_ARGS = frozenset({"VERSION", "COMMIT"})
"""Build arguments that prod-e itself gives to every build."""

PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""What docker calls the architectures of ECS."""

BUILD_NETWORK_VARIABLE = "build_network"
"""The image stack's variable with the network that a build's steps have where no setting says."""

REBUILD_VARIABLE = "rebuild"
"""The image stack's variable that has every step run anew, on the newest base image."""

_OF_ONE_BUILD = ("content-", "git-")
"""How tags begin that name one build for good."""


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
    def of(cls, context: BuildContext, *, architecture: str, followed_tag: str) -> Self:
        """The build of a context.

        `architecture`: `x86_64` or `arm64`, the one that the context was read for.
        `followed_tag`: a service's `image_tag`. `content` is no tag, and a tag of another build's
        content or commit never comes to name this one.
        """
        tags = [content_tag(context.content_hash)]
        if context.commit:
            tags.append(f"git-{context.commit[:12]}{'-dirty' if context.is_dirty else ''}")
        if followed_tag != "content" and not names_one_build(followed_tag):
            tags.append(followed_tag)
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


def content_tag(content_hash: str) -> str:
    """The tag of the build with this content hash."""
    return f"content-{content_hash}"


def names_one_build(tag: str) -> bool:
    """Whether builds give themselves tags of this kind: by their content or their commit."""
    return tag.startswith(_OF_ONE_BUILD)


_NUMBER = r"(0|[1-9]\d*)"
_PRE_RELEASE = r"(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_RELEASE = re.compile(
    rf"v{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE_RELEASE}(\.{_PRE_RELEASE})*)?", re.ASCII
)


def is_release(tag: str) -> bool:
    """Whether it is `v` and a semantic version, such as `v1.2.3` or `v2.0.0-rc.1`.

    Not with build metadata: a tag cannot hold its `+`. https://semver.org
    """
    return _RELEASE.fullmatch(tag) is not None
