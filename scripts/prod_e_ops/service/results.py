"""Deployments and services as `--json` shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from prod_e_ops.service.model import Deployment, ServiceStatus
from prod_e_ops.terminal.json_output import Moment

_MOST_EVENTS = 20


@dataclass(frozen=True, kw_only=True)
class DeploymentResult:
    """One deployment of a service."""

    id: str
    """Of the service deployment in ECS."""

    status: str
    """ECS's: `IN_PROGRESS`, `SUCCESSFUL`, `ROLLBACK_SUCCESSFUL`, `FAILED`, ..."""

    reason: str
    """Why it ended otherwise than by success; may be empty."""

    created_at: Moment
    """When it began."""

    finished_at: Moment | None
    """When it ended; null while it is under way."""

    task_definition: str
    """What it is to run: family and revision, such as `prod-e-task:12`."""

    image: str
    """As the task definition names it."""

    digest: str | None
    """What the image was when the deployment began; null if ECS does not tell."""

    @classmethod
    def of(cls, deployment: Deployment, **more: Sequence[str]) -> Self:
        """The result that shows a deployment. `more`: the fields of a class below this one."""
        return cls(
            id=deployment.id,
            status=deployment.status,
            reason=deployment.reason,
            created_at=deployment.created_at,
            finished_at=deployment.finished_at,
            task_definition=deployment.revision.task_definition,
            image=deployment.revision.image,
            digest=deployment.revision.digest,
            **more,
        )


@dataclass(frozen=True, kw_only=True)
class TaggedDeploymentResult(DeploymentResult):
    """One deployment of a service, and the tags of its image."""

    tags: Sequence[str]
    """Of the image, as the repository has them now."""


@dataclass(frozen=True, kw_only=True)
class TaskCounts:
    """How many tasks a service has."""

    desired: int
    """So many ECS is to run."""

    running: int
    """So many run, of every deployment."""

    pending: int
    """So many are about to."""

    old: int
    """So many of the running belong to earlier deployments."""


@dataclass(frozen=True, kw_only=True)
class EventResult:
    """A line of the service's events in ECS."""

    at: Moment
    """When it was written."""

    message: str
    """What ECS says."""


@dataclass(frozen=True, kw_only=True)
class ServiceResult:
    """One service and its newest deployment."""

    key: str
    """Of the service in the settings: `[services.KEY]`."""

    service: str
    """The ECS service's name."""

    cluster: str
    """The ECS cluster's name."""

    task_definition: str
    """What the service is set to run now."""

    tasks: TaskCounts
    """How many tasks it has."""

    running_digests: Sequence[str]
    """Of the images that tasks run, or are about to."""

    targets: Mapping[str, int]
    """How many targets of the load balancer are in each state of health."""

    deployment: TaggedDeploymentResult
    """The newest deployment, under way or not."""

    events: Sequence[EventResult]
    """The newest first, at most 20."""

    @classmethod
    def of(cls, status: ServiceStatus, *, tags: Sequence[str]) -> Self:
        """The result that shows a service. `tags`: of the deployment's image."""
        return cls(
            key=status.key,
            service=status.service,
            cluster=status.cluster,
            task_definition=status.task_definition,
            tasks=TaskCounts(
                desired=status.desired,
                running=status.running,
                pending=status.pending,
                old=status.old_running,
            ),
            running_digests=status.digests,
            targets=status.targets,
            deployment=TaggedDeploymentResult.of(status.deployment, tags=tags),
            events=[
                EventResult(at=event.at, message=event.message)
                for event in status.events[:_MOST_EVENTS]
            ],
        )


@dataclass(frozen=True, kw_only=True)
class StatusResult:
    """What `prod-e status` prints."""

    environment: str
    """Its name."""

    services: Sequence[ServiceResult]
    """One service, or all of the environment."""


@dataclass(frozen=True, kw_only=True)
class RedeployResult:
    """What `prod-e redeploy` prints."""

    environment: str
    """Its name."""

    service: str
    """The ECS service's name."""

    deployment: DeploymentResult
    """The one that was begun, which has succeeded."""
