"""Where alarms ring."""

from dataclasses import dataclass
from typing import Annotated

from prod_e.doc import Doc


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Where alarms ring; each is compared with a minute's value, several times in a row."""

    http_5xx_percent: Annotated[float, Doc("of all answers; default 1.0")] = 1.0
    p95_latency_seconds: Annotated[float, Doc("of 95 % of answers; default 1.0")] = 1.0
    task_cpu_percent: Annotated[int, Doc("mean of a service's tasks; default 85")] = 85
    task_memory_percent: Annotated[int, Doc("mean of a service's tasks; default 85")] = 85
    database_cpu_percent: Annotated[int, Doc("default 80")] = 80
    database_free_storage_percent: Annotated[int, Doc("rings below; default 15")] = 15
    database_connections: Annotated[int, Doc("rings above; default 80")] = 80
