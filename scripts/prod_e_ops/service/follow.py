"""A deployment of a service, followed live until it has ended, and why it failed."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prod_e_ops import next_commands
from prod_e_ops.errors import DeploymentFailed, DeploymentNotBegun, DeploymentTooSlow, OpsError
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.explain import explain
from prod_e_ops.service.model import Deployment, ServiceStatus
from prod_e_ops.terminal.terminal import Terminal

if TYPE_CHECKING:
    from prod_e.settings import Environment

_POLL_SECONDS = 3.0

# How long a push may take to become a deployment: EventBridge, Step Functions, ECS.
_BEGIN_TIMEOUT_SECONDS = 90.0

_NOTHING_KEPT = "ECS no longer keeps its stopped tasks, which would say why."

# ECS itself sets no limit. A new task that pulls, starts and becomes healthy takes minutes.
_PATIENCE_SECONDS = 3600.0


async def service_statuses(services: Sequence[Deployments]) -> Sequence[ServiceStatus]:
    """The status of each of these services."""
    return [await service.status() for service in services]


async def newest_deployment(environment: "Environment", key: str) -> Deployment:
    """The newest deployment of a service, under way or not; see `follow_deployment`."""
    return (await Deployments(environment, key).status()).deployment


async def deployment_begun(
    deployments: Deployments,
    *,
    since: datetime,
    within: float,
    waiting: Callable[[], object] = lambda: None,
) -> Deployment | None:
    """The newest deployment begun after `since`; None if none begins `within` so many seconds.

    `waiting` is called each time that there is none yet.
    """
    deadline = time.monotonic() + within
    while True:
        found = await deployments.history(after=since)
        newer = [deployment for deployment in found if deployment.created_at > since]
        if newer:
            return newer[0]
        if time.monotonic() >= deadline:
            return None
        waiting()
        await asyncio.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0.0)))


async def follow_deployment(
    environment: "Environment",
    key: str,
    *,
    since: datetime | None,
    terminal: Terminal,
    begins_within: float = _BEGIN_TIMEOUT_SECONDS,
    patience: float = _PATIENCE_SECONDS,
) -> Deployment:
    """Shows a deployment live until it has succeeded.

    `key`: of the service in the settings. `since`: `created_at` of the newest deployment before,
    as `newest_deployment` gives it (AWS's clock, not this machine's); None: the newest there is.
    `begins_within`: seconds in which one must begin after `since`. `patience`: seconds that it may
    take.

    Raises `DeploymentFailed` if it ends otherwise than by success, with ECS's reason and those of
    the tasks that stopped, `DeploymentNotBegun` if none begins, and
    `DeploymentTooSlow` if it does not end in time.
    """
    deployments = Deployments(environment, key)
    service = deployments.names.service
    watch = next_commands.status(key, environment=environment.name, wait=True)
    try:
        with terminal.step(f"Deploy {service}") as step:
            if since is None:
                followed = (await deployments.status()).deployment
            else:
                step.update("waiting for the deployment to begin")
                begun = await deployment_begun(
                    deployments,
                    since=since,
                    within=begins_within,
                    waiting=lambda: step.update("waiting for the deployment to begin"),
                )
                if begun is None:
                    raise DeploymentNotBegun(
                        f"No deployment of {service} began within {begins_within:.0f} seconds.",
                        details=[
                            "The service runs what it ran before."
                            f" `{next_commands.plan(environment.name)}` shows whether the"
                            " redeployment on push is deployed."
                        ],
                        next_step="Deploy it with"
                        f" `{next_commands.redeploy(key, environment=environment.name)}`.",
                    )
                followed = begun
            deadline = time.monotonic() + patience
            told: set[str] = set()
            while True:
                status = await deployments.status()
                for event in reversed(status.events):
                    # Their times are whole seconds in places.
                    is_new = event.at >= followed.created_at - timedelta(seconds=1)
                    if is_new and event.id not in told:
                        told.add(event.id)
                        terminal.say(f"  {event}")
                step.update(status.progress)
                ended = await _ended(deployments, followed, status)
                if ended is not None:
                    break
                if time.monotonic() >= deadline:
                    newest = status.deployment
                    last = newest if newest.id == followed.id else followed
                    raise DeploymentTooSlow(
                        f"The deployment of {service} is still {last.state} after"
                        f" {step.seconds / 60:.0f} minutes: {status.progress}.",
                        details=await explain(deployments, followed),
                        next_step=f"ECS goes on with it. Watch it with `{watch}`.",
                    )
                await asyncio.sleep(_POLL_SECONDS)
            step.outcome = (
                f"{status.running} of {status.desired} tasks run {ended.revision.task_definition}"
                if ended.succeeded
                else ended.state
            )
            if not ended.succeeded:
                raise await failure(deployments, ended)
    except asyncio.CancelledError:
        terminal.say(f"ECS goes on with the deployment. Watch it with `{watch}`.")
        raise
    return ended


async def verify_services(
    environment: "Environment",
    terminal: Terminal,
    *,
    pushed: Mapping[str, datetime] | None = None,
    begins_within: float = _BEGIN_TIMEOUT_SECONDS,
) -> None:
    """Waits until the newest deployment of every service of an environment has succeeded.

    Terraform's own wait ends when a service is steady, even if ECS has rolled it back by then or is
    still watching its alarms.

    `pushed`: the services whose followed tag was pushed, by key: `created_at` of the newest
    deployment before that, which is not the one to wait for. `begins_within`: seconds in which one
    must begin after it.

    Raises `DeploymentFailed` if one failed, and `DeploymentNotBegun` if a push was followed by
    none; shows the errors of the other services before that.
    """
    failed: list[OpsError] = []
    for key, before in (pushed or {}).items():
        try:
            await follow_deployment(
                environment, key, since=before, terminal=terminal, begins_within=begins_within
            )
        except (DeploymentFailed, DeploymentNotBegun) as error:
            failed.append(error)
    services = [Deployments(environment, key) for key in environment.services]
    with terminal.step("Verify the services") as step:
        statuses = await service_statuses(services)
        step.outcome = ", ".join(status.summary for status in statuses)
    for service, status in zip(services, statuses, strict=True):
        if service.key in (pushed or {}):
            continue
        try:
            await _succeeded(service, status.deployment, terminal)
        except DeploymentFailed as error:
            failed.append(error)
    for earlier in failed[:-1]:
        terminal.error(earlier)
    if failed:
        raise failed[-1]


async def verify_service(
    environment: "Environment", key: str, *, digests: Collection[str], terminal: Terminal
) -> None:
    """Waits until the newest deployment of one service has succeeded, and is of that image.

    `digests`: of the image, and of those that it lists for each platform.

    Raises `DeploymentFailed` if it failed, and `DeploymentNotBegun` if it is of another image.
    """
    service = Deployments(environment, key)
    deployment = await _succeeded(service, (await service.status()).deployment, terminal)
    deployed = deployment.revision.digest
    if deployed is not None and deployed not in digests:
        again = next_commands.redeploy(key, environment=environment.name)
        raise DeploymentNotBegun(
            f"{service.names.service} runs {deployed}, which is another image.",
            next_step=f"Deploy it with `{again}`.",
        )


async def _succeeded(
    service: Deployments, deployment: Deployment, terminal: Terminal
) -> Deployment:
    if deployment.under_way:
        return await follow_deployment(
            service.environment, service.key, since=None, terminal=terminal
        )
    if deployment.failed:
        raise await failure(service, deployment)
    return deployment


async def failure(deployments: Deployments, deployment: Deployment) -> DeploymentFailed:
    """The error for a deployment that has failed, with what is known about why."""
    service, key = deployments.names.service, deployments.key
    environment = deployments.environment.name
    rollback = next_commands.rollback(key, environment=environment)
    reasons = await explain(deployments, deployment)
    because = f": {deployment.reason}" if deployment.reason else "."
    if deployment.status == "STOPPED":
        return DeploymentFailed(
            f"The deployment of {service} was stopped before it was complete{because}",
            details=reasons,
            next_step="Another one may have taken its place:"
            f" {next_commands.status(key, environment=environment, wait=True)}",
        )
    push = next_commands.push(key, environment=environment)
    if not any(each.succeeded for each in await deployments.history()):
        return DeploymentFailed(
            f"The first deployment of {service} failed{because}",
            details=reasons or [_NOTHING_KEPT],
            next_step="There is nothing to go back to, and nothing may be running: push a repaired"
            f" image with `{push} --wait`.",
        )
    followed = deployments.settings.image_tag.follows
    still = f"the tag {followed} still names" if followed else "the settings still pin"
    message, left = {
        "ROLLBACK_SUCCESSFUL": (
            f"ECS rolled the deployment of {service} back{because}",
            f"The service runs what it ran before, and {still} what failed: push a repaired image,"
            f" or go back with `{rollback}`.",
        ),
        "ROLLBACK_FAILED": (
            f"The deployment of {service} failed, and ECS could not roll it back{because}",
            f"Nothing may be running: go back with `{rollback}`.",
        ),
    }.get(
        deployment.status,
        (
            f"The deployment of {service} failed{because}",
            f"Go back with `{rollback}`.",
        ),
    )
    return DeploymentFailed(
        message,
        details=reasons or [_NOTHING_KEPT],
        next_step=left,
    )


async def _ended(
    deployments: Deployments, followed: Deployment, status: ServiceStatus
) -> Deployment | None:
    """The followed deployment, if it has ended."""
    now = status.deployment
    if now.id != followed.id:
        after = followed.created_at - timedelta(seconds=1)
        found = await deployments.history(after=after)
        now = next((each for each in found if each.id == followed.id), followed)
    return None if now.under_way else now
