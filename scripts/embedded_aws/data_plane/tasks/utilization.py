"""How much of their CPU and memory the tasks of services use, as CloudWatch metrics.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.data_plane.aws import Clients
from embedded_aws.data_plane.tasks.tasks import Task

_EVERY_SECONDS = 5
"""ECS publishes every 60 seconds; the averages are the same."""
_UNITS_PER_CORE = 1024
_MIB = 1024 * 1024

Service = tuple[str, str]
"""The names of a cluster and of a service in it."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A task's `cpu_seconds` so far, at a time by `time.monotonic`."""

    at: float
    cpu_seconds: float


class Utilization:
    """Measures what tasks use and hands it over. `running`: gives those that run now."""

    def __init__(self, clients: Clients, *, running: Callable[[], Sequence[Task]]) -> None:
        self._clients = clients
        self._running = running
        self._seen: dict[str, _Seen] = {}

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            measured = await self._measure()
            if measured:
                with contextlib.suppress(BotoCoreError, ClientError):
                    await asyncio.to_thread(self._put, measured)

    async def _measure(self) -> dict[Service, dict[str, list[float]]]:
        """The percentages of each task of each service, by the metric's name."""
        found: dict[Service, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        seen: dict[str, _Seen] = {}
        for task in self._running():
            kind, _, service = task.desired["group"].partition(":")
            containers = [each.container for each in task.containers.values() if each.container]
            used = [usage for each in containers if (usage := await each.usage())]
            if kind != "service" or not used:
                continue
            arn, now = task.desired["arn"], time.monotonic()
            seen[arn] = _Seen(at=now, cpu_seconds=sum(each.cpu_seconds for each in used))
            of_service = found[arn.split("/")[-2], service]
            if memory_mib := task.desired["memory"]:
                bytes_used = sum(each.memory_bytes for each in used)
                of_service["MemoryUtilization"].append(100 * bytes_used / (memory_mib * _MIB))
            before = self._seen.get(arn)
            if before and (units := task.desired["cpu"]):
                cores = (seen[arn].cpu_seconds - before.cpu_seconds) / (now - before.at)
                percent = 100 * max(0.0, cores) * _UNITS_PER_CORE / units
                of_service["CPUUtilization"].append(percent)
        self._seen = seen
        return found

    def _put(self, measured: dict[Service, dict[str, list[float]]]) -> None:
        now = datetime.now(UTC)
        data: list[dict[str, Any]] = [
            {
                "MetricName": name,
                "Values": values,
                "Counts": [1.0] * len(values),
                "Unit": "Percent",
                "Timestamp": now,
                "Dimensions": [
                    {"Name": "ClusterName", "Value": cluster},
                    {"Name": "ServiceName", "Value": service},
                ],
            }
            for (cluster, service), metrics in measured.items()
            for name, values in metrics.items()
        ]
        self._clients("cloudwatch").put_metric_data(Namespace="AWS/ECS", MetricData=data)
