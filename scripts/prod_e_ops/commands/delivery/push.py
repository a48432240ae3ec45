"""`prod-e push`: builds a service's image, uploads it to ECR and moves its tags."""

import asyncio
from typing import Annotated

import typer

from prod_e.delivery.image_tag import FOLLOWED_TAG
from prod_e_ops.aws.account import check_account
from prod_e_ops.commands.arguments import EnvironmentOption, Json, Rebuild, ServiceArgument, Yes
from prod_e_ops.context import Context, run
from prod_e_ops.errors import NotYetVisible, SourceChanged
from prod_e_ops.images.docker.docker import Docker, find_docker
from prod_e_ops.images.ecr import RepositoryFound
from prod_e_ops.images.push.plan import PushOptions, PushPlan, plan_push
from prod_e_ops.images.push.releases import movable_tags
from prod_e_ops.images.push.render import PushResult, next_steps
from prod_e_ops.images.push.upload import upload
from prod_e_ops.images.tags import move_tags
from prod_e_ops.project.project import Project
from prod_e_ops.project.source import read_source
from prod_e_ops.service.follow import follow_deployment, newest_deployment, verify_service
from prod_e_ops.terminal.json_output import to_json
from prod_e_ops.terminal.terminal import Terminal


def push(
    service: ServiceArgument,
    environment: EnvironmentOption = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            "-t",
            metavar="TAG",
            help="One more tag; may be repeated. Not content-..., git-... or a version.",
            show_default=False,
        ),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(
            "--release",
            metavar="vX.Y.Z",
            help="A semantic version as a tag, which never moves to other content.",
            show_default=False,
        ),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            "--platform",
            metavar="PLATFORM",
            help="linux/amd64 or linux/arm64 (default: the settings' architecture).",
            show_default=False,
        ),
    ] = None,
    rebuild: Rebuild = False,
    yes: Yes = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Follow the deployment; fail if ECS rolls it back."),
    ] = False,
    json: Json = False,
) -> None:
    """Build a service's image, push it to ECR and move its tags.

    The tags are content-<hash>, git-<commit> (-dirty with changes that are not committed), the
    release, those of --tag, and the one that the settings follow, such as latest. They move when
    everything is uploaded, latest last; what ECR has already is not built again.

    Example: scripts/deployment/build-and-push.sh backend --release v1.4.0 --wait
    """
    options = PushOptions(
        tags=tuple(tag or ()),
        release=release,
        platform=platform,
        rebuild=rebuild,
        yes=yes,
        wait=wait,
        as_json=json,
    )
    run(lambda context: push_image(context, environment, service, options=options))


