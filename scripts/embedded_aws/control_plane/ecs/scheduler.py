"""Keeps as many tasks running as each service desires, as ECS's service scheduler does.

Its tasks run for real, in the data plane; here is what should run, and what is known of it.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

import math
import time
from typing import Any

from embedded_aws.control_plane.ecs import rollouts, tasks
from embedded_aws.control_plane.ecs.records import (
    begin_deployment,
    count_tasks,
    forget_stopped_tasks,
    living_tasks,
    make_task,
    tell,
)
from embedded_aws.control_plane.ecs.rollouts import Rollout
from embedded_aws.protocol import TaskReport


def advance(backend: Any) -> None:
    """Nothing: time goes on with the reports of the data plane."""


def deploy(backend: Any, service: Any) -> None:
    """Begins a deployment."""
    in_progress = [t for t in _not_stopped(backend, service) if t.desired_status == "RUNNING"]
    begin_deployment(
        backend,
        service,
        keep=lambda deployment: any(t.started_by == deployment["id"] for t in in_progress),
    )
    service.rollout = Rollout.begin(backend, service)
    settle(backend, service)


def settle(backend: Any, service: Any) -> None:
    """Starts and stops what a service needs now."""
    if service.status == "DRAINING":
        _end_deleted(backend, service)
        return
    if service.status != "ACTIVE" or not service.network_configuration:
        return
    for task in _not_stopped(backend, service):
        tasks.advance_stop(task)
    _replace_unhealthy(backend, service)
    rollouts.judge(backend, service)
    _start_missing(backend, service)
    _stop_surplus(backend, service)
    rollouts.complete(backend, service, running=_running(backend, service))
    count_tasks(backend, service)


def provision(backend: Any, task: Any) -> None:
    """Makes a task run that RunTask asked for."""
    tasks.prepare(backend, task)


def take_reports(backend: Any, reports: dict[str, TaskReport]) -> None:
    """Takes over what the data plane says of tasks, by ARN, and acts on it."""
    for of_cluster in backend.tasks.values():
        for arn, task in list(of_cluster.items()):
            if arn in reports and task.last_status != "STOPPED":
                _take_report(backend, task, reports[arn])
            elif task.last_status == "DEACTIVATING":
                tasks.advance_stop(task)
    for service in list(backend.services.values()):
        settle(backend, service)
    forget_stopped_tasks(backend)


def stop_task(backend: Any, service: Any, task: Any) -> None:
    """Ends a task that somebody stopped, at once: only a service's own decisions drain first."""
    reason = task.stopped_reason or "Task stopped by user"
    if task.last_status == "STOPPED":
        return
    _tell_of_draining(
        service, tasks.stop(backend, service, task, reason=reason, code="UserInitiated")
    )
    if service:
        settle(backend, service)


def stop_deployment(backend: Any, service: Any, record: dict[str, Any], kind: str) -> None:
    """Ends a deployment that is in progress; `kind`: ROLLBACK or ABORT."""
    rollouts.stop(backend, service, record, kind)
    settle(backend, service)


def delete(backend: Any, service: Any) -> None:
    """Begins the end of a service that was deleted: it is there until its last task has ended."""
    service.status = "DRAINING"
    service.desired_count = 0
    settle(backend, service)


def _end_deleted(backend: Any, service: Any) -> None:
    left = _not_stopped(backend, service)
    for task in left:
        tasks.advance_stop(task)
        if task.desired_status == "RUNNING":
            reason = f"Scaling activity initiated by (deployment {task.started_by})"
            tasks.stop(backend, service, task, reason=reason, code="ServiceSchedulerInitiated")
    count_tasks(backend, service)
    if not left:
        service.status = "INACTIVE"
        service.deployments = []


def _take_report(backend: Any, task: Any, said: TaskReport) -> None:
    before, was_asked_to = task.last_status, task.desired_status == "STOPPED"
    tasks.take_report(backend, task, said)
    service = tasks.service_of(backend, task)
    if service is None or service.status != "ACTIVE":
        return
    if task.last_status == "RUNNING" and before != "RUNNING":
        for group in tasks.register(backend, service, task):
            tell(service, f"registered 1 targets in (target-group {group})")
    elif task.last_status == "STOPPED" and not was_asked_to:
        rollouts.count_failure(service, task)


