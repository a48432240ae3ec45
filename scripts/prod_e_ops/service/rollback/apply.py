"""Lets a service run what it is to go back to, and verifies that it does."""

from prod_e.delivery.image_tag import FOLLOWED_TAG
from prod_e_ops import next_commands
from prod_e_ops.aws.events import rule_is_enabled
from prod_e_ops.errors import DeployedMeanwhile, OpsError, RollbackFailed
from prod_e_ops.images.ecr import StoredImage
from prod_e_ops.images.inventory import short_digest
from prod_e_ops.service.follow import deployment_begun, follow_deployment
from prod_e_ops.service.model import Deployment
from prod_e_ops.service.rollback.state import ServiceState
from prod_e_ops.service.rollback.target import RollbackTarget
from prod_e_ops.terminal.terminal import Terminal

# The way of a push to a deployment: EventBridge, Step Functions, ECS. It mostly takes two seconds.
_BEGINS_BY_ITSELF_SECONDS = 20.0


async def apply_target(
    state: ServiceState, target: RollbackTarget, terminal: Terminal
) -> Deployment:
    """Begins the deployment of the target and follows it to its end.

    Raises `RollbackFailed` if it does not succeed.
    """
    deployments, definition = state.deployments, target.definition
    before = state.status.deployment
    if definition is not None:
        await deployments.begin(task_definition=definition.name)
    elif target.image is not None:
        await _move_followed_tag(state, target.image, before, terminal)
    try:
        return await follow_deployment(
            deployments.environment, deployments.key, since=before.created_at, terminal=terminal
        )
    except OpsError as error:
        left = (
            f"The tag {FOLLOWED_TAG} names {target.name} now."
            if definition is None
            else "The settings are as they were."
        )
        raise RollbackFailed(
            f"The rollback to {target.name} did not succeed. {error.message}",
            details=[*error.details, left],
            next_step=error.next_step,
        ) from None


async def _move_followed_tag(
    state: ServiceState, image: StoredImage, before: Deployment, terminal: Terminal
) -> None:
    """Lets `latest` name the image and sees to it that a deployment begins."""
    deployments, repository = state.deployments, state.repository
    moved = ""
    if FOLLOWED_TAG not in image.tags:
        by_itself = await rule_is_enabled(
            deployments.names.redeploy, region=deployments.environment.region
        )
        with terminal.step(f"Move {FOLLOWED_TAG} to {short_digest(image.digest)}") as step:
            await repository.tag(image.digest, [FOLLOWED_TAG])
            moved = f"{FOLLOWED_TAG} names {short_digest(image.digest)} already"
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
    await deployments.begin(left=moved or "nothing was changed")


async def verify_target(
    state: ServiceState, target: RollbackTarget, deployment: Deployment, terminal: Terminal
) -> None:
    """Whether the tasks run what they are to run, and not only something that is healthy.

    Raises `DeployedMeanwhile` if they do not.
    """
    image, definition = target.image, target.definition
    deployments = state.deployments
    look = next_commands.status(deployments.key, environment=deployments.environment.name)
    with terminal.step("Verify what runs") as step:
        if definition and deployment.revision.task_definition != definition.name:
            raise DeployedMeanwhile(
                f"{deployments.names.service} runs {deployment.revision.task_definition}, not"
                f" {definition.name}: somebody else deployed at the same time.",
                next_step=f"Look at it with `{look}`.",
            )
        if image is None:
            return
        running = await deployments.running_digests()
        expected = {deployment.revision.digest} - {None} | running
        if expected - image.digests:
            raise DeployedMeanwhile(
                f"{deployments.names.service} runs {', '.join(sorted(map(str, expected)))}, not"
                f" {image.digest}: somebody else pushed or deployed at the same time.",
                next_step=f"Look at it with `{look}`.",
            )
        step.outcome = short_digest(image.digest)
