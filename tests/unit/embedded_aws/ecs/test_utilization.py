"""How much of their CPU and memory tasks use becomes metrics of their service."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws.data_plane.runtimes.runtime import Usage
from embedded_aws.data_plane.tasks import utilization as module
from embedded_aws.data_plane.tasks.utilization import Utilization

MIB = 1024 * 1024


class Container:
    """A container that has used so much so far."""

    def __init__(self, cpu_seconds: float, memory_mib: float) -> None:
        self.used: Usage | None = Usage(cpu_seconds=cpu_seconds, memory_bytes=int(memory_mib * MIB))

    async def usage(self) -> Usage | None:
        return self.used


def task(
    *containers: Container | None,
    group: str = "service:web",
    id: str = "1",
    cpu: int | None = 256,
    memory: int | None = 512,
) -> Any:
    desired = {
        "arn": f"arn:aws:ecs:us-west-2:1:task/tiny/{id}",
        "group": group,
        "cpu": cpu,
        "memory": memory,
    }
    states = {str(at): SimpleNamespace(container=each) for at, each in enumerate(containers)}
    return SimpleNamespace(desired=desired, containers=states)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake: Any = SimpleNamespace(now=100.0)
    fake.monotonic = lambda: fake.now
    monkeypatch.setattr(module, "time", fake)
    return fake


def measured(utilization: Utilization) -> Any:
    found = asyncio.run(utilization._measure())
    return {service: dict(metrics) for service, metrics in found.items()}


def of(*tasks: Any) -> Utilization:
    no_clients: Any = None
    return Utilization(no_clients, running=lambda: tasks)


def test_cpu_is_what_was_used_since_the_last_look_of_what_the_task_has(clock: Any) -> None:
    main, sidecar = Container(1.0, 100), Container(0.5, 28)
    utilization = of(task(main, None, sidecar))
    memory = {"MemoryUtilization": [25.0]}
    assert measured(utilization) == {("tiny", "web"): memory}
    main.used = Usage(cpu_seconds=1.5, memory_bytes=100 * MIB)
    clock.now = 110.0
    # Half a second of a core in ten, of a quarter of a core.
    cpu = {"CPUUtilization": [pytest.approx(20.0)]}
    assert measured(utilization) == {("tiny", "web"): memory | cpu}
    # A container that was started again has used less than before.
    main.used = Usage(cpu_seconds=0.0, memory_bytes=100 * MIB)
    clock.now = 120.0
    assert measured(utilization)["tiny", "web"]["CPUUtilization"] == [0.0]


@pytest.mark.usefixtures("clock")
def test_tasks_of_no_service_and_what_nothing_is_known_of_have_none() -> None:
    ended = Container(1.0, 1)
    ended.used = None
    tasks = [task(Container(1.0, 1), group="family:once"), task(ended), task()]
    assert measured(of(*tasks)) == {}


def test_without_a_size_there_is_no_part_of_it(clock: Any) -> None:
    utilization = of(task(Container(1.0, 1), cpu=None, memory=None))
    for _ in range(2):
        assert measured(utilization) == {("tiny", "web"): {}}
        clock.now += 10


@pytest.mark.usefixtures("clock")
def test_each_task_of_a_service_counts() -> None:
    tasks = [task(Container(1.0, 512), id="1"), task(Container(1.0, 256), id="2")]
    assert measured(of(*tasks))["tiny", "web"]["MemoryUtilization"] == [100.0, 50.0]


def test_cloudwatch_gets_them_by_cluster_and_service() -> None:
    put: list[Any] = []
    client = SimpleNamespace(put_metric_data=lambda **data: put.append(data))
    clients: Any = {"cloudwatch": client}.__getitem__
    utilization = Utilization(clients, running=list)
    utilization._put({("tiny", "web"): {"CPUUtilization": [1.0, 2.0]}})
    (data,) = put
    (datum,) = data["MetricData"]
    assert data["Namespace"] == "AWS/ECS"
    assert datum.pop("Timestamp").tzinfo is not None
    assert datum == {
        "MetricName": "CPUUtilization",
        "Values": [1.0, 2.0],
        "Counts": [1.0, 1.0],
        "Unit": "Percent",
        "Dimensions": [
            {"Name": "ClusterName", "Value": "tiny"},
            {"Name": "ServiceName", "Value": "web"},
        ],
    }
