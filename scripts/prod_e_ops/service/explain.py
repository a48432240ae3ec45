"""Why the tasks of a deployment failed: ECS's reasons, and what the container wrote last."""

from collections import Counter
from collections.abc import Iterator, Sequence

from prod_e_ops.errors import OpsError
from prod_e_ops.service.container_log import ContainerLog
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.model import Deployment, Task

_MOST_REASONS = 5
LAST_LINES = 10


async def explain(deployments: Deployments, deployment: Deployment) -> Sequence[str]:
    """Lines for people: each reason with its number of tasks, and the newest failed task's log.

    Empty if ECS keeps no stopped task of the deployment any more, which it does for an hour. A log
    that cannot be read is told as that, because it must not hide the reasons.
    """
    failed = await deployments.failed_tasks(deployment)
    if not failed:
        return []
    return [*_reasons(failed), *await _last_log_lines(deployments, failed[0])]


def _reasons(failed: Sequence[Task]) -> Iterator[str]:
    counted = Counter(task.why_stopped for task in failed)
    for reason, count in counted.most_common(_MOST_REASONS):
        yield f"{count} {'task' if count == 1 else 'tasks'} failed: {reason}"


async def _last_log_lines(deployments: Deployments, task: Task) -> Sequence[str]:
    names = deployments.names
    # A task that only was unhealthy has no container that failed.
    container = next(iter(task.failed_containers), names.container)
    try:
        lines = await ContainerLog(names, region=deployments.environment.region).last_lines(
            task_id=task.id, container=container, count=LAST_LINES
        )
    except OpsError as error:
        return [error.message, f"Its log group is {names.log_group}."]
    if not lines:
        return [f"The container {container} of the task {task.id} wrote nothing."]
    return [
        f"The last lines of the container {container} of the task {task.id}, in the log group"
        f" {names.log_group}:",
        *(f"  {line}" for line in lines),
    ]
