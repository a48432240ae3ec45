"""Plans and deployments as `--json` shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from prod_e_ops.errors import UserMistake
from prod_e_ops.images.results import ImagePlanResult
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.terraform.plans.plan_changes import Change
from prod_e_ops.terraform.runner import PLAN_FILE, PLAN_JSON_FILE


@dataclass(frozen=True, kw_only=True)
class StackPlanResult:
    """What Terraform would do in one stack: the addresses of resources, by action."""

    stack: str
    """The stack's name."""

    created: Sequence[str]
    """What would be created."""

    changed: Sequence[str]
    """What would be updated in place."""

    replaced: Sequence[str]
    """What would be destroyed and created anew."""

    destroyed: Sequence[str]
    """What would be destroyed."""

    imported: Sequence[str]
    """What would come under Terraform's control."""

    moved: Sequence[str]
    """What would get a new address in the state."""

    forgotten: Sequence[str]
    """What would leave Terraform's control and stay."""

    outputs: Sequence[str]
    """The names of outputs that would change."""

    notes: Sequence[str]
    """What that means: what is replaced and why, what waits for the maintenance window."""

    plan_file: str | None
    """Terraform's plan; null where it holds the registry's token."""

    plan_json_file: str | None
    """The same as Terraform's JSON; null where it holds the registry's token."""

    images: Sequence[ImagePlanResult]
    """Of the image stack: what is done to each image."""

    @classmethod
    def of(cls, plan: StackPlan) -> Self:
        """The result that shows a plan."""
        folder, is_private, summary = plan.stack.folder, plan.stack.is_private, plan.summary
        return cls(
            stack=plan.stack.name,
            created=_addresses(summary.created),
            changed=_addresses(summary.changed),
            replaced=_addresses(summary.replaced),
            destroyed=_addresses(summary.destroyed),
            imported=_addresses(summary.imported),
            moved=_addresses(summary.moved),
            forgotten=_addresses(summary.forgotten),
            outputs=summary.outputs,
            notes=plan.notes,
            plan_file=None if is_private else str(folder / PLAN_FILE),
            plan_json_file=None if is_private else str(folder / PLAN_JSON_FILE),
            images=[ImagePlanResult.of(image) for image in plan.images],
        )


@dataclass(frozen=True, kw_only=True)
class SkippedStackResult:
    """A stack that nothing can be done with here."""

    stack: str
    """The stack's name."""

    reason: str
    """Why."""

    @classmethod
    def of(cls, skipped: SkippedStack) -> Self:
        """The result that shows a skipped stack."""
        return cls(stack=skipped.stack.name, reason=skipped.reason)


@dataclass(frozen=True, kw_only=True)
class RefusalResult:
    """What `prod-e deploy` would refuse these plans for."""

    message: str
    """What is refused."""

    details: Sequence[str]
    """The resources that it is about."""

    next_step: str | None
    """The way on."""

    @classmethod
    def of(cls, error: UserMistake) -> Self:
        """The result that shows a refusal."""
        return cls(message=error.message, details=error.details, next_step=error.next_step)


@dataclass(frozen=True, kw_only=True)
class PlanResult:
    """What `prod-e plan` prints."""

    environment: str
    """Its name."""

    stacks: Sequence[StackPlanResult]
    """In the order in which they are deployed."""

    skipped: Sequence[SkippedStackResult]
    """The stacks that cannot be planned here."""

    refused: Sequence[RefusalResult]
    """What a deployment is refused for; empty if it is not."""


@dataclass(frozen=True, kw_only=True)
class DeployResult:
    """What `prod-e deploy` prints."""

    environment: str
    """Its name."""

    outputs: Mapping[str, str]
    """Terraform's outputs of all stacks."""

    images: Sequence[ImagePlanResult]
    """What was done to each image."""


@dataclass(frozen=True, kw_only=True)
class SynthResult:
    """What `prod-e synth` prints."""

    output_folder: str
    """Where the stacks are, each in a folder of its name below `stacks`."""

    stacks: Mapping[str, Sequence[str]]
    """The names of each environment's stacks, in the order in which they are deployed."""


@dataclass(frozen=True, kw_only=True)
class DestroyResult:
    """What `prod-e destroy` prints."""

    environment: str
    """Its name."""

    stacks: Sequence[StackPlanResult]
    """What was destroyed, in that order; empty if nothing of the environment existed."""


@dataclass(frozen=True, kw_only=True)
class DiagramResult:
    """What `prod-e diagram` prints."""

    environment: str
    """Its name."""

    file: str
    """The SVG's path."""


@dataclass(frozen=True, kw_only=True)
class LockResult:
    """What `prod-e providers lock` prints."""

    file: str
    """The dependency lock."""

    versions: Mapping[str, Sequence[str]]
    """The versions that it holds of each provider, such as `hashicorp/aws`."""


def _addresses(changes: Sequence[Change]) -> Sequence[str]:
    return [change.address for change in changes]
