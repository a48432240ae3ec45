"""How the services of an environment are doing, as ECS tells it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prod_e.settings import Environment


@dataclass(frozen=True, kw_only=True)
class ServiceStatus:
    """A service: its tasks, and the state of its last deployment.

    `rollout`: `IN_PROGRESS`, `COMPLETED` or `FAILED`:
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
    """

    name: str
    running: int
    desired: int
    rollout: str
    reason: str

    @property
    def summary(self) -> str:
        """One line for people."""
        text = f"{self.name} runs {self.running} of {self.desired} tasks"
        return text if self.rollout == "COMPLETED" else f"{text}, {self.rollout}: {self.reason}"


async def service_statuses(environment: "Environment") -> Sequence[ServiceStatus]:
    """Asks ECS for every service of the environment."""
    return await asyncio.to_thread(_ask, environment)


def _ask(environment: "Environment") -> Sequence[ServiceStatus]:
    import boto3

    from prod_e.names import ServiceNames

    client = boto3.client("ecs", region_name=environment.region)
    names = [
        ServiceNames.of(environment.name, key, service).service
        for key, service in environment.services.items()
    ]
    statuses = []
    # ECS describes at most ten services at once.
    for start in range(0, len(names), 10):
        answer = client.describe_services(
            cluster=f"{environment.name}-cluster", services=names[start : start + 10]
        )
        for service in answer["services"]:
            # A rolled back deployment stays in the list beside the one that took its place.
            deployments = sorted(
                service["deployments"], key=lambda deployment: deployment["createdAt"]
            )
            failed = [d for d in deployments if d.get("rolloutState") == "FAILED"]
            shown = (failed or deployments)[-1]
            statuses.append(
                ServiceStatus(
                    name=service["serviceName"],
                    running=service["runningCount"],
                    desired=service["desiredCount"],
                    rollout=shown.get("rolloutState", "COMPLETED"),
                    reason=shown.get("rolloutStateReason", ""),
                )
            )
    return statuses
