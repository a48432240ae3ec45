"""Services without a data plane: how deployments end is played, and takes no time unless told.

A Fargate service has tasks with addresses in its subnets, which are healthy targets of its load
balancer, and are replaced by a deployment when the service changes.

A deployment fails when its image is not in ECR, though others of the repository are, or when the
container's command ends with `exit` and a number; the service's circuit breaker then does what it
is configured to do.
"""

import os
import time
from functools import partial
from typing import Any

from moto.core.utils import utcnow
from moto.ecs.models import ecs_backends

from embedded_aws.control_plane.ecs.records import (
    Failure,
    begin_deployment,
    circuit_breaker,
    count_tasks,
    detail,
    end_task,
    last_successful,
    living_tasks,
    make_task,
    target_groups,
    tasks_of,
    tell,
)

_DEPLOYMENT_SECONDS = float(os.environ.get("MOTO_ECS_DEPLOYMENT_SECONDS", "0"))


def deploy(backend: Any, service: Any) -> None:
    """Begins a deployment: its tasks start, and how it ends follows from their images."""
    service.steps = []
    images = begin_deployment(backend, service, keep=_is_kept)
    failure = next((image.failure for image in images if image.failure), None)
    if service.network_configuration:
        tasks = [make_task(backend, service) for _ in range(service.desired_count)]
        tell(service, f"has started {len(tasks)} tasks.")
    if failure:
        steps = (partial(_fail, backend, service, failure), partial(_roll_back, backend, service))
    else:
        steps = (partial(_run, backend, service), partial(_complete, backend, service))
    begun = time.monotonic()
    service.steps = [
        (begun + _DEPLOYMENT_SECONDS * number / len(steps), step)
        for number, step in enumerate(steps, start=1)
    ]
    count_tasks(backend, service)
    advance(backend)


def advance(backend: Any) -> None:
    """Takes the steps of every deployment whose time has come."""
    for service in list(backend.services.values()):
        steps = getattr(service, "steps", [])
        while steps and steps[0][0] <= time.monotonic():
            _, step = steps.pop(0)
            step()


def _run(backend: Any, service: Any) -> None:
    for task in tasks_of(backend, service, service.deployments[0]):
        _become_running(backend, service, task)
    count_tasks(backend, service)


def _complete(backend: Any, service: Any) -> None:
    deployment, record = service.deployments[0], service.past_deployments[0]
    for task in living_tasks(backend, service):
        if task.started_by != deployment["id"]:
            reason = f"Scaling activity initiated by (deployment {deployment['id']})"
            end_task(backend, service, task, reason)
    now = utcnow()
    deployment.update(
        rolloutState="COMPLETED",
        rolloutStateReason=f"ECS deployment {deployment['id']} completed.",
        updatedAt=now,
    )
    service.deployments = [deployment]
    record.update(status="SUCCESSFUL", finishedAt=now, updatedAt=now)
    tell(service, f"(deployment {deployment['id']}) deployment completed.")
    tell(service, "has reached a steady state.")
    settle(backend, service)