async def push_image(
    context: Context,
    environment_name: str | None,
    key: str,
    *,
    options: PushOptions,
) -> None:
    """Checks, builds unless ECR has the content, uploads, and moves the tags once all is there.

    Raises `UserMistake` for what the user can put right, and `OpsError` if Docker, the registry or
    AWS fails; then no tag that something follows has moved, or the message says which did.
    """
    project, terminal = context.project, context.terminal
    plan = await plan_push(project, project.environment(environment_name), key, options)
    if not plan.fits_tasks:
        terminal.say(
            f"Warning: the settings run tasks of {key} on {plan.service.architecture}, which cannot"
            f" run this image: {plan.service.image_tag} does not move to it."
        )
    if plan.release and plan.is_dirty:
        terminal.say(
            f"Warning: {project.shown(plan.folder)} has uncommitted changes: {plan.release}"
            " will match no commit."
        )
    docker, found = await _check(plan, context, yes=options.yes)
    if options.wait:
        # Refuses a service that is not deployed.
        await newest_deployment(plan.environment, key)
    tags, stored = await movable_tags(
        plan, plan.repository, rebuilds=options.rebuild, left="Nothing was built or pushed."
    )
    builds = stored is None or options.rebuild
    try:
        if stored is None or options.rebuild:
            await _build(plan, project, docker, found, rebuild=options.rebuild, terminal=terminal)
            with terminal.step(f"Upload to {found.host}") as step:
                digest = step.outcome = await upload(
                    docker,
                    plan.repository,
                    found,
                    tag=plan.content_tag,
                    unmoved=f"No tag moved: the service's {plan.service.image_tag} is as it was.",
                    on_progress=step.update,
                )
            # Somebody may have released the same version meanwhile.
            tags, _ = await movable_tags(
                plan, plan.repository, rebuilds=False, left="No tag moved."
            )
        else:
            digest = stored.digest
            terminal.say(f"ECR has {plan.content_tag} already: nothing is built.")
        before = await newest_deployment(plan.environment, key) if options.wait else None
        with terminal.step("Move the tags") as step:
            digest, moved = await move_tags(plan.repository, digest, tags)
            step.outcome = ", ".join(moved) or "all of them name it already"
    except asyncio.CancelledError:
        if plan.is_followed:
            terminal.say(
                f"Stopped. `{FOLLOWED_TAG}` moves last, and only when everything is uploaded."
            )
        raise
    result = PushResult(repository=found.uri, digest=digest, tags=tags, built=builds, pushed=builds)
    if options.as_json:
        terminal.result(to_json(result))
    else:
        terminal.result(str(result))
    if before is None:
        for line in next_steps(plan, moved):
            terminal.hint(line)
    elif FOLLOWED_TAG not in moved:
        terminal.say(f"`{FOLLOWED_TAG}` named this image before: nothing is deployed.")
        # A job that is run again must not turn green because there was nothing to push.
        image = await plan.repository.image(digest)
        await verify_service(
            plan.environment,
            key,
            digests=image.digests if image else (digest,),
            terminal=terminal,
        )
    else:
        await follow_deployment(plan.environment, key, since=before.created_at, terminal=terminal)


async def _check(plan: PushPlan, context: Context, *, yes: bool) -> tuple[Docker, RepositoryFound]:
    environment, repository = plan.environment, plan.repository
    terminal = context.terminal
    with terminal.step("Check Docker, the AWS account and the repository") as step:
        docker = await find_docker(context.processes)
        account = await check_account(environment)
        found = await repository.find()
        step.outcome = found.uri if found else f"there is no {repository.name} yet"
    if found is None:
        stack = environment.names.registry_stack
        terminal.say(
            f"The account {account} has no ECR repository {repository.name} in"
            f" {environment.region}; the stack {stack} creates it."
        )
        if not yes:
            await terminal.confirm(f"Deploy {stack} now?")
        from prod_e_ops.stacks.images.repositories import create_repositories

        await create_repositories(context, environment)
        found = await repository.find()
        if found is None:
            raise NotYetVisible(
                f"{stack} is deployed, but ECR does not show {repository.name}.",
                details=["Nothing was built."],
                next_step="Run the command again in a minute.",
            )
    return docker, found


async def _build(
    plan: PushPlan,
    project: Project,
    docker: Docker,
    found: RepositoryFound,
    *,
    rebuild: bool,
    terminal: Terminal,
) -> None:
    build = plan.build
    with terminal.step(f"Build {plan.key} for {build.platform}") as step:
        warnings = await docker.build(
            plan.folder,
            image=f"{found.uri}:{plan.content_tag}",
            platform=build.platform,
            build_args=build.build_args,
            network=plan.service.build_network,
            rebuild=rebuild,
            on_step=step.update,
        )
        now = await read_source(project, plan.environment, plan.key, architecture=plan.architecture)
        if now.content_hash != build.content_hash:
            raise SourceChanged(
                f"Files in {plan.folder} changed during the build: what is in the image is"
                " unknown.",
                details=["Nothing was pushed."],
                next_step="Run the command again.",
            )
        step.outcome = plan.content_tag
    for warning in warnings:
        terminal.say(f"{plan.key}: {warning}")
