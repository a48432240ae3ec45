"""What the data plane should bring about, and what it reports.

What both hold is in `embedded_aws.protocol`.
"""

import time
from typing import Any

from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends

from embedded_aws.control_plane import scaling
from embedded_aws.control_plane.backends import all_backends
from embedded_aws.control_plane.cloudwatch import alarms
from embedded_aws.control_plane.ecs import scheduler
from embedded_aws.control_plane.overview.overview import Overview, overview_of
from embedded_aws.control_plane.overview.request_rates import request_rates
from embedded_aws.control_plane.rds import databases
from embedded_aws.control_plane.registrations import registrations
from embedded_aws.protocol import (
    Desired,
    DesiredTask,
    Listener,
    ListenerReport,
    LoadBalancer,
    Report,
    Rule,
    TargetGroup,
)

_listeners: dict[str, ListenerReport] = {}


def exchange(report: Report) -> Desired:
    """Takes over a report and answers with what is desired."""
    _listeners.clear()
    _listeners.update(report["listeners"])
    registrations.report(report["targets"])
    request_rates.take(report["requests"], now=time.time())
    databases.take_reports(report["databases"])
    alarms.evaluate()
    scaling.evaluate()
    tasks: dict[str, DesiredTask] = {}
    for backend in all_backends(ecs_backends):
        scheduler.take_reports(backend, report["tasks"])
        tasks.update(_tasks(backend))
    balancers: list[LoadBalancer] = []
    groups: dict[str, TargetGroup] = {}
    for backend in all_backends(elbv2_backends):
        balancers += [_load_balancer(each) for each in backend.load_balancers.values()]
        groups.update({arn: _target_group(g) for arn, g in backend.target_groups.items()})
    return {
        "tasks": tasks,
        "load_balancers": balancers,
        "target_groups": groups,
        "databases": databases.desired(),
        "snapshots": databases.desired_snapshots(),
    }


def listener_addresses() -> list[dict[str, Any]]:
    """Where each listener is reached on this machine."""
    return [{"arn": arn, **where} for arn, where in _listeners.items()]


def overview() -> Overview:
    """What there is and how it fares, for people."""
    return overview_of(_listeners)


def _tasks(backend: Any) -> dict[str, DesiredTask]:
    return {
        arn: _task(backend, task)
        for of_cluster in backend.tasks.values()
        for arn, task in of_cluster.items()
        if task.last_status != "STOPPED"
    }


def _task(backend: Any, task: Any) -> DesiredTask:
    definition = backend.describe_task_definition(task.task_definition_arn)
    digests = {c.name: getattr(c, "image_digest", None) for c in task.containers}
    platform = getattr(definition, "runtime_platform", None) or {}
    overrides = task.overrides or {}
    return {
        "arn": task.task_arn,
        "group": task.group,
        "desired": "STOPPED" if task.last_status == "STOPPING" else "RUNNING",
        "last_status": task.last_status,
        # Tasks of one deployment run the same content, whatever its tag names by now.
        "source_key": task.started_by if task.group.startswith("service:") else task.task_arn,
        "cpu": _number(overrides.get("cpu") or definition.cpu),
        "memory": _number(overrides.get("memory") or definition.memory),
        "architecture": platform.get("cpuArchitecture") or "X86_64",
        "task_role_arn": overrides.get("taskRoleArn") or getattr(definition, "task_role_arn", None),
        "volumes": definition.volumes or [],
        "containers": definition.container_definitions,
        "overrides": overrides.get("containerOverrides") or [],
        "image_digests": digests,
    }


def _number(text: object) -> int | None:
    return int(str(text)) if text and str(text).isdigit() else None


def _load_balancer(balancer: Any) -> LoadBalancer:
    return {
        "arn": balancer.arn,
        "name": balancer.name,
        "attributes": balancer.attrs,
        "listeners": [_listener(each) for each in balancer.listeners.values()],
    }


def _listener(listener: Any) -> Listener:
    rules: list[Rule] = [
        {
            "priority": int(rule.priority),
            "conditions": rule.conditions,
            "actions": [action.data for action in rule.actions],
        }
        for rule in listener.rules.values()
        if not rule.is_default
    ]
    return {
        "arn": listener.arn,
        "port": int(listener.port),
        "protocol": listener.protocol,
        "rules": sorted(rules, key=lambda rule: rule["priority"]),
        "default_actions": [action.data for action in listener.default_actions],
    }


def _target_group(group: Any) -> TargetGroup:
    return {
        "arn": group.arn,
        "name": group.name,
        "protocol": group.protocol,
        "attributes": group.attributes,
        "health_check": {
            "enabled": group.health_check_enabled,
            "path": group.health_check_path or "/",
            "port": group.health_check_port,
            "interval_seconds": int(group.health_check_interval_seconds),
            "timeout_seconds": int(group.health_check_timeout_seconds),
            "healthy_threshold": int(group.healthy_threshold_count),
            "unhealthy_threshold": int(group.unhealthy_threshold_count),
            "matcher": (getattr(group, "matcher", None) or {}).get("HttpCode") or "200",
        },
        "registrations": registrations.as_json(group.arn),
    }
