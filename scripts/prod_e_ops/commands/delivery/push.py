"""`prod-e push`: builds a service's image, uploads it to ECR and moves its tags."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prod_e.delivery.build_context import BuildContext, read_build_context
from prod_e.delivery.image_build import PLATFORMS, Build, is_release, names_one_build
from prod_e.names import ServiceNames
from prod_e_ops import next_commands
from prod_e_ops.aws.account import check_account
from prod_e_ops.commands.arguments import EnvironmentOption, Json, Rebuild, ServiceArgument, Yes
from prod_e_ops.context import Context, run
from prod_e_ops.errors import OpsError, ReleaseTaken, UploadFailed, UserMistake
from prod_e_ops.images.docker import Docker, TransferFailed, find_docker
from prod_e_ops.images.ecr import Login, Repository, RepositoryFound, StoredImage
from prod_e_ops.images.tags import move_tags
from prod_e_ops.project.project import Project, service_settings
from prod_e_ops.terminal.terminal import Step, Terminal

if TYPE_CHECKING:
    from prod_e.settings import Environment, Service
    from prod_e_ops.service.model import Deployment

_PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""How long to wait before an upload is tried again; as often as there are pauses."""

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
class PushResult:
    """What a push came to.

    `repository`: its address. `built`: whether the image was built now. `pushed`: whether it was
    uploaded now; otherwise ECR had it.
    """

    repository: str
    digest: str
    tags: tuple[str, ...]
    built: bool
    pushed: bool

    def as_json(self) -> str:
        """For machines."""
        return json.dumps(
            {
                "repository": self.repository,
                "digest": self.digest,
                "tags": list(self.tags),
                "built": self.built,
                "pushed": self.pushed,
            },
            indent=2,
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """For people."""
        return (
            ("repository", self.repository),
            ("digest", self.digest),
            ("tags", ", ".join(self.tags)),
            ("built", "yes" if self.built else "no: ECR has this content already"),
        )


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be pushed, known before anything is asked or built.

    `key`: of the service in the settings. `folder`: its source. `architecture`: `x86_64` or
    `arm64`. `tags`: all of them, in the order in which they move: what starts a deployment last.
    """

    environment: "Environment"
    key: str
    folder: Path
    architecture: str
    build: Build
    release: str | None
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
        return self.service.image_tag == "latest" and "latest" in self.tags

    @property
    def fits_tasks(self) -> bool:
        """Whether the service's tasks, as the settings want them, could run it."""
        return self.architecture == self.service.architecture


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
    wanted = await asyncio.to_thread(
        what_is_wanted, project, project.environment(environment_name), key, options
    )
    if not wanted.fits_tasks:
        terminal.say(
            f"Warning: tasks of {key} run on {wanted.service.architecture} by the settings and"
            f" could not run this image, so {wanted.service.image_tag} does not move to it."
        )
    repository = wanted.repository
    docker, found = await _check(wanted, context, yes=options.yes)
    if options.wait:
        await _newest_deployment(wanted)  # Refuses a service that is not deployed.
    tags, stored = await _check_versions(
        wanted, repository, rebuilds=options.rebuild, left="Nothing was built or pushed."
    )
    to_build = stored is None or options.rebuild
    try:
        if to_build:
            await _build(wanted, docker, found, rebuild=options.rebuild, terminal=terminal)
            digest = await _upload(wanted, docker, repository, found, terminal=terminal)
            # Somebody may have released the same version meanwhile.
            tags, _ = await _check_versions(
                wanted, repository, rebuilds=False, left="No tag moved."
            )
        else:
            assert stored is not None
            digest = stored.digest
        before = await _newest_deployment(wanted) if options.wait else None
        with terminal.step("Move the tags") as step:
            digest, moved = await move_tags(repository, digest, tags)
            step.outcome = ", ".join(moved) or "all of them name it already"
    except asyncio.CancelledError:
        if wanted.is_followed:
            terminal.say("Stopped. `latest` moves last, and only when everything is uploaded.")
        raise
    result = PushResult(
        repository=found.uri, digest=digest, tags=tags, built=to_build, pushed=to_build
    )
    if options.as_json:
        terminal.result(result.as_json())
    else:
        terminal.result("")
        terminal.table(result.rows())
    if before is None:
        for line in _next_steps(wanted, moved):
            terminal.hint(line)
    elif "latest" not in moved:
        terminal.say("`latest` named this image before: nothing is deployed.")
    else:
        from prod_e_ops.service.follow import follow_deployment

        await follow_deployment(wanted.environment, key, since=before.created_at, terminal=terminal)


def what_is_wanted(
    project: Project, environment: "Environment", key: str, options: PushOptions
) -> Wanted:
    """Makes the plan of a push from the settings, the arguments and the source folder.

    Raises `UserMistake` for whatever of these is wrong.
    """
    service = service_settings(environment, key)
    architecture: str = service.architecture
    if options.platform is not None:
        known = {platform: name for name, platform in PLATFORMS.items()}
        if options.platform not in known:
            raise UserMistake(
                f"--platform {options.platform} is none that ECS has.",
                next_step=f"Name one of {', '.join(known)}, or leave it out for the settings'"
                f" {PLATFORMS[architecture]}.",
            )
        architecture = known[options.platform]
    folder = project.folder / environment.source_of(key)
    try:
        context = read_build_context(
            folder, architecture=architecture, build_args=service.build_args
        )
    except (ValueError, OSError) as error:
        problem = f"cannot be read ({error})" if isinstance(error, OSError) else str(error)
        raise UserMistake(
            f"The source of {key}, {project.shown(folder)}, {problem}.",
            next_step=f"Correct it, or `source` of [services.{key}] in {environment.file}: a folder"
            " of the project with a Dockerfile.",
        ) from None
    check_release(options.release)
    for tag in options.tags:
        check_tag(tag)
    build = Build.of(context, architecture=architecture, followed_tag=service.image_tag)
    fits = architecture == service.architecture
    wanted = Wanted(
        environment=environment,
        key=key,
        folder=folder,
        architecture=architecture,
        build=build,
        release=options.release,
        tags=_in_order(
            [tag for tag in build.tags if fits or tag != service.image_tag],
            [*([options.release] if options.release else []), *options.tags],
            last=(service.image_tag, "latest"),
        ),
    )
    if options.wait and not wanted.is_followed:
        why = (
            f'image_tag = "{service.image_tag}" is pinned in {environment.file}'
            if service.image_tag != "latest"
            else f"its tasks could not run {options.platform}"
        )
        raise UserMistake(
            f"--wait has nothing to wait for: a push deploys nothing of {key}, because {why}.",
            next_step="Leave --wait out; the push says how its image is deployed.",
        )
    return wanted


def check_release(release: str | None) -> None:
    """Raises `UserMistake` unless it is `v` and a semantic version."""
    if release is None or (is_release(release) and _TAG.fullmatch(release)):
        return
    raise UserMistake(
        f"--release {release} is not a semantic version with a v in front.",
        next_step="Give one such as v1.4.0 or v2.0.0-rc.1 (https://semver.org; without build"
        " metadata, because a tag cannot hold +).",
    )


def check_tag(tag: str) -> None:
    """Raises `UserMistake` for what is no tag, or is one that builds or releases get."""
    if not _TAG.fullmatch(tag):
        raise UserMistake(
            f"--tag {tag} is not a tag that ECR takes.",
            next_step="Allowed: letters, digits, dots, underscores and hyphens, at most 128, not"
            " starting with a dot or hyphen.",
        )
    if names_one_build(tag):
        raise UserMistake(
            f"--tag {tag} would break the promise that such a tag names one build for good.",
            next_step="Every push gives its image content-<hash> and git-<commit> by itself;"
            " choose another tag.",
        )
    if _VERSION_LIKE.fullmatch(tag):
        raise UserMistake(
            f"--tag {tag} looks like a version, which never moves to other content.",
            next_step=f"Use --release v{tag.removeprefix('v')}.",
        )


def _in_order(*groups: Sequence[str], last: Sequence[str]) -> tuple[str, ...]:
    tags = dict.fromkeys(tag for group in groups for tag in group)
    return tuple(sorted(tags, key=lambda tag: last.index(tag) + 1 if tag in last else 0))


async def _check(wanted: Wanted, context: Context, *, yes: bool) -> tuple[Docker, RepositoryFound]:
    environment, repository = wanted.environment, wanted.repository
    terminal = context.terminal
    with terminal.step("Check Docker, the AWS account and the repository") as step:
        docker = await find_docker(context.processes)
        account = await check_account(environment)
        found = await asyncio.to_thread(repository.find)
        step.outcome = found.uri if found else f"there is no {repository.name} yet"
    if found is None:
        stack = f"{environment.name}-registry"
        terminal.say(
            f"The account {account} has no ECR repository {repository.name} in"
            f" {environment.region}; the stack {stack} creates it."
        )
        if not yes:
            await terminal.confirm(f"Deploy {stack} now?")
        from prod_e_ops.stacks.repositories import create_repositories

        await create_repositories(
            context.project, environment, processes=context.processes, terminal=terminal
        )
        found = await asyncio.to_thread(repository.find)
        if found is None:
            raise OpsError(
                f"{stack} is deployed, but ECR does not show {repository.name}.",
                next_step="Run the command again in a minute; nothing was built.",
            )
    return docker, found


async def _check_versions(
    wanted: Wanted, repository: Repository, *, rebuilds: bool, left: str
) -> tuple[tuple[str, ...], StoredImage | None]:
    """The tags that may move to the image, and the image if ECR has its content already.

    A version that names other content stays where it is: as the release that the user asks for it
    is refused; as the settings' `image_tag`, it is left out beside a new release. `rebuilds`:
    whether the image will be another than the stored one. `left`: what was done before.
    """
    stored = await asyncio.to_thread(repository.image, wanted.content_tag)
    tags = []
    for tag in wanted.tags:
        if is_release(tag):
            known = await asyncio.to_thread(repository.image, tag)
            is_taken = known is not None and (
                rebuilds or stored is None or known.digest != stored.digest
            )
            if is_taken and (tag == wanted.release or wanted.release is None):
                raise _version_taken(wanted, tag, known, left)
            if is_taken:
                continue
        tags.append(tag)
    return tuple(tags), stored


def _version_taken(wanted: Wanted, tag: str, known: StoredImage | None, left: str) -> ReleaseTaken:
    assert known is not None
    others = ", ".join(other for other in known.tags if other != tag)
    where = f"{known.digest} ({others})" if others else known.digest
    if tag == wanted.release:
        return ReleaseTaken(
            f"{tag} is released already, with other content: {where},"
            f" pushed {known.pushed_at:%Y-%m-%d %H:%M}.",
            next_step=f"{left} Give this content a new version with --release.",
        )
    return ReleaseTaken(
        f'image_tag = "{tag}" in {wanted.environment.file} is a release that exists, with other'
        f" content: {where}.",
        next_step="Nothing was built or pushed. Push this content as a new version with --release,"
        " then set image_tag to it and deploy.",
    )


async def _build(
    wanted: Wanted,
    docker: Docker,
    found: RepositoryFound,
    *,
    rebuild: bool,
    terminal: Terminal,
) -> None:
    build = wanted.build
    with terminal.step(f"Build {wanted.key} for {build.platform}") as step:
        await docker.build(
            wanted.folder,
            image=f"{found.uri}:{wanted.content_tag}",
            platform=build.platform,
            build_args=build.build_args,
            network=wanted.service.build_network,
            rebuild=rebuild,
            on_line=step.update,
        )
        now: BuildContext = await asyncio.to_thread(
            read_build_context,
            wanted.folder,
            architecture=wanted.architecture,
            build_args=wanted.service.build_args,
        )
        if now.content_hash != build.content_hash:
            raise UserMistake(
                f"Files in {wanted.folder} changed while it was built, so nobody knows what is in"
                " the image.",
                next_step="Nothing was pushed: run the command again.",
            )
        step.outcome = wanted.content_tag


async def _upload(
    wanted: Wanted,
    docker: Docker,
    repository: Repository,
    found: RepositoryFound,
    *,
    terminal: Terminal,
) -> str:
    """Uploads the image under its content tag alone, and gives its digest.

    After a connection that broke, and with a new token after one that ran out, it goes on where it
    was: the registry has what arrived.
    """
    login: Login | None = None
    with terminal.step(f"Upload to {found.host}") as step:
        async with docker.with_own_configuration() as logged_in:
            for pause in (*_PAUSES_SECONDS, None):
                try:
                    if login is None:
                        login = await asyncio.to_thread(repository.login)
                        await logged_in.login(found.host, user=login.user, password=login.token)
                    digest = await logged_in.push(
                        f"{found.uri}:{wanted.content_tag}", on_line=_Layers(step)
                    )
                    step.outcome = digest
                    return digest
                except TransferFailed as failure:
                    if failure.reason == "credentials":
                        login = None
                    if failure.reason == "refused" or pause is None:
                        raise _not_uploaded(wanted, found, failure) from None
                    step.update(f"{failure}; trying again")
                    await asyncio.sleep(pause)
    raise AssertionError("the last try has no pause after it")


class _Layers:
    """Shows how many of an image's layers are in the registry."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._states: dict[str, str] = {}

    def __call__(self, line: str) -> None:
        layer, is_layer, state = line.partition(": ")
        if is_layer and re.fullmatch(r"[0-9a-f]{12}", layer):
            self._states[layer] = state
        done = sum(state in ("Pushed", "Layer already exists") for state in self._states.values())
        self._step.update(f"{done} of {len(self._states)} layers are there; {line}")


def _not_uploaded(wanted: Wanted, found: RepositoryFound, failure: TransferFailed) -> UploadFailed:
    unmoved = f"No tag moved: the service's {wanted.service.image_tag} is as it was."
    if failure.reason == "refused":
        return UploadFailed(
            f"{found.host} refused the image of {wanted.key}:",
            details=[str(failure)],
            next_step=f"{unmoved} Put right what it says and run the command again.",
        )
    why = (
        "does not accept the tokens that AWS gives for it"
        if failure.reason == "credentials"
        else "could not be reached, or dropped the connection,"
    )
    return UploadFailed(
        f"{found.host} {why} {len(_PAUSES_SECONDS) + 1} times:",
        details=[str(failure)],
        next_step=f"{unmoved} Run the command again: layers that arrived are not sent again.",
    )


async def _newest_deployment(wanted: Wanted) -> "Deployment":
    from prod_e_ops.service.follow import newest_deployment

    return await newest_deployment(wanted.environment, wanted.key)


def _next_steps(wanted: Wanted, moved: Sequence[str]) -> list[str]:
    environment, tag = wanted.environment.name, wanted.service.image_tag
    deploy = next_commands.deploy(environment)
    status = next_commands.status(wanted.key, environment=environment)
    if not wanted.fits_tasks:
        architecture = f'architecture = "{wanted.architecture}"'
        return [f"Set {architecture} in {wanted.environment.file}, then push and {deploy}"]
    if wanted.is_followed:
        if "latest" not in moved:
            return ["`latest` named this image before: nothing is deployed."]
        return [f"ECS deploys it by itself now ({status}); before the first deployment: {deploy}"]
    if tag == "content":
        return [f"{deploy} deploys exactly this content."]
    return [
        f'Set image_tag = "{wanted.release or wanted.content_tag}" in'
        f" {wanted.environment.file}, then {deploy}"
    ]
