"""What a push came to, for people and for machines, and what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass

from prod_e.delivery.image_tag import FOLLOWED_TAG
from prod_e_ops import next_commands
from prod_e_ops.images.push.plan import PushPlan


@dataclass(frozen=True, kw_only=True)
class PushResult:
    """What `prod-e push` prints."""

    repository: str
    """The ECR repository's address, without a tag."""

    digest: str
    """Of the image that the tags name."""

    tags: Sequence[str]
    """All that name it for this push, what starts a deployment last."""

    built: bool
    """Whether the image was built now."""

    pushed: bool
    """Whether it was uploaded now; otherwise ECR had it."""

    def __str__(self) -> str:
        """What to pull it by: the steps have told the rest."""
        return f"{self.repository}@{self.digest}"


def next_steps(plan: PushPlan, moved: Sequence[str]) -> list[str]:
    environment = plan.environment.name
    deploy = next_commands.deploy(environment)
    status = next_commands.status(plan.key, environment=environment)
    if not plan.fits_tasks:
        architecture = f'architecture = "{plan.architecture}"'
        return [f"Set {architecture} in {plan.environment.file}, then push and {deploy}"]
    if plan.is_followed:
        if FOLLOWED_TAG not in moved:
            return [f"`{FOLLOWED_TAG}` named this image before: nothing is deployed."]
        return [f"ECS deploys it by itself now ({status}); before the first deployment: {deploy}"]
    if plan.service.image_tag.built_from_source:
        return [f"{deploy} deploys exactly this content."]
    return [
        f'Set image_tag = "{plan.release or plan.content_tag}" in'
        f" {plan.environment.file}, then {deploy}"
    ]