def _fail(backend: Any, service: Any, failure: "Failure") -> None:
    """Stops the new tasks; the circuit breaker, if any, ends the deployment.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """
    deployment, record = service.deployments[0], service.past_deployments[0]
    for task in tasks_of(backend, service, deployment):
        end_task(backend, service, task, failure.reason)
        task.stop_code = failure.stop_code
        for container in task.containers:
            container.exit_code = container.exitCode = failure.exit_code
            container.reason = None if failure.exit_code else failure.reason
    breaker = circuit_breaker(service)
    deployment["failedTasks"] = max(3, -(-service.desired_count // 2))
    if breaker.get("enable"):
        reason = "ECS deployment circuit breaker: tasks failed to start."
        deployment.update(rolloutState="FAILED", rolloutStateReason=reason, updatedAt=utcnow())
        record["statusReason"] = reason
        record["deploymentCircuitBreaker"] = {
            "status": "TRIGGERED",
            "failureCount": deployment["failedTasks"],
            "threshold": deployment["failedTasks"],
        }
        tell(service, f"(deployment {deployment['id']}) deployment failed: tasks failed to start.")
        before = last_successful(service)
        if breaker.get("rollback") and before:
            serial = before["targetServiceRevision"]["arn"].split("/")[-1]
            record.update(
                status="ROLLBACK_IN_PROGRESS",
                rollback={
                    "reason": reason,
                    "startedAt": utcnow(),
                    "serviceRevisionArn": before["targetServiceRevision"]["arn"],
                },
            )
            tell(service, f"rolling back to deployment ecs-svc/{serial}.")
    count_tasks(backend, service)


def _roll_back(backend: Any, service: Any) -> None:
    """Returns to the last deployment that succeeded, whose tasks have been running all along."""
    record, breaker = service.past_deployments[0], circuit_breaker(service)
    now = utcnow()
    if not breaker.get("enable"):
        return  # ECS keeps trying for ever.
    if record["status"] != "ROLLBACK_IN_PROGRESS":
        ended = "ROLLBACK_FAILED" if breaker.get("rollback") else "STOPPED"
        record.update(status=ended, finishedAt=now, updatedAt=now)
        return
    serial = record["rollback"]["serviceRevisionArn"].split("/")[-1]
    (deployment,) = (d for d in service.deployments if d["id"] == f"ecs-svc/{serial}")
    reason = f"ECS deployment ecs-svc/{serial} completed."
    deployment.update(
        status="PRIMARY",
        rolloutState="COMPLETED",
        rolloutStateReason=reason,
        # ECS makes it a deployment of its own, which begins with the rollback.
        createdAt=record["rollback"]["startedAt"],
        updatedAt=now,
    )
    service.deployments = [deployment]
    service.task_definition = deployment["taskDefinition"]
    record.update(status="ROLLBACK_SUCCESSFUL", finishedAt=now, updatedAt=now)
    tell(service, "has reached a steady state.")
    settle(backend, service)


def _is_kept(deployment: dict[str, Any]) -> bool:
    """Whether the tasks of an older deployment run until the new one has succeeded."""
    return bool(deployment["rolloutState"] == "COMPLETED")


def settle(backend: Any, service: Any) -> None:
    """Starts or stops tasks until as many run as the service desires."""
    if service.network_configuration and not service.steps:
        running = tasks_of(backend, service, service.deployments[0])
        for task in running[service.desired_count :]:
            end_task(backend, service, task, "Scaling activity initiated by the service")
        for _ in range(service.desired_count - len(running)):
            _become_running(backend, service, make_task(backend, service))
    count_tasks(backend, service)


def _become_running(backend: Any, service: Any, task: Any) -> None:
    task.last_status = "RUNNING"
    task.started_at = utcnow()
    task.health_status = "HEALTHY"
    for container in task.containers:
        container.last_status = "RUNNING"
    address = detail(task, "privateIPv4Address")
    for group, port in target_groups(backend, service):
        group.register([{"Id": address, "Port": str(port)}])


def stop_task(backend: Any, service: Any, task: Any) -> None:
    """Ends a task that somebody stopped; if it is a service's, another takes its place."""
    if service:
        end_task(backend, service, task, task.stopped_reason or "Task stopped by user")
        settle(backend, service)


def delete(backend: Any, service: Any) -> None:
    """Ends a service that was deleted."""
    service.steps = []
    for task in living_tasks(backend, service):
        end_task(backend, service, task, "Service was deleted")
    service.running_count = 0
    service.deployments = []


def take_next_steps() -> None:
    """Takes the next step of every deployment that is under way, whatever the time is."""
    for backend in (regional for account in ecs_backends.values() for regional in account.values()):
        for service in backend.services.values():
            steps = getattr(service, "steps", [])
            if steps:
                _, step = steps.pop(0)
                step()
