"""The life of a task that runs for real: from what is asked for to what became of it.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
"""

from dataclasses import dataclass
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends

from embedded_aws.control_plane.ecs.records import add_containers, detail, target_groups
from embedded_aws.control_plane.registrations import registrations
from embedded_aws.protocol import TaskReport


def prepare(backend: Any, task: Any) -> None:
    """Makes a task that moto noted down one that is yet to be started, with all its containers."""
    definition = backend.describe_task_definition(task.task_definition_arn)
    task.last_status = "PROVISIONING"
    task.desired_status = "RUNNING"
    task.created_at = task.created_at if hasattr(task, "created_at") else utcnow()
    task.cpu, task.memory = definition.cpu, definition.memory
    task.health_status = "UNKNOWN"
    task.connectivity = "CONNECTED"
    task.stop_code = None
    add_containers(task, definition)
    for container, each in zip(task.containers, definition.container_definitions, strict=True):
        container.task_arn = task.task_arn
        container.last_status = "PENDING"
        container.health_status = "UNKNOWN"
        container.exit_code = container.exitCode = None
        container.reason = None
        container.cpu = str(each.get("cpu", 0))


def take_report(backend: Any, task: Any, said: TaskReport) -> None:
    """Takes over what the data plane says of a task that has not stopped."""
    for container in task.containers:
        of_container = said["containers"].get(container.name)
        if not of_container:
            continue
        container.last_status = of_container["status"]
        container.runtime_id = of_container.get("runtime_id")
        container.health_status = of_container.get("health", "UNKNOWN")
        container.exit_code = container.exitCode = of_container.get("exit_code")
        container.reason = of_container.get("reason")
        if of_container.get("image_digest"):
            container.image_digest = of_container["image_digest"]
    task.health_status = said["health"]
    if said["status"] == "STOPPED":
        _stopped(backend, task, said)
    elif said["status"] == "RUNNING" and task.last_status in ("PROVISIONING", "PENDING"):
        task.last_status = "RUNNING"
        task.started_at = utcnow()
        task.pull_started_at = said.get("pull_started_at")
        task.pull_stopped_at = said.get("pull_stopped_at")
    elif said["status"] == "PENDING" and task.last_status == "PROVISIONING":
        task.last_status = "PENDING"


def register(backend: Any, service: Any, task: Any) -> list[str]:
    """Registers a running task as a target; returns the target groups."""
    address = detail(task, "privateIPv4Address")
    groups = []
    for group, port in target_groups(backend, service):
        group.register([{"Id": address, "Port": str(port)}])
        registration = registrations.active(group.arn, address)
        assert registration is not None
        registration.task_arn = task.task_arn
        groups.append(group.arn)
    return groups


def stop(backend: Any, service: Any, task: Any, *, reason: str, code: str) -> list[str]:
    """Asks for a task's end; it is drained first. Returns the target groups it drains from."""
    task.desired_status = "STOPPED"
    task.stop_code = code
    task.stopped_reason = reason
    task.stopping_at = utcnow()
    groups = _deregister(backend, service, task)
    task.last_status = "DEACTIVATING" if groups else "STOPPING"
    return groups


def advance_stop(task: Any) -> None:
    """Lets a drained task go on to its end."""
    if task.last_status == "DEACTIVATING" and not registrations.of_task(task.task_arn):
        task.last_status = "STOPPING"


def _deregister(backend: Any, service: Any, task: Any) -> list[str]:
    if service is None or not task.attachments:
        return []
    address = detail(task, "privateIPv4Address")
    groups = []
    for group, _ in target_groups(backend, service):
        registration = registrations.active(group.arn, address)
        if registration and registration.task_arn == task.task_arn:
            group.deregister([{"Id": address}])
            groups.append(group.arn)
    return groups


def _stopped(backend: Any, task: Any, said: TaskReport) -> None:
    service = service_of(backend, task)
    _deregister(backend, service, task)
    task.desired_status = task.last_status = "STOPPED"
    task.stopped_at = task.execution_stopped_at = utcnow()
    # Why it was asked to stop comes before how it did.
    task.stop_code = task.stop_code or said.get("stop_code")
    task.stopped_reason = task.stopped_reason or said.get("reason") or ""
    for container in task.containers:
        container.last_status = "STOPPED"
    if task.attachments:
        address = detail(task, "privateIPv4Address")
        ec2 = ec2_backends[backend.account_id][backend.region_name]
        ec2.get_subnet(detail(task, "subnetId")).del_subnet_ip(address)
        ec2.delete_network_interface(detail(task, "networkInterfaceId"))
        task.attachments[0]["status"] = "DELETED"


def service_of(backend: Any, task: Any) -> Any:
    """The service that keeps a task running; None for one that was run once."""
    if not task.group.startswith("service:"):
        return None
    return backend.services.get(f"{task.cluster_name}:{task.group.removeprefix('service:')}")


def is_steady(task: Any) -> bool:
    """Whether it runs, and is found healthy by all that check it."""
    return bool(
        task.last_status == "RUNNING"
        and task.desired_status == "RUNNING"
        and _passes_container_checks(task)
        and all(
            each.state in ("healthy", "unused") for each in registrations.of_task(task.task_arn)
        )
    )


def _passes_container_checks(task: Any) -> bool:
    definition = task._backend.describe_task_definition(task.task_definition_arn)  # noqa: SLF001
    has_checks = any(c.get("healthCheck") for c in definition.container_definitions)
    return task.health_status == "HEALTHY" if has_checks else True


@dataclass(frozen=True, kw_only=True)
class Unhealthy:
    """Why a running task is to be replaced, in ECS's words.

    `stopped_reason`: that of the task once it is stopped. `event`: what the service tells of it.
    """

    stopped_reason: str
    event: str


def why_unhealthy(task: Any, *, grace_seconds: float) -> Unhealthy | None:
    """None if there is no reason to replace it.

    `grace_seconds`: for how long after its start the health checks do not count.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-unhealthy-event-messages.html
    """
    if task.last_status != "RUNNING" or task.desired_status != "RUNNING":
        return None
    if (utcnow() - task.started_at).total_seconds() < grace_seconds:
        return None
    if task.health_status == "UNHEALTHY":
        return Unhealthy(
            stopped_reason="Task failed container health checks",
            event=f"(task {task.id}) failed container health checks.",
        )
    for each in registrations.of_task(task.task_arn):
        if each.state == "unhealthy":
            group = f"(target-group {each.group_arn})"
            return Unhealthy(
                stopped_reason=f"Task failed ELB health checks in {group}",
                event=f"(task {task.id}) (port {each.port}) is unhealthy in {group} due to (reason"
                f" {each.description})",
            )
    return None
