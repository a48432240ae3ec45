"""What things are called in AWS. It needs no cdktf, so that any tool can ask it quickly."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from prod_e.settings import Service


def cluster_name(environment_name: str) -> str:
    """What the ECS cluster of an environment is called."""
    return f"{environment_name}-cluster"


@dataclass(frozen=True, kw_only=True)
class ServiceNames:
    """What a service's resources are called in AWS.

    `redeploy`: the rule and the state machine that deploy it anew when its tag is pushed.
    """

    repository: str
    task_family: str
    container: str
    service: str
    log_group: str
    redeploy: str

    @classmethod
    def of(cls, environment_name: str, key: str, service: "Service") -> Self:
        """The names that the settings give, or those made of the environment and the service."""
        default = f"{environment_name}-{key}"
        return cls(
            repository=service.repository or default,
            task_family=service.task_family or default,
            container=service.container or default,
            service=service.service or default,
            log_group=service.log_group or f"/ecs/{default}",
            redeploy=f"{default}-redeploy",
        )
