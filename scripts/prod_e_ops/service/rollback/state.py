"""What a service runs, and what it could go back to."""

from collections.abc import Sequence
from dataclasses import dataclass

from prod_e_ops import next_commands
from prod_e_ops.errors import DeploymentUnderWay, NothingToRollBackTo
from prod_e_ops.images.ecr import Repository
from prod_e_ops.images.inventory import ImageUse, ServiceImages, service_images, tag_in_settings
from prod_e_ops.project.project import Project
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.model import ServiceStatus


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """What is known before anything is decided.

    `pinned_tag`: the tag that the settings have the service run, `latest` included; None if it is
    the hash of a source that cannot be read.
    """

    deployments: Deployments
    repository: Repository
    status: ServiceStatus
    found: ServiceImages
    pinned_tag: str | None

    @property
    def follows(self) -> bool:
        """Whether the service runs whatever the tag `latest` names."""
        return self.deployments.settings.image_tag.follows is not None

    def is_current(self, use: ImageUse) -> bool:
        """Whether every task runs it, and the next ones will.

        Not so once ECS has rolled back by itself: the tag or the settings still say what failed.
        """
        if not self.found.run_only(use.image):
            return False
        if self.pinned_tag in use.image.tags:
            return True
        return not self.follows and self.status.deployment.succeeded

    @property
    def candidates(self) -> Sequence[ImageUse]:
        """What can be gone back to, the image pushed last first."""
        return [
            use
            for use in self.found.uses
            if not self.is_current(use) and (self.follows or use.definitions)
        ]

    @property
    def proposal(self) -> ImageUse | None:
        """The candidate that was deployed successfully most recently."""
        healthy = [use for use in self.candidates if use.healthy_at]
        return max(healthy, key=lambda use: use.healthy_at or use.image.pushed_at, default=None)


async def gather_state(
    project: Project, deployments: Deployments, repository: Repository, status: ServiceStatus
) -> ServiceState:
    """Asks ECR and ECS what is in the repository and what uses it; raises as they do."""
    return ServiceState(
        deployments=deployments,
        repository=repository,
        status=status,
        # What a pinned service goes back to is a task definition.
        found=await service_images(
            deployments, repository, definitions=not deployments.settings.image_tag.follows
        ),
        pinned_tag=await tag_in_settings(project, deployments),
    )


async def refuse_while_under_way(deployments: Deployments, status: ServiceStatus) -> None:
    """Raises `DeploymentUnderWay` unless the service's deployment has ended, or its tasks fail."""
    if not status.deployment.under_way:
        return
    environment = deployments.environment.name
    follow = next_commands.status(deployments.key, environment=environment, wait=True)
    wait = f"Follow it with `{follow}`."
    if status.deployment.status.startswith("ROLLBACK"):
        raise DeploymentUnderWay(
            f"ECS is rolling {deployments.names.service} back by itself: "
            f"{status.deployment.reason or status.progress}",
            details=["Nothing was changed."],
            next_step=wait,
        )
    # One whose tasks fail is what a rollback is for.
    if not await deployments.failed_tasks(status.deployment):
        raise DeploymentUnderWay(
            f"A deployment of {deployments.names.service} is under way, and none of its tasks has"
            f" failed: {status.progress}.",
            details=["Nothing was changed."],
            next_step=wait,
        )


def nothing_to_roll_back_to(state: ServiceState) -> NothingToRollBackTo:
    """The error for a service without an image that is known to have been healthy."""
    service, repository = state.deployments.names.service, state.repository.name
    push = next_commands.push(state.deployments.key, environment=state.deployments.environment.name)
    others = state.candidates
    if others:
        names = ", ".join(use.name for use in others[:5])
        return NothingToRollBackTo(
            f"None of the other images of {repository} is known to have been healthy: ECS has no"
            " successful deployment of them in its record, which goes back 90 days.",
            details=[f"There are: {names}", "Nothing was changed."],
            next_step="Name the one that you trust with --to.",
        )
    if state.found.uses and not state.follows:
        reason = (
            f"no other image in {repository} is named by an active revision of"
            f" {state.deployments.names.task_family}"
        )
    else:
        reason = f"{repository} holds no other image"
    return NothingToRollBackTo(
        f"There is nothing that {service} could go back to: {reason}.",
        details=["Nothing was changed."],
        next_step=f"Push a good image: {push}",
    )
