"""A service in the middle of a deployment, as ECS would tell of it."""

from datetime import UTC, datetime

from prod_e_ops.service.model import Deployment, Revision, ServiceStatus

NOW = datetime(2026, 1, 31, 12, 30, 15, 999, tzinfo=UTC)

UNDER_WAY = ServiceStatus(
    key="api",
    service="tiny-e-api",
    cluster="tiny-e-cluster",
    task_definition="tiny-e-api:2",
    desired=2,
    running=2,
    pending=2,
    old_running=2,
    digests=("sha256:1",),
    targets={"healthy": 2, "initial": 2, "draining": 1},
    deployment=Deployment(
        id="d1",
        status="IN_PROGRESS",
        reason="",
        created_at=NOW,
        finished_at=None,
        revision=Revision(id="r1", task_definition="tiny-e-api:2", image="api:latest"),
    ),
    events=(),
)
