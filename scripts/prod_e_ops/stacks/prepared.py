"""One environment made ready for Terraform: synthesised, its account checked, initialised."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prod_e_ops.analysis.plan_notes import plan_notes
from prod_e_ops.aws.account import check_account
from prod_e_ops.context import Context
from prod_e_ops.images.image_plan import (
    ImageOptions,
    ImagePlan,
    plan_images,
    select_builds,
    synthesised_images,
)
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.initialise import describe, initialise
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.stacks.synthesis import synthesise
from prod_e_ops.terraform.find import find_terraform
from prod_e_ops.terraform.left_running import AppliedIn
from prod_e_ops.terraform.output.events import showing
from prod_e_ops.terraform.parallel import for_each
from prod_e_ops.terraform.plans.imports import forget_imports
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from prod_e_ops.terraform.providers.dependency_lock import DependencyLock
from prod_e_ops.terraform.providers.versions import installed_versions, warnings
from prod_e_ops.terraform.runner import Terraform

if TYPE_CHECKING:
    from prod_e.settings import Environment


@dataclass(frozen=True, kw_only=True)
class PreparedStacks:
    """`stacks` in the order in which they are deployed, initialised; `skipped`: the others.

    `account`: the number of the AWS account that the credentials open.
    """

    context: Context
    environment: "Environment"
    account: str
    terraform: Terraform
    stacks: Sequence[Stack]
    skipped: Sequence[SkippedStack]

    async def plan(self, options: ImageOptions | None = None) -> list[StackPlan]:
        """Plans every stack, beside each other; the image stack only as far as it builds.

        No stack's plan reads what another one makes, so none has to be applied before. ECR is asked
        for its images before anything is planned. A skipped image stack is planned too, if ECR has
        all of them.
        """
        images = {
            stack: await self.look_at_images(stack, options or ImageOptions())
            for stack in self._in_order()
            if stack.needs_docker
        }
        skipped = [skip.stack for skip in self.skipped]
        planned = [
            stack
            for stack in self._in_order()
            if stack not in images
            or (stack not in skipped and any(image.builds for image in images[stack]))
        ]
        by_terraform = {
            plan.stack: plan
            for plan in await self._plan([_Planning(s, images.get(s, ())) for s in planned])
        }
        plans = []
        for stack in self._in_order():
            if stack in by_terraform:
                plans.append(by_terraform[stack])
            elif plan := await self.plan_images(stack, images[stack]):
                plans.append(plan)
        return plans

    async def plan_stacks(
        self, stacks: Sequence[Stack], *, destroy: bool = False, targets: Sequence[str] = ()
    ) -> list[StackPlan]:
        """Plans these, without images, beside each other; for the others see `Terraform.plan`."""
        return await self._plan([_Planning(s, (), destroy, targets) for s in stacks])

    async def look_at_images(self, stack: Stack, options: ImageOptions) -> Sequence[ImagePlan]:
        """What is to be done to the images of the image stack, by what ECR has of them now."""
        with self.context.terminal.step("Look at the images in ECR") as step:
            images = await plan_images(synthesised_images(self.environment, stack), options)
            building = [image.synthesised.key for image in images if image.builds]
            step.outcome = f"to build: {', '.join(building)}" if building else "nothing to build"
        return images

    async def plan_images(self, stack: Stack, images: Sequence[ImagePlan]) -> StackPlan | None:
        """Plans the image stack for these; None if something is to be built, and cannot here."""
        if not any(image.builds for image in images):
            return StackPlan(stack=stack, summary=PlanSummary(), images=images)
        if any(skip.stack == stack for skip in self.skipped):
            return None
        (plan,) = await self._plan([_Planning(stack, images)])
        return plan

    def skipped_besides(self, plans: Sequence[StackPlan]) -> Sequence[SkippedStack]:
        """The skipped stacks that these plans do without."""
        planned = [plan.stack for plan in plans]
        return [skip for skip in self.skipped if skip.stack not in planned]

    async def _plan(self, plannings: Sequence["_Planning"]) -> list[StackPlan]:
        if not plannings:
            return []
        names = ", ".join(planning.stack.name for planning in plannings)
        with self.context.terminal.step(f"Plan {names}") as step:

            async def plan(planning: _Planning) -> StackPlan:
                stack, images = planning.stack, planning.images
                selection = await select_builds(images) if images else None
                summary = await self.terraform.plan(
                    stack,
                    destroy=planning.destroy,
                    targets=selection.targets if selection else planning.targets,
                    replace=selection.replace if selection else (),
                    variables=selection.variables if selection else None,
                    on_event=showing(step.update),
                )
                return StackPlan(
                    stack=stack,
                    summary=summary,
                    notes=()
                    if planning.destroy
                    else tuple(
                        plan_notes(
                            summary,
                            self.environment,
                            is_main_stack=stack.name == self.environment.names.main_stack,
                            now=datetime.now(UTC),
                        )
                    ),
                    images=images,
                    destroy=planning.destroy,
                    targets=planning.targets,
                )

            plans = await for_each(plannings, plan)
            step.outcome = (
                plans[0].summary.counts
                if len(plans) == 1
                else "; ".join(f"{plan.stack.name} {plan.summary.counts}" for plan in plans)
            )
        return list(plans)

    def _in_order(self) -> Sequence[Stack]:
        """All stacks in the order in which they are deployed, those of a subset only."""
        known = [*self.stacks, *(skip.stack for skip in self.skipped)]
        return [
            stack for stack in self.context.project.stacks(self.environment.name) if stack in known
        ]


@dataclass(frozen=True)
class _Planning:
    """What is to be planned: see `StackPlan`."""

    stack: Stack
    images: Sequence[ImagePlan] = ()
    destroy: bool = False
    targets: Sequence[str] = ()


@asynccontextmanager
async def prepare_stacks(
    context: Context,
    environment_name: str | None,
    *,
    only: str | None = None,
    keeps_plans: bool = False,
) -> AsyncIterator[PreparedStacks]:
    """Makes an environment ready; what concerns the user's mistakes is checked first.

    `only`: the name of the one stack to make ready; default: all of them. `keeps_plans`: see
    `Terraform`.

    Raises `UserMistake` for settings, credentials or a Terraform that will not do, and `OpsError`
    if AWS or Terraform fails.
    """
    project, terminal = context.project, context.terminal
    environment = project.environment(environment_name)
    async with find_terraform(
        context.processes,
        cache_folder=project.folder / ".cache" / "terraform-providers",
        keeps_plans=keeps_plans,
    ) as terraform:
        await synthesise(context, environment.name)
        with terminal.step("Check the AWS account") as step:
            account = step.outcome = await check_account(environment)
        wanted = [s for s in project.stacks(environment.name) if only in (None, s.name)]
        await wait_for_left_running(context, wanted)
        for stack in wanted:
            forget_imports(stack)  # A command that was killed has left them.
        with terminal.step("Initialise Terraform") as step:
            stacks, skipped = await initialise(
                terraform,
                wanted,
                on_stack=step.update,
                lock=DependencyLock(
                    folder=project.folder, registry=terraform.registry, on_added=terminal.say
                ),
            )
            installed = installed_versions(stacks)
            step.outcome = describe(terraform, installed)
        for warning in warnings(installed):
            terminal.say(warning)
        for skip in skipped:
            terminal.say(f"- {skip.stack.name} is skipped: {skip.reason}.")
        try:
            yield PreparedStacks(
                context=context,
                environment=environment,
                account=account,
                terraform=terraform,
                stacks=stacks,
                skipped=skipped,
            )
        finally:
            for stack in stacks:
                forget_imports(stack)


async def wait_for_left_running(context: Context, stacks: Sequence[Stack]) -> None:
    """Lets a Terraform finish that still applies a plan although its command was killed."""
    for stack in stacks:
        applied = AppliedIn(stack=stack)
        if applied.left_running is None:
            continue
        with context.terminal.step(
            f"Wait for the Terraform of {stack.name} that a killed command left"
        ) as step:
            await applied.wait(
                lambda process_id: step.update(f"process {process_id} still applies a plan")
            )
            step.outcome = "it has ended"
