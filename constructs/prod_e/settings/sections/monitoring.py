"""`[monitoring]`: alarms, logs and the dashboard."""

from typing import Annotated

from pydantic import Field

from prod_e.settings.fields import Distinct, LogRetentionDays, Section, matching

_EmailAddress = Annotated[
    str, matching(r"^[!-?A-z|~]{1,64}@[!-?A-z|~]{1,191}\.[!-?A-z|~]{1,63}$", "an e-mail address")
]
"""Of 64 characters before the @ and 255 after it at most, as RFC 3696's erratum 1690 has it."""


class Thresholds(Section):
    """Where alarms ring."""

    http_5xx_percent: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Of a service's requests, how many it answers with 5xx."""

    load_balancer_5xx_per_minute: Annotated[int, Field(ge=0)] = 10
    """Above which the load balancer's own answers 502, 503 and 504 are many."""

    p95_latency_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Within which 95 % of a service's requests are answered."""

    task_cpu_percent: Annotated[int, Field(ge=1, le=100)] = 85
    """Of what a service's tasks have, on average."""

    task_memory_percent: Annotated[int, Field(ge=1, le=100)] = 85
    """Of what a service's tasks have, on average."""

    database_cpu_percent: Annotated[int, Field(ge=1, le=100)] = 80
    """Of what the database's instance has."""

    database_free_storage_percent: Annotated[int, Field(ge=1, le=90)] = 15
    """Below which the database's free storage is short."""

    database_connections: Annotated[int, Field(ge=1)] | None = None
    """Above which connections to the database are many; default: 90 % of what its instance class
    allows, or 80 where that is not known."""


class Monitoring(Section):
    """Alarms, logs and the dashboard."""

    alarm_emails: Distinct[_EmailAddress] = ()
    """Who is told; each address confirms its subscription once."""

    log_retention_days: LogRetentionDays = 30
    """How long CloudWatch keeps the logs of services and database."""

    thresholds: Thresholds = Thresholds()
    """Where alarms ring."""
