"""Health checks of containers.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
"""

import asyncio
import time
from typing import TYPE_CHECKING

from embedded_aws.protocol import ContainerCheck

if TYPE_CHECKING:
    from embedded_aws.data_plane.tasks.tasks import ContainerState

_FIRST_SECONDS = 0.25
"""Until a container was healthy once it is asked this often, so that nobody waits for an interval;
what fails then counts no more often than with the interval."""


class HealthCheck:
    """A container's health check, in seconds as its definition has them."""

    def __init__(self, definition: ContainerCheck) -> None:
        kind, *rest = definition["command"]
        # A list without a kind is a command too.
        self.command: list[str] = (
            ["/bin/sh", "-c", " ".join(rest)]
            if kind == "CMD-SHELL"
            else rest
            if kind == "CMD"
            else [kind, *rest]
        )
        self.interval_seconds = float(definition.get("interval") or 30)
        self.timeout_seconds = float(definition.get("timeout") or 5)
        self.retries = int(definition.get("retries") or 3)
        self.start_period_seconds = float(definition.get("startPeriod") or 0)

    async def follow(self, state: "ContainerState") -> None:
        """Keeps the container's health up to date, until it is cancelled."""
        assert state.container is not None
        begun = counted = time.monotonic()
        failures = 0
        while state.status == "RUNNING":
            is_healthy = await state.container.run(
                self.command, timeout_seconds=self.timeout_seconds
            )
            now = time.monotonic()
            if is_healthy:
                failures, state.health = 0, "HEALTHY"
            elif state.health == "HEALTHY":
                failures += 1
            elif now - begun >= self.start_period_seconds and (
                now - counted >= self.interval_seconds
            ):
                failures, counted = failures + 1, now
            if failures >= self.retries:
                state.health = "UNHEALTHY"
            was_healthy = state.health != "UNKNOWN"
            await asyncio.sleep(self.interval_seconds if was_healthy else _FIRST_SECONDS)
