"""A service and its deployments, for people."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from prod_e_ops.service.model import ServiceStatus, counted


def status_lines(
    status: ServiceStatus, *, tags: Sequence[str] = (), events: int = 5
) -> Iterator[str]:
    """For people. `tags`: of the image in the registry. `events`: how many of the newest."""
    deployment, revision = status.deployment, status.deployment.revision
    image = revision.image.rpartition("/")[2]
    named = revision.image.rpartition(":")[2]
    others = ", ".join(tag for tag in tags if tag != named)
    began = f"began {shown_time(deployment.created_at)}"
    if deployment.finished_at:
        began += f", ended {shown_time(deployment.finished_at)}"
    rows = {
        "deployment": f"{deployment.id}, {began}",
        "reason": deployment.reason if deployment.failed else "",
        "tasks": f"{status.running} running, {status.pending} pending, {status.desired} desired"
        + (f"; {status.old_running} of the running are old" if status.old_running else ""),
        "targets": counted(status.targets),
        "image": f"{image} ({others})" if others else image,
        "digest": revision.digest or "",
        "definition": revision.task_definition,
        "now runs": ", ".join((status.task_definition, *status.digests))
        if deployment.failed
        else "",
    }
    yield f"{status.key} ({status.service}): {deployment.state}"
    yield from (f"  {name:10}  {value}" for name, value in rows.items() if value)
    if shown := status.events[:events]:
        yield "  newest events"
        yield from (f"    {event}" for event in shown)


def shown_time(moment: datetime) -> str:
    """A moment for people, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def shown_minute(moment: datetime) -> str:
    """A moment in a column of a table, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
