"""What a push does: which source is built, for what, and which tags move to the image."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prod_e.delivery.image_build import PLATFORMS, Build
from prod_e.delivery.image_tag import FOLLOWED_TAG, is_release, names_one_build
from prod_e.names import ServiceNames
from prod_e_ops.errors import InvalidOption, SourceInvalid
from prod_e_ops.images.ecr import Repository
from prod_e_ops.project.project import Project, service_settings
from prod_e_ops.project.source import read_source

if TYPE_CHECKING:
    from prod_e.settings import Environment, Service

# https://docs.docker.com/reference/cli/docker/image/tag/#description
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)

_VERSION_LIKE = re.compile(r"v?\d+\.\d+\.\d+([-+].*)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class PushOptions:
    """What the user wants beyond the service's name; see `prod-e push --help`.

    `tags`: more tags for the image. `release`: `vX.Y.Z`. `platform`: another one than the
    settings'. `rebuild`: builds what ECR has too, without the cache and on the newest base image.
    """

    tags: tuple[str, ...] = ()
    release: str | None = None
    platform: str | None = None
    rebuild: bool = False
    yes: bool = False
    wait: bool = False
    as_json: bool = False


@dataclass(frozen=True, kw_only=True)
class PushPlan:
    """What is to be pushed, known before anything is asked or built.

    `key`: of the service in the settings. `folder`: its source. `architecture`: `x86_64` or
    `arm64`. `is_dirty`: whether the source has changes that are not committed. `tags`: all of
    them, in the order in which they move: what starts a deployment last.
    """

    environment: "Environment"
    key: str
    folder: Path
    architecture: str
    build: Build
    release: str | None
    is_dirty: bool
    tags: tuple[str, ...]

    @property
    def service(self) -> "Service":
        """The service's settings."""
        return self.environment.services[self.key]

    @property
    def repository(self) -> Repository:
        """Where it goes."""
        names = ServiceNames.of(self.environment.name, self.key, self.service)
        return Repository(self.environment.region, names.repository)

    @property
    def content_tag(self) -> str:
        """The tag under which it is uploaded."""
        return self.build.tags[0]

    @property
    def is_followed(self) -> bool:
        """Whether moving the tags starts a deployment."""
        return self.service.image_tag.follows in self.tags

    @property
    def fits_tasks(self) -> bool:
        """Whether the service's tasks, as the settings want them, could run it."""
        return self.architecture == self.service.architecture


async def plan_push(
    project: Project, environment: "Environment", key: str, options: PushOptions
) -> PushPlan:
    """Makes the plan of a push from the settings, the arguments and the source folder.

    Raises `InvalidOption`, `UnknownService` or `SourceInvalid` for whatever of these is wrong.
    """
    service = service_settings(environment, key)
    architecture: str = service.architecture
    if options.platform is not None:
        known = {platform: name for name, platform in PLATFORMS.items()}
        if options.platform not in known:
            raise InvalidOption(
                f"--platform {options.platform} is not one that ECS has.",
                next_step=f"Name one of {', '.join(known)}, or leave it out for the settings'"
                f" {PLATFORMS[architecture]}.",
            )
        architecture = known[options.platform]
    folder = project.folder / environment.source_of(key)
    try:
        context = await read_source(project, environment, key, architecture=architecture)
    except (ValueError, OSError) as error:
        problem = f"cannot be read ({error})" if isinstance(error, OSError) else str(error)
        raise SourceInvalid(
            f"The source of {key}, {project.shown(folder)}, {problem}.",
            next_step=f"Correct it, or `source` of [services.{key}] in {environment.file}: a folder"
            " of the project with a Dockerfile.",
        ) from None
    check_release(options.release)
    for tag in options.tags:
        check_tag(tag)
    build = Build.of(
        context,
        architecture=architecture,
        image_tag=service.image_tag,
        immutable_tags=service.immutable_tags,
    )
    fits = architecture == service.architecture
    plan = PushPlan(
        environment=environment,
        key=key,
        folder=folder,
        architecture=architecture,
        build=build,
        release=options.release,
        is_dirty=context.is_dirty,
        tags=_in_order(
            [tag for tag in build.tags if fits or tag != service.image_tag.moves_to_builds],
            [*([options.release] if options.release else []), *options.tags],
            last=(service.image_tag.setting, FOLLOWED_TAG),
        ),
    )
    if options.wait and not plan.is_followed:
        why = (
            f'image_tag = "{service.image_tag}" is pinned in {environment.file}'
            if not service.image_tag.follows
            else f"its tasks could not run {options.platform}"
        )
        raise InvalidOption(
            f"--wait has nothing to wait for: a push deploys nothing of {key}, because {why}.",
            next_step="Leave --wait out; the push says how its image is deployed.",
        )
    return plan


def check_release(release: str | None) -> None:
    """Raises `InvalidOption` unless it is `v` and a semantic version."""
    if release is None or (is_release(release) and _TAG.fullmatch(release)):
        return
    raise InvalidOption(
        f"--release {release} is not a semantic version with a v in front.",
        next_step="Give one such as v1.4.0 or v2.0.0-rc.1 (https://semver.org; without build"
        " metadata, because a tag cannot hold +).",
    )


def check_tag(tag: str) -> None:
    """Raises `InvalidOption` for what is no tag, or is one that builds or releases get."""
    if not _TAG.fullmatch(tag):
        raise InvalidOption(
            f"--tag {tag} is not a tag that ECR takes.",
            next_step="Allowed: letters, digits, dots, underscores and hyphens, at most 128, not"
            " starting with a dot or hyphen.",
        )
    if names_one_build(tag):
        raise InvalidOption(
            f"--tag {tag} would break the promise that such a tag names one build for good.",
            next_step="Every push gives its image content-<hash> and git-<commit> by itself;"
            " choose another tag.",
        )
    if _VERSION_LIKE.fullmatch(tag):
        raise InvalidOption(
            f"--tag {tag} looks like a version, which never moves to other content.",
            next_step=f"Use --release v{tag.removeprefix('v')}.",
        )


def _in_order(*groups: Sequence[str], last: Sequence[str]) -> tuple[str, ...]:
    tags = dict.fromkeys(tag for group in groups for tag in group)
    return tuple(sorted(tags, key=lambda tag: last.index(tag) + 1 if tag in last else 0))
