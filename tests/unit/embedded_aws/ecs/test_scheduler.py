"""When an unhealthy task of an ECS service goes: once others are in its place, if they fit."""

from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws.control_plane.ecs import rollouts, scheduler, tasks
from embedded_aws.control_plane.ecs.tasks import Unhealthy

UNHEALTHY = Unhealthy(stopped_reason="It failed health checks", event="(task 1) is unhealthy.")


class Service:
    """A service with two tasks desired; `steady`: of those that run beside the unhealthy one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, steady: int, maximum: int) -> None:
        self.stopped: list[str] = []
        self.told: list[str] = []
        self.failures = 0
        self.task = SimpleNamespace(name="unhealthy", started_by="d1")
        self.running = [self.task]
        self.running += [SimpleNamespace(name=f"s{n}", started_by="d1") for n in range(steady)]
        self.service = SimpleNamespace(
            desired_count=2,
            deployments=[{"id": "d2"}],
            rollout=SimpleNamespace(is_in_progress=False),
            health_check_grace_period_seconds=60,
        )
        self.is_healthy = False
        monkeypatch.setattr(scheduler, "_running", lambda *_: self.running)
        monkeypatch.setattr(scheduler, "_maximum", lambda _: maximum)
        monkeypatch.setattr(scheduler, "_stop", self._stop)
        monkeypatch.setattr(scheduler, "tell", lambda _, event: self.told.append(event))
        monkeypatch.setattr(tasks, "is_steady", lambda task: task is not self.task)
        monkeypatch.setattr(tasks, "why_unhealthy", self._why)
        monkeypatch.setattr(rollouts, "count_failure", self._count)

    def _why(self, task: Any, *, grace_seconds: float) -> Unhealthy | None:
        assert grace_seconds == 60
        return UNHEALTHY if task is self.task and not self.is_healthy else None

    def _stop(self, _: object, service: object, task: Any, reason: str) -> None:
        assert reason == UNHEALTHY.stopped_reason
        self.stopped.append(task.name)

    def _count(self, *_: object) -> None:
        self.failures += 1

    def replace(self) -> list[str]:
        scheduler._replace_unhealthy(None, self.service)
        return self.stopped


@pytest.mark.parametrize(
    ("steady", "maximum", "stopped"),
    [
        (1, 4, []),
        (2, 4, ["unhealthy"]),
        (3, 4, ["unhealthy"]),
        # No other fits beside it.
        (1, 2, ["unhealthy"]),
        (1, 3, []),
    ],
)
def test_it_goes_once_others_are_steady_or_none_fits_beside_it(
    monkeypatch: pytest.MonkeyPatch, steady: int, maximum: int, stopped: list[str]
) -> None:
    service = Service(monkeypatch, steady=steady, maximum=maximum)
    assert service.replace() == stopped
    assert service.failures == 0


@pytest.mark.parametrize(("deployment", "failures"), [("d1", 0), ("d2", 1)])
def test_one_of_a_rollout_goes_at_once_and_counts_against_it(
    monkeypatch: pytest.MonkeyPatch, deployment: str, failures: int
) -> None:
    service = Service(monkeypatch, steady=0, maximum=4)
    service.service.rollout.is_in_progress = True
    service.task.started_by = deployment
    assert service.replace() == ["unhealthy"] * failures
    assert service.failures == failures


def test_it_is_told_once_and_again_after_it_was_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch, steady=0, maximum=4)
    service.replace()
    service.replace()
    assert service.told == [UNHEALTHY.event]
    service.is_healthy = True
    service.replace()
    service.is_healthy = False
    service.replace()
    assert service.told == [UNHEALTHY.event] * 2
