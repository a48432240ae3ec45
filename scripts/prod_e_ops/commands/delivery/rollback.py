"""`prod-e rollback`: lets a service run again what it ran before."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

import typer

from prod_e.delivery.image_build import names_one_build
from prod_e_ops import next_commands
from prod_e_ops.aws.account import check_account
from prod_e_ops.aws.clients import aws_client, aws_errors
from prod_e_ops.commands.arguments import EnvironmentOption, Json, ServiceArgument
from prod_e_ops.commands.delivery.images import existing_repository, shown_use
from prod_e_ops.context import Context, run
from prod_e_ops.errors import (
    DeploymentUnderWay,
    ImageMissing,
    NothingToRollBackTo,
    OpsError,
    UserMistake,
)
from prod_e_ops.images.ecr import Repository, StoredImage
from prod_e_ops.images.inventory import (
    ImageUse,
    ServiceImages,
    most_specific_tag,
    reference_in,
    service_images,
    short_digest,
    tag_in_settings,
)
from prod_e_ops.project.project import Project
from prod_e_ops.project.settings_edit import SettingChange, change_image_tag
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.follow import deployment_begun, follow_deployment
from prod_e_ops.service.model import Deployment, ServiceStatus, TaskDefinition
from prod_e_ops.service.render import deployment_json, shown_minute
from prod_e_ops.terminal.terminal import Terminal

_FOLLOWED = "latest"

# The way of a push to a deployment: EventBridge, Step Functions, ECS. It mostly takes two seconds.
_BEGINS_BY_ITSELF_SECONDS = 20.0

_MOST_SHOWN = 15
_SHORTEST_DIGEST = 7


@dataclass(frozen=True, kw_only=True)
class Destination:
    """What the service is to run.

    `image`: what it is to run; None for an image of another registry, which is not looked at.
    `definition`: the task definition to set; None: the tag that the present one follows moves.
    `change`: of the settings, so that the next deployment keeps it; None: they say so already.
    """

    image: StoredImage | None
    definition: TaskDefinition | None
    change: SettingChange | None

    @property
    def name(self) -> str:
        """For people."""
        image = self.image
        shown = (most_specific_tag(image) or short_digest(image.digest)) if image else ""
        if self.definition and image:
            return f"{self.definition.name} ({shown})"
        return self.definition.name if self.definition else shown


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is known before anything is decided.

    `pinned_tag`: the tag that the settings have the service run, `latest` included; None if it is
    the hash of a source that cannot be read.
    """

    deployments: Deployments
    repository: Repository
    status: ServiceStatus
    found: ServiceImages
    pinned_tag: str | None

    @property
    def follows(self) -> bool:
        """Whether the service runs whatever the tag `latest` names."""
        return self.deployments.settings.image_tag == _FOLLOWED

    def is_current(self, use: ImageUse) -> bool:
        """Whether every task runs it, and the next ones will.

        Not so once ECS has rolled back by itself: the tag or the settings still say what failed.
        """
        if not self.found.run_only(use.image):
            return False
        if self.pinned_tag in use.image.tags:
            return True
        return not self.follows and self.status.deployment.succeeded

    @property
    def candidates(self) -> Sequence[ImageUse]:
        """What can be gone back to, the image pushed last first."""
        return [
            use
            for use in self.found.uses
            if not self.is_current(use) and (self.follows or use.definitions)
        ]

    @property
    def proposal(self) -> ImageUse | None:
        """The candidate that was deployed successfully most recently."""
        healthy = [use for use in self.candidates if use.healthy_at]
        return max(healthy, key=lambda use: use.healthy_at or use.image.pushed_at, default=None)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """For people: what runs, and what can be gone back to."""
        yield "DIGEST", "PUSHED", "USE", "HEALTHY", "DEFINITION", "TAGS"
        candidates = self.candidates
        shown = [use for use in self.found.uses if use.runs or use in candidates]
        for use in shown[:_MOST_SHOWN]:
            named = use.definitions[0].name if use.definitions else use.last_ran_as
            yield (
                short_digest(use.image.digest),
                shown_minute(use.image.pushed_at),
                shown_use(use, self.found),
                shown_minute(use.healthy_at) if use.healthy_at else "-",
                named or "-",
                ", ".join(use.image.tags) or "-",
            )


