"""How deployments end: complete, failed, rolled back, or stopped by somebody.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
"""

import math
import os
import time
from dataclasses import dataclass
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow

from embedded_aws.control_plane.ecs import tasks
from embedded_aws.control_plane.ecs.records import circuit_breaker, last_successful, tell

_FEWEST_FAILURES, _MOST_FAILURES = 3, 200
_LONGEST_PAUSE_SECONDS = 60.0
"""ECS lengthens the pauses before it starts tasks that keep failing, to minutes; here that would be
waiting for nothing."""


@dataclass(kw_only=True)
class Rollout:
    """What is known of the deployment that a service follows.

    `failures`: tasks that failed since the last that became healthy. `pause_until`: of the
    monotonic clock. `watches_alarms`: not where one rings already when the deployment begins.
    `baked_at`: when it is completed if no alarm rings before, by the monotonic clock; None until
    all its tasks run.
    """

    is_in_progress: bool = True
    is_given_up: bool = False
    is_rollback: bool = False
    failures: int = 0
    pause_until: float = 0
    watches_alarms: bool = False
    baked_at: float | None = None

    @classmethod
    def begin(cls, backend: Any, service: Any) -> "Rollout":
        """That of a deployment that begins now."""
        return cls(watches_alarms=not _ringing(backend, service))


def configuration(service: Any) -> dict[str, Any]:
    """The service's DeploymentConfiguration."""
    return getattr(service, "deployment_configuration", None) or {}


def threshold(service: Any) -> int:
    """The number of failed tasks at which the circuit breaker acts."""
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeploymentCircuitBreaker.html
    half = math.ceil(int(service.desired_count) / 2)
    return min(max(half, _FEWEST_FAILURES), _MOST_FAILURES)


def count_failure(service: Any, task: Any) -> None:
    """Notes that a task of the deployment failed, and pauses before the next one is started."""
    rollout: Rollout = service.rollout
    if task.started_by != service.deployments[0]["id"]:
        return
    rollout.failures += 1
    pause = min(0.25 * 2 ** (rollout.failures - 1), _LONGEST_PAUSE_SECONDS)
    if rollout.failures > 1:
        rollout.pause_until = time.monotonic() + pause
    if rollout.is_in_progress:
        service.deployments[0]["failedTasks"] += 1
    if not rollout.is_in_progress or not circuit_breaker(service).get("enable"):
        if rollout.failures == _FEWEST_FAILURES:
            tell(service, "is unable to consistently start tasks successfully.")
        return
    service.past_deployments[0]["deploymentCircuitBreaker"] = {
        "status": "MONITORING",
        "failureCount": rollout.failures,
        "threshold": threshold(service),
    }


def judge(backend: Any, service: Any) -> None:
    """Ends the deployment if the circuit breaker or an alarm says so."""
    rollout: Rollout = service.rollout
    if not rollout.is_in_progress or rollout.is_rollback:
        return
    breaker = circuit_breaker(service)
    if breaker.get("enable") and rollout.failures >= threshold(service):
        service.past_deployments[0]["deploymentCircuitBreaker"]["status"] = "TRIGGERED"
        id = service.deployments[0]["id"]
        tell(service, f"(deployment {id}) deployment failed: tasks failed to start.")
        _fail(
            service,
            reason="ECS deployment circuit breaker: tasks failed to start.",
            rolls_back=bool(breaker.get("rollback")),
        )
        return
    if rollout.watches_alarms and (ringing := _ringing(backend, service)):
        id = service.deployments[0]["id"]
        tell(service, f"(deployment {id}) deployment failed: alarm detected.")
        alarms = configuration(service)["alarms"]
        service.past_deployments[0]["alarms"] = {
            "status": "TRIGGERED",
            "alarmNames": alarms["alarmNames"],
            "triggeredAlarmNames": ringing,
        }
        _fail(
            service,
            reason=f"ECS deployment failed: alarm(s) detected: {', '.join(ringing)}.",
            rolls_back=bool(alarms.get("rollback")),
        )


