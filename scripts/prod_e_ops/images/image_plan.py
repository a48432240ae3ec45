"""What a deployment does to the images of an environment, told by what ECR has of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prod_e.delivery.image_build import BUILD_NETWORK_VARIABLE, REBUILD_VARIABLE
from prod_e.delivery.image_tag import TagKind, is_release, names_one_build
from prod_e.names import ServiceNames
from prod_e_ops.images.docker.docker_daemon import default_build_network
from prod_e_ops.images.ecr import Repository, StoredImage
from prod_e_ops.images.inventory import most_specific_tag, short_digest
from prod_e_ops.project.project import Stack
from prod_e_ops.service.render import shown_minute

if TYPE_CHECKING:
    from prod_e.settings import Environment

MOVE_OPTION = "--move-latest"


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """What the user wants of the images; see `prod-e deploy --help`.

    `rebuild`: builds what ECR has too, without the cache and on the newest base image.
    `move_followed`: lets the followed tag name a build that ECR has.
    """

    rebuild: bool = False
    move_followed: bool = False


@dataclass(frozen=True, kw_only=True)
class SynthesisedImage:
    """The image of one service, as the image stack describes it.

    `tags`: the content's first, then the commit's if known, then the followed one if there is one.
    `pushes`: the addresses of what pushes them. `image`: that of what builds it, which services of
    one source share. `log`: where BuildKit writes what it does.
    """

    key: str
    repository: Repository
    tags: tuple[str, ...]
    pushes: tuple[str, ...]
    image: str
    log: Path

    @property
    def content_tag(self) -> str:
        """The tag of the source as it was synthesised."""
        return self.tags[0]

    @property
    def followed_tag(self) -> str | None:
        """The tag that the service follows; None if it runs its content's."""
        return None if names_one_build(self.tags[-1]) else self.tags[-1]


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """What is done to the image of one service. `known`: what each of its tags names in ECR."""

    synthesised: SynthesisedImage
    known: Mapping[str, StoredImage | None]
    options: ImageOptions

    @property
    def builds(self) -> bool:
        """Whether it is built and pushed: ECR lacks its content, or it is asked for."""
        return (self.stored is None or self.options.rebuild) and not self._is_released

    @property
    def moves(self) -> tuple[str, ...]:
        """The tags that come to name it, the content's included if it is built."""
        if self.builds:
            return self.synthesised.tags
        if self.stored is None:
            return ()
        followed = self.synthesised.followed_tag
        return tuple(
            tag
            for tag in self.synthesised.tags
            if not self._is_there(tag)
            and (
                tag != followed
                or self.known[tag] is None
                or (self.options.move_followed and not is_release(tag))
            )
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is built and no tag moves."""
        return not self.moves

    def does_as(self, other: "ImagePlan") -> bool:
        """Whether both do the same to the same."""
        digests, others = (
            {tag: image and image.digest for tag, image in plan.known.items()}
            for plan in (self, other)
        )
        return self.moves == other.moves and digests == others

    def follows_another(self, digest: str) -> bool:
        """Whether a service that follows a tag runs another image once that names `digest`."""
        followed = self.synthesised.followed_tag
        if followed is None or followed not in self.moves:
            return False
        named = self.known[followed]
        return named is None or named.digest != digest

    def lines(self) -> Iterator[str]:
        """Says what is done, and why."""
        image, stored = self.synthesised, self.stored
        followed = image.followed_tag
        if self._is_released:
            yield (
                f"{image.key}: the release {followed} exists and never gets other content:"
                " nothing is built"
            )
        elif stored is None:
            yield f"{image.key}: ECR has no {image.content_tag}: it is built and pushed"
        elif self.builds:
            yield (
                f"{image.key}: {image.content_tag} is built anew, and moves from"
                f" {short_digest(stored.digest)} (pushed {shown_minute(stored.pushed_at)} UTC)"
            )
        else:
            yield (
                f"{image.key}: ECR has {image.content_tag} (pushed"
                f" {shown_minute(stored.pushed_at)} UTC): nothing is built"
            )
        others = [tag for tag in self.moves if tag not in (image.content_tag, followed)]
        if others:
            yield f"  {', '.join(others)} will name {image.content_tag} too"
        if followed and not self._is_released:
            yield f"  {self._followed_line(followed)}"

    @property
    def stored(self) -> StoredImage | None:
        """What ECR has of its content; None if it has none."""
        return self.known[self.synthesised.content_tag]

    @property
    def _is_released(self) -> bool:
        """Whether the followed tag is a release that would get other content."""
        followed = self.synthesised.followed_tag
        if followed is None or not is_release(followed) or self.known[followed] is None:
            return False
        return self.options.rebuild or not self._is_there(followed)

    def _is_there(self, tag: str) -> bool:
        named, stored = self.known[tag], self.stored
        return named is not None and stored is not None and named.digest == stored.digest

    def _followed_line(self, tag: str) -> str:
        named, content = self.known[tag], self.synthesised.content_tag
        if named is None:
            return f"{tag} is new and names {content}"
        now = f"{_shown(named, besides=tag)} (pushed {shown_minute(named.pushed_at)} UTC)"
        if tag in self.moves:
            return f"{tag} moves from {now} to {content}"
        if self._is_there(tag):
            return f"{tag} names it already"
        stored = self.stored
        assert stored is not None
        return f"{tag} stays at {now}, which is not this source's {content}: {MOVE_OPTION} moves it"


def synthesised_images(environment: "Environment", stack: Stack) -> Sequence[SynthesisedImage]:
    """The images of an image stack, one for each service that it builds."""
    pushes: dict[str, dict[str, str]] = {}
    built_by: dict[str, str] = {}
    for name, arguments in stack.resources.get("docker_registry_image", {}).items():
        key = arguments["//"]["metadata"]["path"].split("/")[1].removesuffix("-image")
        tag = arguments["name"].rpartition(":")[2]
        pushes.setdefault(key, {})[tag] = f"docker_registry_image.{name}"
        found = re.search(r"docker_image\.([\w-]+)", arguments["triggers"]["image_id"])
        assert found is not None
        built_by[key] = found[1]
    return [
        SynthesisedImage(
            key=key,
            repository=Repository(
                environment.region,
                ServiceNames.of(environment.name, key, environment.services[key]).repository,
            ),
            tags=tuple(sorted(tags, key=_rank)),
            pushes=tuple(tags.values()),
            image=f"docker_image.{built_by[key]}",
            log=stack.folder / _log(stack.resources["docker_image"][built_by[key]]),
        )
        for key, tags in pushes.items()
    ]


async def plan_images(
    images: Sequence[SynthesisedImage], options: ImageOptions
) -> Sequence[ImagePlan]:
    """Asks ECR what it has of each image; raises as `Repository` does if it cannot answer."""
    return [
        ImagePlan(
            synthesised=image,
            known={tag: await image.repository.image(tag) for tag in image.tags},
            options=options,
        )
        for image in images
    ]


@dataclass(frozen=True, kw_only=True)
class BuildSelection:
    """What has Terraform build and push the images that are to be built, and no others.

    `targets`, `replace`, `variables`: see `Terraform.plan`.
    """

    targets: Sequence[str]
    replace: Sequence[str]
    variables: Mapping[str, str]


async def select_builds(plans: Sequence[ImagePlan]) -> BuildSelection:
    """What Terraform has to be told for these plans, of which one at least builds."""
    building = [plan for plan in plans if plan.builds]
    rebuilt = {plan.synthesised.image for plan in building if plan.options.rebuild}
    network = await default_build_network()
    return BuildSelection(
        targets=[]
        if len(building) == len(plans)
        else [address for plan in building for address in plan.synthesised.pushes],
        replace=sorted(rebuilt),
        variables={
            **({BUILD_NETWORK_VARIABLE: network} if network else {}),
            **({REBUILD_VARIABLE: "true"} if rebuilt else {}),
        },
    )


def _rank(tag: str) -> int:
    return {TagKind.CONTENT: 0, TagKind.COMMIT: 1}.get(TagKind.of(tag), 2)


def _log(image: Mapping[str, Mapping[str, str]]) -> str:
    return image["build"]["build_log_file"].removeprefix("${path.module}/")


def _shown(image: StoredImage, *, besides: str) -> str:
    tag = most_specific_tag(image)
    return short_digest(image.digest) if tag in (None, besides) else str(tag)
