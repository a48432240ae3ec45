"""Why the tasks of a deployment failed, with the last of what the newest of them wrote."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.errors import AwsFailed, OpsError
from prod_e_ops.service import explain as module
from prod_e_ops.service.explain import explain
from prod_e_ops.service.model import Task
from tests.support.service_status import NOW, UNDER_WAY

NAMES = SimpleNamespace(container="tiny-e-container", log_group="/ecs/tiny-e-api")


def task(id: str, reason: str, *failed: str) -> Task:
    return Task(
        id=id,
        status="STOPPED",
        deployment="d1",
        task_definition="tiny-e-api:2",
        digests={},
        stopped_reason=reason,
        exits=(),
        failed_containers=failed,
        stopped_at=NOW,
    )


class Log:
    """The log of a service; `read`: which containers' lines were asked for."""

    def __init__(self, lines: Sequence[str] | OpsError) -> None:
        self.lines = lines
        self.read: list[tuple[str, str]] = []

    async def last_lines(self, *, task_id: str, container: str, count: int) -> Sequence[str]:
        self.read.append((task_id, container))
        if isinstance(self.lines, OpsError):
            raise self.lines
        return self.lines[-count:]


def explained(monkeypatch: pytest.MonkeyPatch, log: Log, *failed: Task) -> Sequence[str]:
    def of_service(names: object, *, region: str) -> Log:
        assert (names, region) == (NAMES, "us-west-2")
        return log

    async def failed_tasks(deployment: object) -> Sequence[Task]:
        assert deployment is UNDER_WAY.deployment
        return failed

    monkeypatch.setattr(module, "ContainerLog", of_service)
    deployments: Any = SimpleNamespace(
        names=NAMES, environment=SimpleNamespace(region="us-west-2"), failed_tasks=failed_tasks
    )
    return asyncio.run(explain(deployments, UNDER_WAY.deployment))


def test_the_last_lines_of_the_container_that_failed_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log([f"line {number}" for number in range(12)])
    failed = [task("new", "it exited", "migration", "app"), task("old", "it exited", "app")]
    told = explained(monkeypatch, log, *failed)
    assert log.read == [("new", "migration")]
    assert told[0] == "2 tasks failed: it exited"
    assert "the container migration of the task new" in told[1]
    assert told[1].endswith("/ecs/tiny-e-api:")
    assert told[2:] == [f"  line {number}" for number in range(2, 12)]


def test_the_five_most_frequent_reasons_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [task("a", f"reason {number}") for number in range(6) for _ in range(6 - number)]
    told = explained(monkeypatch, Log([]), *tasks)
    assert told[:-1] == [f"{6 - number} tasks failed: reason {number}" for number in range(5)]
    assert explained(monkeypatch, Log([]), tasks[-1])[0] == "1 task failed: reason 5"


def test_of_a_task_that_was_unhealthy_the_services_own_container_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log([])
    (_, told) = explained(monkeypatch, log, task("new", "Task failed ELB health checks"))
    assert log.read == [("new", "tiny-e-container")]
    assert told == "The container tiny-e-container of the task new wrote nothing."


def test_a_log_that_cannot_be_read_hides_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(AwsFailed("Cannot read the log of the task new: AccessDenied."))
    assert explained(monkeypatch, log, task("new", "it exited")) == [
        "1 task failed: it exited",
        "Cannot read the log of the task new: AccessDenied.",
        "Its log group is /ecs/tiny-e-api.",
    ]


def test_without_a_task_that_failed_there_is_nothing_to_explain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log(["a line"])
    assert explained(monkeypatch, log) == []
    assert log.read == []
