"""For how long and how much of what is over the page for a browser tells."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws.control_plane.overview import overview as module
from embedded_aws.control_plane.overview.overview import Overview, overview_of

NOW = datetime(2026, 1, 31, 12, 30, 15, 999_600, tzinfo=UTC)


class Clock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        assert tz is UTC
        return NOW


def task(id: str, status: str = "RUNNING", **given: Any) -> Any:
    return SimpleNamespace(
        task_arn=f"arn:task/cluster/{id}",
        group="service:web",
        last_status=status,
        containers=[SimpleNamespace(name="app", image="app:1")],
        **given,
    )


def service(name: str = "web", events: Sequence[Any] = ()) -> Any:
    return SimpleNamespace(
        name=name,
        cluster_name="cluster",
        status="ACTIVE",
        events=list(events),
        deployments=[{"rolloutState": "COMPLETED", "rolloutStateReason": ""}],
        past_deployments=[],
        load_balancers=[],
        desired_count=1,
        running_count=1,
        pending_count=0,
    )


def told(
    monkeypatch: pytest.MonkeyPatch, services: Sequence[Any], tasks: Sequence[Any] = ()
) -> Overview:
    """What is told of the services and tasks of one region at a time of its own."""
    by_name = {each.name: each for each in services}
    by_arn = {each.task_arn: each for each in tasks}
    backend = SimpleNamespace(services=by_name, tasks={"cluster": by_arn})
    for name in ("ecr", "elbv2", "rds", "cloudwatch"):
        monkeypatch.setattr(module, f"{name}_backends", {})
    monkeypatch.setattr(module, "ecs_backends", {"123456789012": {"us-west-2": backend}})
    monkeypatch.setattr(module, "datetime", Clock)
    return overview_of({})


def test_a_task_that_has_stopped_is_told_for_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(seconds: float) -> datetime:
        return NOW - timedelta(seconds=seconds)

    tasks = [
        task("long-ago", "STOPPED", stopped_at=stopped(30)),
        task("lately", "STOPPED", stopped_at=stopped(29.9)),
        # moto's times are UTC, and do not say so.
        task("lately-in-moto", "STOPPED", stopped_at=stopped(29.9).replace(tzinfo=None)),
        task("when", "STOPPED"),
        task("stopping", "STOPPING", stopped_at=stopped(3600)),
    ]
    (found,) = told(monkeypatch, [service()], tasks)["services"]
    assert [each["id"] for each in found["tasks"]] == ["stopping", "lately-in-moto", "lately"]


def test_times_are_told_in_utc_to_the_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    eastern = NOW.astimezone(timezone(timedelta(hours=-5)))
    tasks = [task("a", started_at=eastern), task("b", started_at=NOW.replace(tzinfo=None))]
    overview = told(monkeypatch, [service()], tasks)
    (found,) = overview["services"]
    assert {each["started_at"] for each in found["tasks"]} == {"2026-01-31T12:30:15.999+00:00"}
    assert overview["at"] == "2026-01-31T12:30:15.999+00:00"


def test_the_forty_newest_events_of_all_services_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def events(name: str, count: int, *, offset: float) -> list[Any]:
        return [
            {
                "createdAt": NOW - timedelta(seconds=2 * number + offset),
                "message": f"{name} {number}",
            }
            for number in range(count)
        ]

    one = service("one", events("one", 50, offset=0))
    two = service("two", events("two", 50, offset=1))
    found = told(monkeypatch, [one, two])["events"]
    expected = [f"{name} {number}" for number in range(20) for name in ("one", "two")]
    assert [event["message"] for event in found] == expected
    assert [event["source"] for event in found] == ["one", "two"] * 20
    (alone, *_) = [told(monkeypatch, [one])["events"]]
    assert [event["message"] for event in alone] == [f"one {number}" for number in range(40)]


def test_a_service_without_a_deployment_on_record_has_no_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (found,) = told(monkeypatch, [service()])["services"]
    assert found == {
        "name": "web",
        "cluster": "cluster",
        "desired": 1,
        "running": 1,
        "pending": 0,
        "rollout": "COMPLETED",
        "rollout_reason": "",
        "version": "",
        "is_rolled_back": False,
        "tasks": [],
    }
