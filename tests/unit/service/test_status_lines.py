"""What `prod-e status` shows of a service."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from prod_e_ops.service.model import Deployment, Event
from prod_e_ops.service.render import shown_minute, shown_time, status_lines
from tests.support.service_status import NOW, UNDER_WAY


def with_deployment(**changes: Any) -> Deployment:
    return replace(UNDER_WAY.deployment, **changes)


def test_a_deployment_under_way_is_shown_with_its_old_tasks() -> None:
    assert list(status_lines(UNDER_WAY)) == [
        f"api (tiny-e-api): {UNDER_WAY.deployment.state}",
        "  deployment  d1, began 2026-01-31 12:30:15 UTC",
        "  tasks       2 running, 2 pending, 2 desired; 2 of the running are old",
        "  targets     2 healthy, 2 initial, 1 draining",
        "  image       api:latest",
        "  definition  tiny-e-api:2",
    ]


def test_the_other_tags_of_an_image_are_beside_its_own() -> None:
    revision = replace(UNDER_WAY.deployment.revision, image="1.dkr/api:latest", digest="sha256:1")
    status = replace(
        UNDER_WAY,
        old_running=0,
        targets={},
        deployment=with_deployment(
            revision=revision, status="SUCCESSFUL", finished_at=NOW + timedelta(minutes=1)
        ),
    )
    assert list(status_lines(status, tags=("latest", "v1.2.3", "git-1"))) == [
        f"api (tiny-e-api): {status.deployment.state}",
        "  deployment  d1, began 2026-01-31 12:30:15 UTC, ended 2026-01-31 12:31:15 UTC",
        "  tasks       2 running, 2 pending, 2 desired",
        "  image       api:latest (v1.2.3, git-1)",
        "  digest      sha256:1",
        "  definition  tiny-e-api:2",
    ]


def test_one_that_failed_is_shown_with_why_and_with_what_runs_now() -> None:
    status = replace(
        UNDER_WAY,
        task_definition="tiny-e-api:1",
        deployment=with_deployment(status="ROLLBACK_SUCCESSFUL", reason="An alarm rang."),
    )
    lines = list(status_lines(status))
    assert "  reason      An alarm rang." in lines
    assert lines[-1] == "  now runs    tiny-e-api:1, sha256:1"


def test_the_newest_events_are_shown() -> None:
    events = tuple(Event(id=str(number), at=NOW, message=f"event {number}") for number in range(7))
    lines = list(status_lines(replace(UNDER_WAY, events=events)))
    assert lines[-6] == "  newest events"
    assert lines[-5:] == [f"    {event}" for event in events[:5]]
    assert list(status_lines(replace(UNDER_WAY, events=events), events=1))[-1] == f"    {events[0]}"


def test_moments_are_shown_in_utc() -> None:
    moment = datetime(2026, 1, 31, 1, 30, 15, tzinfo=timezone(timedelta(hours=2)))
    assert shown_time(moment) == "2026-01-30 23:30:15 UTC"
    assert shown_minute(moment) == "2026-01-30 23:30"
    assert shown_minute(moment.astimezone(UTC)) == shown_minute(moment)