def complete(backend: Any, service: Any, *, running: list[Any]) -> None:
    """Ends the deployment if all that should run does, and nothing else."""
    deployment, rollout = service.deployments[0], service.rollout
    ids = {task.started_by for task in running}
    service.deployments = [deployment, *(d for d in service.deployments[1:] if d["id"] in ids)]
    new = [task for task in running if task.started_by == deployment["id"]]
    if any(map(tasks.is_steady, new)):
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentCircuitBreaker.html
        rollout.failures = 0
    is_steady = len(new) == len(running) == service.desired_count and all(map(tasks.is_steady, new))
    if not is_steady or rollout.is_given_up:
        return
    now = utcnow()
    if rollout.is_in_progress:
        if _is_baking(service):
            return
        rollout.is_in_progress = False
        deployment.update(
            rolloutState="COMPLETED",
            rolloutStateReason=f"ECS deployment {deployment['id']} completed.",
            updatedAt=now,
        )
        record = service.past_deployments[0]
        ended = "ROLLBACK_SUCCESSFUL" if rollout.is_rollback else "SUCCESSFUL"
        record.update(status=ended, finishedAt=now, updatedAt=now)
        tell(service, f"(deployment {deployment['id']}) deployment completed.")
        service.is_told_steady = False
    if not getattr(service, "is_told_steady", False):
        service.is_told_steady = True
        tell(service, "has reached a steady state.")


def _is_baking(service: Any) -> bool:
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
    rollout: Rollout = service.rollout
    alarms = configuration(service).get("alarms") or {}
    if not alarms.get("enable") or not rollout.watches_alarms:
        return False
    if rollout.baked_at is None:
        seconds = float(os.environ.get("EMBEDDED_AWS_ALARM_BAKE_SECONDS") or 0)
        rollout.baked_at = time.monotonic() + seconds
    return time.monotonic() < rollout.baked_at


def stop(backend: Any, service: Any, record: dict[str, Any], kind: str) -> None:
    """Ends a deployment because somebody asks for it; one that has ended stays as it is."""
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
    if record is not service.past_deployments[0] or not service.rollout.is_in_progress:
        return
    record["stoppedAt"] = utcnow()
    _fail(
        service,
        reason="Service deployment was stopped by StopServiceDeployment.",
        rolls_back=kind == "ROLLBACK",
    )


def _fail(service: Any, *, reason: str, rolls_back: bool) -> None:
    now = utcnow()
    failed, record = service.deployments[0], service.past_deployments[0]
    failed.update(rolloutState="FAILED", rolloutStateReason=reason, updatedAt=now)
    record["statusReason"] = reason
    before = last_successful(service)
    if not rolls_back or before is None:
        ended = "ROLLBACK_FAILED" if rolls_back else "STOPPED"
        record.update(status=ended, finishedAt=now, updatedAt=now)
        service.rollout.is_in_progress = False
        service.rollout.is_given_up = True
        return
    revision = before["targetServiceRevision"]["arn"]
    id = f"ecs-svc/{revision.split('/')[-1]}"
    record.update(
        status="ROLLBACK_IN_PROGRESS",
        updatedAt=now,
        rollback={"reason": reason, "startedAt": now, "serviceRevisionArn": revision},
    )
    tell(service, f"rolling back to deployment {id}.")
    _follow_again(service, id, before["revision"], reason)


def _follow_again(service: Any, id: str, revision: dict[str, Any], reason: str) -> None:
    """Makes the deployment that succeeded before the one that the service follows."""
    now, failed = utcnow(), service.deployments[0]
    failed["status"] = "ACTIVE"
    former = next((d for d in service.deployments if d["id"] == id), {**failed, "id": id})
    former.update(
        status="PRIMARY",
        taskDefinition=revision["taskDefinition"],
        capacityProviderStrategy=revision["capacityProviderStrategy"],
        networkConfiguration=revision["networkConfiguration"],
        rolloutState="IN_PROGRESS",
        rolloutStateReason=f"{reason.rstrip('.')}: rolling back to deploymentId {id}.",
        failedTasks=0,
        # ECS makes it a deployment of its own, which begins with the rollback.
        createdAt=now,
        updatedAt=now,
    )
    service.deployments = [former, *(d for d in service.deployments if d is not former)]
    service.task_definition = revision["taskDefinition"]
    service.network_configuration = revision["networkConfiguration"]
    service.rollout = Rollout(is_rollback=True)


def _ringing(backend: Any, service: Any) -> list[str]:
    alarms = configuration(service).get("alarms") or {}
    if not alarms.get("enable"):
        return []
    known = cloudwatch_backends[backend.account_id][backend.region_name].alarms
    return [
        name
        for name in alarms.get("alarmNames", ())
        if name in known and known[name].state_value == "ALARM"
    ]