def rollback(
    service: ServiceArgument,
    environment: EnvironmentOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="TAG|DIGEST|REVISION",
            help="An image's tag or digest (sha256:..., its beginning will do), or a revision of"
            " the task definition: its number, or prod-e-task:12 (default: you choose from a"
            " list).",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Do not ask; without --to take the other image that was healthy most recently.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Return a service to what it ran before, and verify it.

    A service that follows latest gets the tag moved back. A pinned one gets its earlier task
    definition, and the pin in environments/*.toml. Nothing is built. Where the service runs that
    already, nothing is changed and the exit status is 0.

    Example: scripts/deployment/rollback.sh backend --to v1.3.2
    """
    run(lambda context: roll_back(context, service, environment, to=to, yes=yes, as_json=json))


async def roll_back(
    context: Context,
    key: str,
    environment_name: str | None,
    *,
    to: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Returns a service to an earlier image or task definition, waits, and verifies.

    `to`: a tag, a digest or a task definition's revision; None: the user chooses, and `yes` takes
    the image that was healthy most recently.

    Raises `UserMistake` where that cannot be, with the reason and nothing changed, and `OpsError`
    if ECS does not keep it, or the user declines.
    """
    project, terminal = context.project, context.terminal
    environment = project.environment(environment_name)
    deployments = Deployments(environment, key)
    account = await check_account(environment)
    repository = await existing_repository(deployments)
    with terminal.step("Look up what can be gone back to") as step:
        status = await asyncio.to_thread(deployments.status)
        await _refuse_while_under_way(deployments, status)
        situation = await asyncio.to_thread(_situation, project, deployments, repository, status)
        step.outcome = f"{len(situation.candidates)} of {len(situation.found.uses)} images"
    if to is None:
        proposal = situation.proposal
        if not as_json and situation.found.uses:
            terminal.table(list(situation.rows()))
        if proposal is None:
            raise _nothing_to_go_back_to(situation)
        to = proposal.image.digest
        if not yes:
            chosen = await terminal.choose(
                f"To which tag, digest or task definition is {deployments.names.service} to go"
                " back?",
                proposal=proposal.name,
                instead=f"--yes takes {proposal.name}; --to names another one.",
            )
            to = proposal.image.digest if chosen == proposal.name else chosen
    destination = await asyncio.to_thread(_resolve, project, situation, to)
    runs_it = _runs(situation, destination)
    if runs_it and destination.change is None:
        terminal.say(f"{deployments.names.service} runs {destination.name} already.")
        _show_result(situation, destination, None, as_json=as_json, terminal=terminal)
        return
    if destination.change:
        terminal.say(f"{destination.change.file.name} will keep it:")
        for line in destination.change.lines():
            terminal.say(f"  {line}")
    if not yes:
        await terminal.confirm(
            f"Let {deployments.names.service} in the account {account} go back to"
            f" {destination.name}?"
        )
    deployment = None
    if not runs_it:
        deployment = await _go_back(situation, destination, terminal)
        await _verify(situation, destination, deployment, terminal)
    if destination.change:
        destination.change.write()
    _show_result(situation, destination, deployment, as_json=as_json, terminal=terminal)
    for line in _what_comes_next(situation, destination):
        terminal.hint(line)


async def _refuse_while_under_way(deployments: Deployments, status: ServiceStatus) -> None:
    if not status.deployment.under_way:
        return
    environment = deployments.environment.name
    follow = next_commands.status(deployments.key, environment=environment, wait=True)
    wait = f"Follow it with `{follow}`; nothing was changed."
    if status.deployment.status.startswith("ROLLBACK"):
        raise DeploymentUnderWay(
            f"ECS is rolling {deployments.names.service} back by itself: "
            f"{status.deployment.reason or status.progress}",
            next_step=wait,
        )
    # One whose tasks fail is what a rollback is for.
    if not await asyncio.to_thread(deployments.why_stopped, status.deployment):
        raise DeploymentUnderWay(
            f"A deployment of {deployments.names.service} is under way, and none of its tasks has"
            f" failed: {status.progress}.",
            next_step=wait,
        )


def _situation(
    project: Project, deployments: Deployments, repository: Repository, status: ServiceStatus
) -> Situation:
    return Situation(
        deployments=deployments,
        repository=repository,
        status=status,
        # What a pinned service goes back to is a task definition.
        found=service_images(
            deployments, repository, definitions=deployments.settings.image_tag != _FOLLOWED
        ),
        pinned_tag=tag_in_settings(project, deployments),
    )


def _nothing_to_go_back_to(situation: Situation) -> NothingToRollBackTo:
    service, repository = situation.deployments.names.service, situation.repository.name
    push = next_commands.push(
        situation.deployments.key, environment=situation.deployments.environment.name
    )
    others = situation.candidates
    if others:
        names = ", ".join(use.name for use in others[:5])
        return NothingToRollBackTo(
            f"None of the other images of {repository} is known to have been healthy: ECS has no"
            " successful deployment of them in its record, which goes back 90 days.",
            details=[f"There are: {names}"],
            next_step="Nothing was changed. Name the one that you trust with --to.",
        )
    if situation.found.uses and not situation.follows:
        reason = (
            f"no other image in {repository} is named by an active revision of"
            f" {situation.deployments.names.task_family}"
        )
    else:
        reason = f"{repository} holds no other image"
    return NothingToRollBackTo(
        f"There is nothing that {service} could go back to: {reason}.",
        next_step=f"Nothing was changed. Push a good image: {push}",
    )


def _resolve(project: Project, situation: Situation, to: str) -> Destination:
    """What `to` means; raises `UserMistake` if that does not exist any more or never did."""
    deployments, repository = situation.deployments, situation.repository
    family = deployments.names.task_family
    images = {use.image.digest: use.image for use in situation.found.uses}
    tagged = next((image for image in images.values() if to in image.tags), None)
    revision = re.fullmatch(r"(?:(?P<family>[\w-]+):)?(?P<number>[1-9]\d*)", to, re.ASCII)
    if revision and revision["family"] is None and tagged:
        raise UserMistake(
            f"{to} is both a tag in {repository.name} and a number of a task definition.",
            next_step=f"Nothing was changed. Say --to {family}:{to} or --to"
            f" {short_digest(tagged.digest)}.",
        )
    if tagged:
        return _to_image(project, situation, tagged)
    if to.startswith("sha256:"):
        fitting = [image for digest, image in images.items() if digest.startswith(to)]
        if len(fitting) == 1 and len(to) >= len("sha256:") + _SHORTEST_DIGEST:
            return _to_image(project, situation, fitting[0])
        problem = "is the beginning of several digests" if fitting else "is not"
        raise _no_such_image(situation, f"{to} {problem} in {repository.name}")
    if revision:
        if revision["family"] not in (None, family):
            raise UserMistake(
                f"{to} is not a revision of {family}, the task definition of"
                f" {deployments.names.service}.",
                next_step=f"Nothing was changed. Say --to {family}:NUMBER.",
            )
        return _to_revision(project, situation, f"{family}:{revision['number']}")
    raise _no_such_image(situation, f"There is no image with the tag {to} in {repository.name}")


def _to_image(project: Project, situation: Situation, image: StoredImage) -> Destination:
    if situation.follows:
        return Destination(image=image, definition=None, change=None)
    deployments = situation.deployments
    use = next(use for use in situation.found.uses if use.image.digest == image.digest)
    if not use.definitions:
        shown = most_specific_tag(image)
        by_hand = (
            f' Set image_tag = "{shown}" in {deployments.environment.file} and deploy:'
            f" {next_commands.deploy(deployments.environment.name)}"
            if shown
            else ""
        )
        raise ImageMissing(
            f"No active revision of {deployments.names.task_family} runs {use.name}, so there is"
            " nothing for ECS to go back to.",
            next_step=f"Nothing was changed.{by_hand}",
        )
    definition = use.definitions[0]
    return Destination(
        image=image, definition=definition, change=_pin(project, situation, definition, image)
    )


def _to_revision(project: Project, situation: Situation, name: str) -> Destination:
    deployments, repository = situation.deployments, situation.repository
    definition = deployments.task_definition(name)
    if definition is None or not definition.is_active:
        problem = "does not exist" if definition is None else "is deregistered"
        active = [each.name for each in islice(deployments.task_definitions(), 5)]
        raise UserMistake(
            f"The task definition {name} {problem}.",
            details=[f"Active are, the newest first: {', '.join(active) or 'none'}"],
            next_step="Nothing was changed.",
        )
    reference = reference_in(definition.image, repository=repository.name)
    if reference is None:
        return Destination(image=None, definition=definition, change=None)
    image = repository.image(reference)
    if image is None:
        raise _no_such_image(
            situation, f"{name} runs {definition.image}, which is not in {repository.name} any more"
        )
    return Destination(
        image=image,
        definition=definition,
        change=None if situation.follows else _pin(project, situation, definition, image),
    )


def _pin(
    project: Project, situation: Situation, definition: TaskDefinition, image: StoredImage
) -> SettingChange | None:
    """The change that pins what the definition names; None if the settings pin that already."""
    deployments = situation.deployments
    tag = reference_in(definition.image, repository=situation.repository.name)
    if tag is None or tag.startswith("sha256:"):
        tag = most_specific_tag(image)
    if tag is None or tag == situation.pinned_tag:
        return None
    if deployments.settings.build == "terraform" and not names_one_build(tag):
        # Under a tag of the user's, the next deployment would build the source as it is now.
        tag = next(filter(names_one_build, image.tags), tag)
    file = project.folder / deployments.environment.file
    return change_image_tag(file, key=deployments.key, tag=tag)


def _no_such_image(situation: Situation, problem: str) -> ImageMissing:
    names = [use.name for use in situation.found.uses if not situation.is_current(use)]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    others = f"{', '.join(names[:10])}{more}" if names else "none"
    environment = situation.deployments.environment.name
    return ImageMissing(
        f"{problem}.",
        details=[f"Other images there are: {others}"],
        next_step="Nothing was changed. All images:"
        f" {next_commands.images(situation.deployments.key, environment=environment)}",
    )


def _runs(situation: Situation, destination: Destination) -> bool:
    """Whether the tasks, and what decides about the next ones, are as they are to be."""
    image, definition = destination.image, destination.definition
    if image is None or not situation.found.run_only(image):
        return False
    if definition is None:
        return _FOLLOWED in image.tags
    return definition.name == situation.status.task_definition


async def _go_back(
    situation: Situation, destination: Destination, terminal: Terminal
) -> Deployment:
    deployments, definition = situation.deployments, destination.definition
    before = situation.status.deployment
    if definition is not None:
        await asyncio.to_thread(deployments.begin, task_definition=definition.name)
    elif destination.image is not None:
        await _move_followed_tag(situation, destination.image, before, terminal)
    try:
        return await follow_deployment(
            deployments.environment, deployments.key, since=before.created_at, terminal=terminal
        )
    except OpsError as error:
        left = (
            f"The tag {_FOLLOWED} names {destination.name} now."
            if definition is None
            else "The settings are as they were."
        )
        raise OpsError(
            f"The rollback to {destination.name} did not succeed. {error.message}",
            details=[*error.details, left],
            next_step=error.next_step,
        ) from None


async def _move_followed_tag(
    situation: Situation, image: StoredImage, before: Deployment, terminal: Terminal
) -> None:
    """Lets `latest` name the image and sees to it that a deployment begins."""
    deployments, repository = situation.deployments, situation.repository
    moved = ""
    if _FOLLOWED not in image.tags:
        by_itself = await asyncio.to_thread(_redeploys_on_push, deployments)
        with terminal.step(f"Move {_FOLLOWED} to {short_digest(image.digest)}") as step:
            await asyncio.to_thread(repository.tag, image.digest, [_FOLLOWED])
            moved = f"{_FOLLOWED} names {short_digest(image.digest)} already"
            if by_itself:
                begun = await deployment_begun(
                    deployments,
                    since=before.created_at,
                    within=_BEGINS_BY_ITSELF_SECONDS,
                    waiting=lambda: step.update("waiting for the deployment to begin"),
                )
                if begun:
                    step.outcome = "a deployment began"
                    return
    await asyncio.to_thread(deployments.begin, left=moved or "nothing was changed")


def _redeploys_on_push(deployments: Deployments) -> bool:
    """Whether the rule is there that begins a deployment when the followed tag moves."""
    with aws_errors("The rule for the redeployment on push cannot be looked up"):
        events = aws_client("events", region=deployments.environment.region)
        try:
            rule = events.describe_rule(Name=deployments.names.redeploy)
        except events.exceptions.ResourceNotFoundException:
            return False
    return str(rule.get("State")) == "ENABLED"


async def _verify(
    situation: Situation, destination: Destination, deployment: Deployment, terminal: Terminal
) -> None:
    """Whether the tasks run what they are to run, and not only something that is healthy."""
    image, definition = destination.image, destination.definition
    deployments = situation.deployments
    look = next_commands.status(deployments.key, environment=deployments.environment.name)
    with terminal.step("Verify what runs") as step:
        if definition and deployment.revision.task_definition != definition.name:
            raise OpsError(
                f"{deployments.names.service} runs {deployment.revision.task_definition}, not"
                f" {definition.name}: somebody else deployed at the same time.",
                next_step=f"Look at it with `{look}`.",
            )
        if image is None:
            return
        running = await asyncio.to_thread(deployments.running_digests)
        expected = {deployment.revision.digest} - {None} | running
        if expected - image.digests:
            raise OpsError(
                f"{deployments.names.service} runs {', '.join(sorted(map(str, expected)))}, not"
                f" {image.digest}: somebody else pushed or deployed at the same time.",
                next_step=f"Look at it with `{look}`.",
            )
        step.outcome = short_digest(image.digest)


def _show_result(
    situation: Situation,
    destination: Destination,
    deployment: Deployment | None,
    *,
    as_json: bool,
    terminal: Terminal,
) -> None:
    deployments, image, change = situation.deployments, destination.image, destination.change
    definition = destination.definition.name if destination.definition else None
    if as_json:
        shown = {
            "environment": deployments.environment.name,
            "service": deployments.names.service,
            "changed": deployment is not None or change is not None,
            "digest": image.digest if image else None,
            "tags": list(image.tags) if image else [],
            "task_definition": definition
            or (deployment.revision.task_definition if deployment else None)
            or situation.status.task_definition,
            "deployment": deployment_json(deployment) if deployment else None,
            "setting": {
                "file": str(change.file),
                "key": change.setting,
                "before": change.old_value,
                "after": change.new_value,
            }
            if change
            else None,
        }
        terminal.result(json.dumps(shown, indent=2))
    elif deployment is not None:
        terminal.result(f"{deployments.names.service} runs {destination.name}.")
    elif change is not None:
        terminal.result(f'{change.file.name}: image_tag = "{change.new_value}"')


def _what_comes_next(situation: Situation, destination: Destination) -> Iterator[str]:
    change, image = destination.change, destination.image
    environment = situation.deployments.environment
    if change:
        tags = image.tags if image else ()
        commits = [tag.removeprefix("git-") for tag in tags if tag.startswith("git-")]
        commit = f" (commit {', '.join(commits)})" if commits else ""
        yield (
            f"{environment.file} pins {change.new_value}{commit} now: commit it, and the next"
            f" deployment keeps it. `{_as_setting(change)}` goes forward again."
        )
    elif destination.definition:
        yield (
            "The settings are as they were: the next deployment goes forward again, unless"
            f" {environment.file} is changed."
        )
    else:
        yield "The next push or deployment of a changed source goes forward again."
    if destination.definition and change:
        yield "Other settings of that revision go forward with the next deployment."


def _as_setting(change: SettingChange) -> str:
    return f'image_tag = "{change.old_value}"' if change.old_value else "Leaving image_tag out"