def _replace_unhealthy(backend: Any, service: Any) -> None:
    """Stops unhealthy tasks, once others have taken their place where there is room for them.

    https://aws.amazon.com/blogs/containers/a-deep-dive-into-amazon-ecs-task-health-and-task-replacement/
    """
    running = _running(backend, service)
    grace_seconds = getattr(service, "health_check_grace_period_seconds", None) or 0
    for task in running:
        why = tasks.why_unhealthy(task, grace_seconds=grace_seconds)
        if why is None:
            task.is_unhealthy = False
            continue
        if not getattr(task, "is_unhealthy", False):
            task.is_unhealthy = True
            tell(service, why.event)
        is_new = service.rollout.is_in_progress and task.started_by == service.deployments[0]["id"]
        steady = sum(map(tasks.is_steady, running))
        if is_new or steady >= service.desired_count or len(running) >= _maximum(service):
            if is_new:
                rollouts.count_failure(service, task)
            _stop(backend, service, task, why.stopped_reason)


def _start_missing(backend: Any, service: Any) -> None:
    deployment, running = service.deployments[0], _running(backend, service)
    if service.rollout.is_given_up or time.monotonic() < service.rollout.pause_until:
        return
    room = _maximum(service) - len(running)
    count = min(service.desired_count - len(_lasting(running, deployment)), room)
    started = []
    for _ in range(count):
        task = make_task(backend, service)
        tasks.prepare(backend, task)
        started.append(task.id)
    if started:
        named = " ".join(f"(task {id})." if id == started[-1] else f"(task {id})" for id in started)
        tell(service, f"has started {len(started)} tasks: {named}")
        service.is_told_steady = False


def _stop_surplus(backend: Any, service: Any) -> None:
    deployment, running = service.deployments[0], _running(backend, service)
    new = _lasting(running, deployment)
    old = [task for task in running if task.started_by != deployment["id"]]
    steady = sum(map(tasks.is_steady, running))
    spare = steady - _minimum(service)
    for task in sorted(old, key=tasks.is_steady):
        if tasks.is_steady(task):
            if spare <= 0:
                break
            spare -= 1
        # One that does not serve is no loss, once the service follows another deployment.
        _stop_for_scaling(backend, service, task)
    # Those that came last and are not yet healthy go first.
    for task in sorted(new, key=tasks.is_steady)[: max(0, len(new) - service.desired_count)]:
        _stop_for_scaling(backend, service, task)


def _lasting(running: list[Any], deployment: dict[str, Any]) -> list[Any]:
    """Those of a deployment that count as what it desires: none that is to be replaced."""
    return [
        task
        for task in running
        if task.started_by == deployment["id"] and not getattr(task, "is_unhealthy", False)
    ]


def _stop_for_scaling(backend: Any, service: Any, task: Any) -> None:
    by = service.deployments[0]["id"]
    _stop(backend, service, task, f"Scaling activity initiated by (deployment {by})")
    tell(service, f"has stopped 1 running tasks: (task {task.id}).")


def _stop(backend: Any, service: Any, task: Any, reason: str) -> None:
    code = "ServiceSchedulerInitiated"
    _tell_of_draining(service, tasks.stop(backend, service, task, reason=reason, code=code))
    service.is_told_steady = False


def _tell_of_draining(service: Any, groups: list[str]) -> None:
    for group in groups:
        tell(service, f"deregistered 1 targets in (target-group {group})")
        tell(service, "has begun draining connections on 1 tasks.")


def _not_stopped(backend: Any, service: Any) -> list[Any]:
    of_cluster = backend.tasks.get(service.cluster_name, {}).values()
    group = f"service:{service.name}"
    return [t for t in of_cluster if t.group == group and t.last_status != "STOPPED"]


def _running(backend: Any, service: Any) -> list[Any]:
    """Those that run, or are about to, and are to go on."""
    return [t for t in living_tasks(backend, service) if t.last_status != "STOPPED"]


def _maximum(service: Any) -> int:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
    percent = rollouts.configuration(service).get("maximumPercent")
    return math.floor(int(service.desired_count) * (200 if percent is None else percent) / 100)


def _minimum(service: Any) -> int:
    percent = rollouts.configuration(service).get("minimumHealthyPercent")
    return math.ceil(int(service.desired_count) * (100 if percent is None else percent) / 100)
