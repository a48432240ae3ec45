"""Plans of stacks, and stacks that nothing can be done with, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

from prod_e_ops.images.image_plan import ImagePlan
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.plans.plan_changes import PlanSummary


@dataclass(frozen=True, kw_only=True)
class SkippedStack:
    """A stack that nothing can be done with here, and why."""

    stack: Stack
    reason: str


@dataclass(frozen=True, kw_only=True)
class StackPlan:
    """A stack's plan, which lies in its folder, and what it does.

    `notes`: sentences about it, see `plan_notes`. `images`: of the image stack, what is done to
    each image, by Terraform or in ECR itself. `destroy`, `targets`: as it was planned, see
    `Terraform.plan`.
    """

    stack: Stack
    summary: PlanSummary
    notes: Sequence[str] = ()
    images: Sequence[ImagePlan] = ()
    destroy: bool = False
    targets: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        """Whether deploying the stack would do nothing."""
        return self.summary.is_empty and all(image.is_empty for image in self.images)
