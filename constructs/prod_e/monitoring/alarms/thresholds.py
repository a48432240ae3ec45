"""Where alarms ring."""

from dataclasses import dataclass
from typing import Annotated

from prod_e.doc import Doc


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Where alarms ring; each is compared with a minute's value, several times in a row."""

    http_5xx_percent: Annotated[
        float, Doc("percent of all answers, above 0 to 100; default 1.0")
    ] = 1.0
    load_balancer_5xx_per_minute: Annotated[
        int, Doc("of the load balancer's own, rings above, 0 or more; default 10")
    ] = 10
    p95_latency_seconds: Annotated[
        float, Doc("seconds, of 95 % of answers, above 0 to 60; default 1.0")
    ] = 1.0
    task_cpu_percent: Annotated[
        int, Doc("percent, mean of a service's tasks, 1 to 100; default 85")
    ] = 85
    task_memory_percent: Annotated[
        int, Doc("percent, mean of a service's tasks, 1 to 100; default 85")
    ] = 85
    database_cpu_percent: Annotated[int, Doc("percent, 1 to 100; default 80")] = 80
    database_free_storage_percent: Annotated[
        int, Doc("percent; rings below, 1 to 90; default 15")
    ] = 15
    database_connections: Annotated[int, Doc("rings above, 1 or more; default 80")] = 80
