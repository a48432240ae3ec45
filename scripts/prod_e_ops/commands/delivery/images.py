"""`prod-e images`: what is in a service's repository, what uses it, and what can go."""

from typing import Annotated

import typer

from prod_e_ops import next_commands
from prod_e_ops.aws.account import check_account
from prod_e_ops.commands.arguments import EnvironmentOption, Json, ServiceArgument, Yes
from prod_e_ops.context import Context, run
from prod_e_ops.images.inventory import (
    existing_repository,
    service_images,
    short_digest,
    tag_in_settings,
    with_scan_findings,
)
from prod_e_ops.images.render import image_rows, shown_size
from prod_e_ops.images.results import DeletedImage, ImageResult, ImagesResult, PruneResult
from prod_e_ops.images.retention import deletable
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.render import shown_minute
from prod_e_ops.terminal.json_output import to_json


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

    Example: ./prod-e images backend --prune --keep 5
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
    followed = await tag_in_settings(project, deployments)
    found = await service_images(deployments, repository, definitions=True)
    if not prune:
        found = await with_scan_findings(repository, found)
        if as_json:
            result = ImagesResult(
                environment=environment.name,
                service=deployments.names.service,
                repository=repository.name,
                images=[ImageResult.of(use, found) for use in found.uses],
            )
            terminal.result(to_json(result))
        elif found.uses:
            terminal.table(list(image_rows(found)))
        else:
            terminal.say(f"{repository.name} is empty.")
            terminal.hint(
                f"{next_commands.push(key, environment=environment.name)} pushes the first image."
            )
        return

    deleted = deletable(found, followed=followed, keep=keep)
    if deleted:
        for use in deleted:
            tags = ", ".join(use.image.tags) or "no tag"
            pushed = f"pushed {shown_minute(use.image.pushed_at)}"
            terminal.say(f"  {short_digest(use.image.digest)}  {pushed}  {tags}")
        size = shown_size(sum(use.image.size_bytes for use in deleted))
        if not yes:
            await terminal.confirm(
                f"Delete these {len(deleted)} of {len(found.uses)} images ({size}) of"
                f" {repository.name}? They cannot be brought back."
            )
        # Meanwhile a deployment may have begun, or a tag moved.
        now = await service_images(deployments, repository, definitions=True)
        still = {use.image.digest for use in deletable(now, followed=followed, keep=keep)}
        deleted = [use for use in deleted if use.image.digest in still]
        with terminal.step(f"Delete {len(deleted)} images of {repository.name}"):
            stay = [use.image for use in found.uses if use not in deleted]
            await repository.delete([use.image.digest for use in deleted])
            # ECR keeps what an index is made of as long as there is one that has it.
            parts = {part for use in deleted for part in use.image.parts}
            parts -= {digest for image in stay for digest in image.digests}
            await repository.delete(sorted(parts))
    kept = len(found.uses) - len(deleted)
    if as_json:
        pruned = PruneResult(
            environment=environment.name,
            repository=repository.name,
            deleted=[DeletedImage(digest=use.image.digest, tags=use.image.tags) for use in deleted],
            kept=kept,
        )
        terminal.result(to_json(pruned))
    else:
        terminal.result(f"{len(deleted)} images deleted, {kept} kept.")
