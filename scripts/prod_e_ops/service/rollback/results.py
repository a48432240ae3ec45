"""What a rollback came to, as `--json` shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from prod_e_ops.service.model import Deployment
from prod_e_ops.service.results import DeploymentResult
from prod_e_ops.service.rollback.state import ServiceState
from prod_e_ops.service.rollback.target import RollbackTarget


@dataclass(frozen=True, kw_only=True)
class SettingResult:
    """A setting that was changed, so that the next deployment keeps what runs."""

    file: str
    """The settings file's path."""

    key: str
    """For example `services.backend.image_tag`."""

    before: str | None
    """Its value before; null if it was left out."""

    after: str
    """Its value now."""


@dataclass(frozen=True, kw_only=True)
class RollbackResult:
    """What `prod-e rollback` prints."""

    environment: str
    """Its name."""

    service: str
    """The ECS service's name."""

    changed: bool
    """Whether anything was changed: the service or the settings."""

    digest: str | None
    """Of the image that the service runs; null for an image of another registry."""

    tags: Sequence[str]
    """Of that image, before the rollback."""

    task_definition: str
    """What the service is set to run."""

    deployment: DeploymentResult | None
    """The one that brought it back; null if none was needed."""

    setting: SettingResult | None
    """What was changed in the settings; null if nothing."""

    @classmethod
    def of(cls, state: ServiceState, target: RollbackTarget, deployment: Deployment | None) -> Self:
        """The result that shows a rollback. `deployment`: None if none was needed."""
        image, change, definition = target.image, target.change, target.definition
        return cls(
            environment=state.deployments.environment.name,
            service=state.deployments.names.service,
            changed=deployment is not None or change is not None,
            digest=image.digest if image else None,
            tags=image.tags if image else (),
            task_definition=definition.name
            if definition
            else deployment.revision.task_definition
            if deployment
            else state.status.task_definition,
            deployment=DeploymentResult.of(deployment) if deployment else None,
            setting=SettingResult(
                file=str(change.file),
                key=change.setting,
                before=change.old_value,
                after=change.new_value,
            )
            if change
            else None,
        )
