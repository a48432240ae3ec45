"""`prod-e images`: what is in a service's repository, what uses it, and what can go."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from prod_e.delivery.image_build import is_release
from prod_e_ops import next_commands
from prod_e_ops.aws.account import check_account
from prod_e_ops.commands.arguments import EnvironmentOption, Json, ServiceArgument, Yes
from prod_e_ops.context import Context, run
from prod_e_ops.errors import RepositoryMissing
from prod_e_ops.images.ecr import Repository, StoredImage
from prod_e_ops.images.inventory import (
    ImageUse,
    ServiceImages,
    service_images,
    short_digest,
    tag_in_settings,
)
from prod_e_ops.images.scans import with_findings
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.render import iso, shown_minute

_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What pruning does with an image: `keeps` says why it stays, or is None."""

    use: ImageUse
    keeps: str | None


def images(
    service: ServiceArgument,
    environment: EnvironmentOption = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Delete old images that no task runs, no successful deployment of the last 90"
            " days ran, and no active task definition, release or followed tag names.",
        ),
    ] = False,
    keep: Annotated[
        int,
        typer.Option(
            "--keep", metavar="N", min=0, help="How many of those --prune keeps, the newest."
        ),
    ] = 10,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Show a service's images in ECR, and what uses each.

    Example: npm run prod-e -- images backend --prune --keep 5
    """
    run(
        lambda context: show_or_prune(
            context, service, environment, prune=prune, keep=keep, yes=yes, as_json=json
        )
    )


async def show_or_prune(
    context: Context,
    key: str,
    environment_name: str | None,
    *,
    prune: bool,
    keep: int,
    yes: bool,
    as_json: bool,
) -> None:
    """Shows the images of a service; `prune` deletes those that nothing could return to.

    `keep`: how many of those stay, the newest first.
    """
    project, terminal = context.project, context.terminal
    environment = project.environment(environment_name)
    deployments = Deployments(environment, key)
    await check_account(environment)
    repository = await existing_repository(deployments)
    followed = tag_in_settings(project, deployments)

    def gather() -> ServiceImages:
        return service_images(deployments, repository, definitions=True)

    found = await asyncio.to_thread(gather)
    if not prune:
        found = await asyncio.to_thread(_with_findings, repository, found)
        if as_json:
            shown = {
                "environment": environment.name,
                "service": deployments.names.service,
                "repository": repository.name,
                "images": [image_as_json(use, found) for use in found.uses],
            }
            terminal.result(json.dumps(shown, indent=2))
        elif found.uses:
            terminal.table(list(_table(found)))
        else:
            terminal.say(f"{repository.name} is empty.")
            terminal.hint(
                f"{next_commands.push(key, environment=environment.name)} pushes the first image."
            )
        return

    doomed = _doomed(found, followed=followed, keep=keep)
    if doomed:
        for use in doomed:
            tags = ", ".join(use.image.tags) or "no tag"
            pushed = f"pushed {shown_minute(use.image.pushed_at)}"
            terminal.say(f"  {short_digest(use.image.digest)}  {pushed}  {tags}")
        size = shown_size(sum(use.image.size_bytes for use in doomed))
        if not yes:
            await terminal.confirm(
                f"Delete these {len(doomed)} of {len(found.uses)} images ({size}) of"
                f" {repository.name}? They cannot be brought back."
            )
        # Meanwhile a deployment may have begun, or a tag moved.
        still = {
            use.image.digest
            for use in _doomed(await asyncio.to_thread(gather), followed=followed, keep=keep)
        }
        doomed = [use for use in doomed if use.image.digest in still]
        with terminal.step(f"Delete {len(doomed)} images of {repository.name}"):
            stay = [use.image for use in found.uses if use not in doomed]
            await asyncio.to_thread(repository.delete, [use.image.digest for use in doomed])
            # ECR keeps what an index is made of as long as there is one that has it.
            parts = {part for use in doomed for part in use.image.parts}
            parts -= {digest for image in stay for digest in image.digests}
            await asyncio.to_thread(repository.delete, sorted(parts))
    kept = len(found.uses) - len(doomed)
    if as_json:
        gone = {
            "environment": environment.name,
            "repository": repository.name,
            "deleted": [{"digest": u.image.digest, "tags": list(u.image.tags)} for u in doomed],
            "kept": kept,
        }
        terminal.result(json.dumps(gone, indent=2))
    else:
        terminal.result(f"{len(doomed)} images deleted, {kept} kept.")


async def existing_repository(deployments: Deployments) -> Repository:
    """The repository of a service; raises `RepositoryMissing` if there is none."""
    environment = deployments.environment
    repository = Repository(environment.region, deployments.names.repository)
    if await asyncio.to_thread(repository.find) is None:
        raise RepositoryMissing(
            f"There is no ECR repository {repository.name} in {environment.region}.",
            next_step="Make it and push the first image:"
            f" {next_commands.push(deployments.key, environment=environment.name)}",
        )
    return repository


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


def image_as_json(use: ImageUse, found: ServiceImages) -> dict[str, object]:
    """For machines; times in ISO 8601, UTC."""
    image = use.image
    return {
        "digest": image.digest,
        "tags": list(image.tags),
        "parts": list(image.parts),
        "size_bytes": image.size_bytes,
        "pushed_at": iso(image.pushed_at),
        "scan": {
            "status": image.scan_status,
            "findings": dict(image.findings) if image.findings is not None else None,
        },
        "runs": use.runs,
        "last_healthy": use is found.last_healthy,
        "healthy_at": iso(use.healthy_at),
        "last_ran_as": use.last_ran_as,
        "deployments": list(use.deployments),
        "task_definitions": [definition.name for definition in use.definitions],
    }


def shown_size(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def shown_use(use: ImageUse, found: ServiceImages) -> str:
    """What an image is used for, in a word or two."""
    if use.runs:
        return "runs"
    if use is found.last_healthy:
        return "last healthy"
    return "was healthy" if use.healthy_at else "-"


def _table(found: ServiceImages) -> Iterator[tuple[str, ...]]:
    yield "DIGEST", "PUSHED", "SIZE", "USE", "DEFINITION", "FINDINGS", "TAGS"
    for use in found.uses:
        newest = use.last_ran_as or (use.definitions[0].name if use.definitions else "-")
        yield (
            short_digest(use.image.digest),
            shown_minute(use.image.pushed_at),
            shown_size(use.image.size_bytes),
            shown_use(use, found),
            newest,
            shown_findings(use.image),
            ", ".join(use.image.tags) or "-",
        )


def _with_findings(repository: Repository, found: ServiceImages) -> ServiceImages:
    scanned = with_findings(repository, [use.image for use in found.uses])
    return replace(
        found,
        uses=tuple(
            replace(use, image=image) for use, image in zip(found.uses, scanned, strict=True)
        ),
    )


def shown_findings(image: StoredImage) -> str:
    """What a scan found, the worst first, such as `2 high, 1 low`; or why that is not known."""
    if image.findings is None:
        return (image.scan_status or "not scanned").lower().replace("_", " ")
    counts: Mapping[str, int] = image.findings
    ranked = sorted(
        (severity for severity, count in counts.items() if count),
        key=lambda each: _SEVERITIES.index(each) if each in _SEVERITIES else len(_SEVERITIES),
    )
    return ", ".join(f"{counts[severity]} {severity.lower()}" for severity in ranked) or "none"


def _doomed(found: ServiceImages, *, followed: str | None, keep: int) -> list[ImageUse]:
    return [v.use for v in verdicts(found, followed=followed, keep=keep) if v.keeps is None]


def _needed(use: ImageUse, followed: str | None) -> str | None:
    if use.runs:
        return "a task runs it"
    if use.deployments:
        return f"the deployment {use.deployments[0]} can be returned to"
    if use.definitions:
        return f"the task definition {use.definitions[0].name} names it"
    if followed in use.image.tags:
        return f"the settings have the service run the tag {followed}"
    releases = [tag for tag in use.image.tags if is_release(tag)]
    return f"it is the release {releases[0]}" if releases else None
