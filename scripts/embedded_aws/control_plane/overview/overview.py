"""What there is and how it fares, as `GET /_embedded/overview` tells it."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from moto.cloudwatch.models import cloudwatch_backends
from moto.ecr.models import ecr_backends
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.rds.models import rds_backends

from embedded_aws.control_plane.backends import all_backends
from embedded_aws.control_plane.ecs.records import last_successful
from embedded_aws.control_plane.overview.request_rates import Rate, request_rates
from embedded_aws.control_plane.registrations import registrations
from embedded_aws.protocol import ListenerReport

_MOST_EVENTS = 40
_SHOWN_OF_DIGEST = len("sha256:") + 12
_STOPPED_FOR = timedelta(seconds=30)
"""For how long a task that has stopped is shown."""


class Balancer(TypedDict):
    """A load balancer. `listeners`: where they are. `seconds`: the last minute, newest last."""

    name: str
    listeners: list[ListenerReport]
    requests: int
    failed: int
    seconds: list[Rate]


class TaskState(TypedDict):
    """A task. `status`: ECS's. `target`: its health for the load balancer; None: it has none.

    `version`: a tag that names its image. `started_at`: in ISO 8601; None: it has yet to run.
    """

    id: str
    status: str
    target: str | None
    version: str
    started_at: str | None
    reason: str | None


class ServiceState(TypedDict):
    """A service. `rollout`: the state of its newest deployment.

    `is_rolled_back`: whether the last deployment was taken back, or is being. `version`: a tag that
    names the image of its front container.
    """

    name: str
    cluster: str
    desired: int
    running: int
    pending: int
    rollout: str
    rollout_reason: str
    version: str
    is_rolled_back: bool
    tasks: list[TaskState]


class DatabaseState(TypedDict):
    """A DB instance. `status`: RDS's. `address`: where it answers; None: it does not yet."""

    name: str
    status: str
    address: str | None


class AlarmState(TypedDict):
    """An alarm. `state`: CloudWatch's."""

    name: str
    state: str
    reason: str


class Event(TypedDict):
    """An event of a service, in ECS's words. `at`: in ISO 8601."""

    at: str
    source: str
    message: str


class Overview(TypedDict):
    """All of it, of every region of the account."""

    at: str
    load_balancers: list[Balancer]
    services: list[ServiceState]
    databases: list[DatabaseState]
    alarms: list[AlarmState]
    events: list[Event]


def overview_of(listeners: Mapping[str, ListenerReport]) -> Overview:
    """What there is now. `listeners`: where they are, by ARN."""
    services = [
        (backend, service)
        for backend in all_backends(ecs_backends)
        for service in backend.services.values()
        if service.status != "INACTIVE"
    ]
    events: list[Event] = [
        {"at": _iso(event["createdAt"]), "source": service.name, "message": event["message"]}
        for _, service in services
        for event in service.events[:_MOST_EVENTS]
    ]
    return {
        "at": _iso(datetime.now(UTC)),
        "load_balancers": [
            _balancer(each, listeners)
            for backend in all_backends(elbv2_backends)
            for each in backend.load_balancers.values()
        ],
        "services": [_service(backend, service) for backend, service in services],
        "databases": [
            _database(each)
            for backend in all_backends(rds_backends)
            for each in backend.databases.values()
        ],
        "alarms": [
            {"name": each.name, "state": each.state_value, "reason": each.state_reason}
            for backend in all_backends(cloudwatch_backends)
            for each in backend.alarms.values()
        ],
        "events": sorted(events, key=lambda event: event["at"], reverse=True)[:_MOST_EVENTS],
    }


def _balancer(balancer: Any, listeners: Mapping[str, ListenerReport]) -> Balancer:
    total = request_rates.total(balancer.arn)
    return {
        "name": balancer.name,
        "listeners": [listeners[arn] for arn in balancer.listeners if arn in listeners],
        "requests": total["count"],
        "failed": total["failed"],
        "seconds": request_rates.history(balancer.arn, now=time.time()),
    }


def _service(backend: Any, service: Any) -> ServiceState:
    newest = service.deployments[0]
    before = service.past_deployments[0] if service.past_deployments else {}
    revision = before.get("revision", {})
    front = service.load_balancers[0].get("containerName") if service.load_balancers else None
    last = last_successful(service) or {}
    if "ROLLBACK" in before.get("status", ""):
        revision = last.get("revision", revision)
    tasks = [
        task
        for task in backend.tasks.get(service.cluster_name, {}).values()
        if task.group == f"service:{service.name}" and _is_shown(task)
    ]
    images: list[dict[str, Any]] = revision.get("containerImages", [])
    of_front = [each for each in images if each["containerName"] == front]
    image = next(iter((*of_front, *images)), {})
    return {
        "name": service.name,
        "cluster": service.cluster_name,
        "desired": service.desired_count,
        "running": service.running_count,
        "pending": service.pending_count,
        "rollout": newest["rolloutState"],
        "rollout_reason": newest["rolloutStateReason"],
        "version": _version(image.get("image", ""), image.get("imageDigest")),
        "is_rolled_back": "ROLLBACK" in before.get("status", ""),
        "tasks": [_task(task, front) for task in reversed(tasks)],
    }


def _is_shown(task: Any) -> bool:
    if task.last_status != "STOPPED":
        return True
    stopped: datetime | None = getattr(task, "stopped_at", None)
    return stopped is not None and datetime.now(UTC) - _with_zone(stopped) < _STOPPED_FOR


def _task(task: Any, front: str | None) -> TaskState:
    container = next((c for c in task.containers if c.name == front), task.containers[0])
    targets = [each.state for each in registrations.of_task(task.task_arn)]
    started = getattr(task, "started_at", None)
    return {
        "id": task.task_arn.rpartition("/")[2],
        "status": task.last_status,
        "target": targets[0] if targets else None,
        "version": _version(
            getattr(container, "image", None) or "", getattr(container, "image_digest", None)
        ),
        "started_at": _iso(started) if started else None,
        "reason": getattr(task, "stopped_reason", None) or None,
    }


def _version(image: str, digest: str | None) -> str:
    """The tag of the image that moves least, or else what the image is called."""
    if digest is None:
        return image.rpartition("/")[2]
    followed = image.rpartition(":")[2]
    for backend in all_backends(ecr_backends):
        for repository in backend.repositories.values():
            for stored in repository.images:
                if stored.get_image_digest() == digest and stored.image_tags:
                    others = [tag for tag in stored.image_tags if tag != followed]
                    return str((others or [followed])[0])
    return digest[:_SHOWN_OF_DIGEST]


def _database(instance: Any) -> DatabaseState:
    server = getattr(instance, "server", None)
    address = f"{server.address}:{server.port}" if server and server.address else None
    return {
        "name": instance.db_instance_identifier,
        "status": instance.status,
        "address": address,
    }


def _iso(at: Any) -> str:
    return _with_zone(at).astimezone(UTC).isoformat(timespec="milliseconds")


def _with_zone(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
