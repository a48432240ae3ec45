"""What ECS keeps of what is over has an end."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from moto.core.utils import utcnow

from embedded_aws.control_plane.ecs.records import forget_stopped_tasks, tell


def test_a_service_has_its_hundred_newest_events() -> None:
    service: Any = SimpleNamespace(name="web", events=[])
    for number in range(130):
        tell(service, f"event {number}")
    messages = [event["message"] for event in service.events]
    assert messages == [f"(service web) event {number}" for number in range(129, 29, -1)]


def test_a_stopped_task_is_known_for_an_hour() -> None:
    def task(status: str, *, minutes: int) -> Any:
        return SimpleNamespace(last_status=status, stopped_at=utcnow() - timedelta(minutes=minutes))

    running = SimpleNamespace(last_status="RUNNING")
    tasks = {
        "old": task("STOPPED", minutes=61),
        "new": task("STOPPED", minutes=59),
        "running": running,
    }
    backend: Any = SimpleNamespace(tasks={"cluster": tasks})
    forget_stopped_tasks(backend)
    assert list(tasks) == ["new", "running"]
