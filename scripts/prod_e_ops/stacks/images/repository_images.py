"""The images in repositories that a plan destroys: ECR deletes no repository that holds any.

Terraform's `force_delete` is no way around that: it is read from the state, so that setting it is a
change of its own.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRepository.html
"""

from collections.abc import Sequence

from prod_e_ops.images.ecr import Repository
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks


async def images_lost(prepared: PreparedStacks, plans: Sequence[StackPlan]) -> Sequence[str]:
    """One line for each repository with images that one of the plans destroys."""
    lines = []
    for plan in plans:
        for repository in await _destroyed(prepared, plan):
            if count := len(await repository.images()):
                images = "1 image" if count == 1 else f"{count} images"
                lines.append(f"The repository {repository.name} goes with {images}.")
    return lines


async def delete_images(prepared: PreparedStacks, plan: StackPlan) -> None:
    """Deletes all images of the repositories that a plan destroys, just before it is applied.

    Raises `ImagesKept` if ECR keeps one.
    """
    for repository in await _destroyed(prepared, plan):
        if not await repository.images():
            continue
        with prepared.context.terminal.step(f"Delete the images of {repository.name}") as step:
            deleted = 0
            # What an index is made of shows as images once the index is gone.
            while images := await repository.images():
                await repository.delete([image.digest for image in images])
                deleted += len(images)
            step.outcome = f"{deleted} deleted"


async def _destroyed(prepared: PreparedStacks, plan: StackPlan) -> Sequence[Repository]:
    gone = {
        change.address
        for change in (*plan.summary.destroyed, *plan.summary.replaced)
        if change.type == "aws_ecr_repository"
    }
    if not gone:
        return ()
    return [
        Repository(prepared.environment.region, resource.values["name"])
        for resource in await prepared.terraform.resources(plan.stack)
        if resource.address in gone
    ]
