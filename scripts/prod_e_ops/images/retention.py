"""Which images of a service may be deleted, and why the others stay."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from prod_e.delivery.image_tag import is_release
from prod_e_ops.images.inventory import ImageUse, ServiceImages


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What pruning does with an image: `keeps` says why it stays, or is None."""

    use: ImageUse
    keeps: str | None


def verdicts(found: ServiceImages, *, followed: str | None, keep: int) -> Iterator[Verdict]:
    """Yields what pruning does with each image.

    `followed`: see `tag_in_settings`. An image stays if a task runs it, if a deployment of it
    succeeded or is under way, if an active task definition names it, if the followed tag or a
    release names it (its version must never get another content), or if it is among the newest
    `keep` of the others.
    """
    others = 0
    given = []
    for use in found.uses:
        reason = _needed(use, followed)
        if reason is None:
            others += 1
            reason = f"among the newest {keep}" if others <= keep else None
        given.append(Verdict(use=use, keeps=reason))
    needed = {part: v.use.name for v in given if v.keeps for part in v.use.image.parts}
    for verdict in given:
        index = needed.get(verdict.use.image.digest)
        if verdict.keeps is None and index is not None:
            yield replace(verdict, keeps=f"the index {index} is made of it")
        else:
            yield verdict


def deletable(found: ServiceImages, *, followed: str | None, keep: int) -> list[ImageUse]:
    """The images that pruning deletes; see `verdicts`."""
    return [v.use for v in verdicts(found, followed=followed, keep=keep) if v.keeps is None]


def _needed(use: ImageUse, followed: str | None) -> str | None:
    if use.runs:
        return "a task runs it"
    if use.deployments:
        return f"the deployment {use.deployments[0]} can be rolled back to"
    if use.definitions:
        return f"the task definition {use.definitions[0].name} names it"
    if followed in use.image.tags:
        return f"the settings have the service run the tag {followed}"
    releases = [tag for tag in use.image.tags if is_release(tag)]
    return f"it is the release {releases[0]}" if releases else None
