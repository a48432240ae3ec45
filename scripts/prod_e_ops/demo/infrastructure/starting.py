"""Services that do not start: Terraform waits for them for twenty minutes, the demo does not."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from prod_e.names import ServiceNames
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError
from prod_e_ops.service.container_log import ContainerLog
from prod_e_ops.service.explain import LAST_LINES

_POLL_SECONDS = 1.0
_FAILED_SECONDS = 10.0
"""A deployment that has failed for so long is followed by no other: the last push is over."""
_MOST_REASONS = 3


async def until_one_fails(run: Run, delivered: asyncio.Event) -> NoReturn:
    """Raises `OpsError` with ECS's reasons once a service has failed to start.

    `delivered`: set when the images are in their repositories; what is deployed before that may
    fail, because each push deploys it again.
    """
    await delivered.wait()
    failing_since: dict[str, float] = {}
    while True:
        for key, service in run.environment.services.items():
            names = ServiceNames.of(run.environment.name, key, service)
            deployment = await in_thread(partial(_failed_deployment, run, names))
            if deployment is None:
                failing_since.pop(key, None)
                continue
            since = failing_since.setdefault(key, time.monotonic())
            if time.monotonic() - since >= _FAILED_SECONDS:
                raise OpsError(
                    f"{names.service} does not start: {deployment['rolloutStateReason']}",
                    details=await _why(run, names),
                    next_step=f"Mend the source {run.environment.source_of(key)} or the settings,"
                    " and run the command again.",
                )
        await asyncio.sleep(_POLL_SECONDS)


def _failed_deployment(run: Run, names: ServiceNames) -> dict[str, Any] | None:
    """The service's only deployment, where it has failed and there is none to go back to."""
    ecs = run.clients("ecs")
    try:
        found = ecs.describe_services(
            cluster=run.environment.names.cluster, services=[names.service]
        )["services"]
    except ecs.exceptions.ClusterNotFoundException:
        return None
    deployments: list[dict[str, Any]] = found[0]["deployments"] if found else []
    if len(deployments) == 1 and deployments[0]["rolloutState"] == "FAILED":
        return deployments[0]
    return None


async def _why(run: Run, names: ServiceNames) -> Sequence[str]:
    """Why its tasks stopped, and what the container of the newest wrote last."""
    tasks = await in_thread(partial(_stopped_tasks, run, names))
    counted = Counter(_reason(task) for task in tasks)
    lines = [f"{count} x {reason}" for reason, count in counted.most_common(_MOST_REASONS)]
    newest = max(tasks, key=lambda task: task["createdAt"], default=None)
    if newest is None:
        return lines
    log = ContainerLog(names, region=run.environment.region, client=run.clients("logs"))
    written = await log.last_lines(
        task_id=newest["taskArn"].rpartition("/")[2],
        container=names.container,
        count=LAST_LINES,
    )
    return [*lines, *(f"  {line}" for line in written)]


def _stopped_tasks(run: Run, names: ServiceNames) -> Sequence[dict[str, Any]]:
    ecs, cluster = run.clients("ecs"), run.environment.names.cluster
    arns = ecs.list_tasks(cluster=cluster, serviceName=names.service, desiredStatus="STOPPED")[
        "taskArns"
    ]
    tasks: Sequence[dict[str, Any]] = (
        ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    )
    return tasks


def _reason(task: dict[str, Any]) -> str:
    codes = [
        f"{each['name']} exited with {each['exitCode']}"
        for each in task["containers"]
        if each.get("exitCode")
    ]
    return "; ".join([str(task.get("stoppedReason")), *codes])
