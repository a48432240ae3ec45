"""Tags of images: what each kind of them promises, and which one a service runs.

It needs no cdktf, so that any tool can ask it quickly.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

FOLLOWED_TAG = "latest"
"""The tag that services follow: a push that moves it deploys them anew."""

_CONTENT = "content"
_OF_CONTENT = "content-"
_OF_COMMIT = "git-"

_NUMBER = r"(0|[1-9]\d*)"
_PRE_RELEASE = r"(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_RELEASE = re.compile(
    rf"v{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE_RELEASE}(\.{_PRE_RELEASE})*)?", re.ASCII
)


class TagKind(Enum):
    """What a tag in a repository promises.

    `CONTENT`: one build, by the hash of its content. `COMMIT`: one build, by its commit. `RELEASE`:
    one content for good. `FOLLOWED`: it moves with each push. `OTHER`: what its users agree on.
    """

    CONTENT = auto()
    COMMIT = auto()
    RELEASE = auto()
    FOLLOWED = auto()
    OTHER = auto()

    @classmethod
    def of(cls, tag: str) -> "TagKind":
        """The kind of a tag in a repository."""
        if tag == FOLLOWED_TAG:
            return cls.FOLLOWED
        if tag.startswith(_OF_CONTENT):
            return cls.CONTENT
        if tag.startswith(_OF_COMMIT):
            return cls.COMMIT
        return cls.RELEASE if is_release(tag) else cls.OTHER


@dataclass(frozen=True)
class ImageTag:
    """What a service runs: `image_tag` of its settings.

    `setting`: as it stands there: `latest`, `content`, or a tag.
    """

    setting: str

    def __str__(self) -> str:
        """As the settings say it."""
        return self.setting

    @property
    def follows(self) -> str | None:
        """The tag whose move deploys the service anew; None: only a deployment changes it."""
        return FOLLOWED_TAG if self.setting == FOLLOWED_TAG else None

    @property
    def built_from_source(self) -> bool:
        """Whether it runs exactly the content of its source as that is when it is deployed."""
        return self.setting == _CONTENT

    @property
    def pinned_build(self) -> str | None:
        """The tag of one build that exists, by content or commit; None: it runs another tag."""
        return self.setting if names_one_build(self.setting) else None

    @property
    def moves_to_builds(self) -> str | None:
        """The tag that comes to name a new build, besides those of its content and commit.

        `latest`, or one of the user's; None where a build has no tag but its own.
        """
        return None if self.built_from_source or self.pinned_build else self.setting

    def resolve(self, content_hash: str) -> str:
        """The tag that the task definition names. `content_hash`: of the source."""
        return content_tag(content_hash) if self.built_from_source else self.setting


def content_tag(content_hash: str) -> str:
    """The tag of the build with this content hash."""
    return f"{_OF_CONTENT}{content_hash}"


def commit_tag(commit: str, *, is_dirty: bool) -> str:
    """The tag of a build of this commit. `is_dirty`: with changes that are not committed."""
    return f"{_OF_COMMIT}{commit[:12]}{'-dirty' if is_dirty else ''}"


def commit_in(tag: str) -> str | None:
    """The commit that a tag names, shortened; None if it is no commit's."""
    return tag.removeprefix(_OF_COMMIT) if TagKind.of(tag) is TagKind.COMMIT else None


def names_one_build(tag: str) -> bool:
    """Whether builds give themselves tags of this kind: by their content or their commit."""
    return tag.startswith((_OF_CONTENT, _OF_COMMIT))


def is_release(tag: str) -> bool:
    """Whether it is `v` and a semantic version, such as `v1.2.3` or `v2.0.0-rc.1`.

    Not with build metadata: a tag cannot hold its `+`. https://semver.org
    """
    return _RELEASE.fullmatch(tag) is not None
