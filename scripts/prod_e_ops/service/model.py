"""A service and its deployments, as plain values: no AWS, no terminal.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_STATES = {
    "PENDING": "waiting to begin",
    "IN_PROGRESS": "under way",
    "SUCCESSFUL": "succeeded",
    "STOP_REQUESTED": "being stopped",
    "STOPPED": "stopped",
    "ROLLBACK_REQUESTED": "being rolled back",
    "ROLLBACK_IN_PROGRESS": "being rolled back",
    "ROLLBACK_SUCCESSFUL": "rolled back",
    "ROLLBACK_FAILED": "failed, and could not be rolled back",
    "FAILED": "failed",
}
_UNDER_WAY = frozenset(
    {"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"}
)


@dataclass(frozen=True, kw_only=True)
class Revision:
    """What a deployment is to run.

    `id`: of the service revision. `task_definition`: family and number, such as `prod-e-task:12`.
    `image`: as the task definition names it. `digest`: what that was when the deployment began;
    None if ECS does not tell.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html
    """

    id: str
    task_definition: str
    image: str = ""
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment of a service.

    `status`: `PENDING`, `IN_PROGRESS`, `SUCCESSFUL`, `STOPPED`, `ROLLBACK_SUCCESSFUL`, ...:
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
    (`FAILED` where ECS keeps no such record any more, which it does for 90 days).
    `reason`: why it ended otherwise than by success; may be empty.
    """

    id: str
    status: str
    reason: str
    created_at: datetime
    finished_at: datetime | None
    revision: Revision

    @property
    def under_way(self) -> bool:
        """Whether ECS is still at it, be it forwards or back."""
        return self.status in _UNDER_WAY

    @property
    def succeeded(self) -> bool:
        """Whether its tasks became healthy and took over."""
        return self.status == "SUCCESSFUL"

    @property
    def failed(self) -> bool:
        """Whether it has ended, and the service does not run what it was to run."""
        return not self.under_way and not self.succeeded

    @property
    def state(self) -> str:
        """The status in words, such as `rolled back`."""
        return _STATES.get(self.status, self.status)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task. `deployment`: the id of the revision that it belongs to.

    `digests`: of its containers' images, by container. `exits`: one line for each container that
    ended: its name, exit code and reason. `failed_containers`: those that ended otherwise than
    with 0. `stopped_at`: None while it runs.
    """

    id: str
    status: str
    deployment: str
    task_definition: str
    digests: Mapping[str, str]
    stopped_reason: str
    exits: tuple[str, ...]
    failed_containers: tuple[str, ...]
    stopped_at: datetime | None

    @property
    def why_stopped(self) -> str:
        """Why it stopped."""
        return "; ".join(filter(None, (self.stopped_reason, *self.exits)))


@dataclass(frozen=True, kw_only=True)
class Event:
    """A line of the service's own log."""

    id: str
    at: datetime
    message: str

    def __str__(self) -> str:
        """One line for people."""
        message = re.sub(r"^\(service [^)]*\) ", "", self.message)
        return f"{self.at.astimezone(UTC):%H:%M:%S} {message}"


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """A revision of a task definition. `name`: family and number. `image`: of the container."""

    name: str
    image: str
    is_active: bool

    @property
    def number(self) -> int:
        """The revision's number."""
        return int(self.name.rpartition(":")[2])


@dataclass(frozen=True, kw_only=True)
class ServiceStatus:
    """How a service is doing.

    `task_definition`: what it is set to run, such as `prod-e-task:12`. `old_running`: tasks of
    earlier deployments that still run. `digests`: of the images that tasks run, or are about to.
    `targets`: how many per state of health, such as `{"healthy": 2}`. `events`: the newest first.
    """

    key: str
    service: str
    cluster: str
    task_definition: str
    desired: int
    running: int
    pending: int
    old_running: int
    digests: tuple[str, ...]
    targets: Mapping[str, int]
    deployment: Deployment
    events: tuple[Event, ...]

    @property
    def summary(self) -> str:
        """One line for people."""
        text = f"{self.service} runs {self.running} of {self.desired} tasks"
        if self.deployment.succeeded:
            return text
        reason = f": {self.deployment.reason}" if self.deployment.reason else ""
        return f"{text}, its last deployment is {self.deployment.state}{reason}"

    @property
    def progress(self) -> str:
        """What changes while a deployment is under way: tasks, and targets by their health."""
        parts = [f"new {self.running - self.old_running}/{self.desired}"]
        if self.pending:
            parts.append(f"pending {self.pending}")
        parts.append(f"old {self.old_running}")
        parts += [f"{health} {count}" for health, count in self.targets.items()]
        return "  ".join(parts)


def counted(counts: Mapping[str, int]) -> str:
    """Numbers in words, such as `2 healthy, 1 draining`."""
    return ", ".join(f"{count} {what}" for what, count in counts.items())
