"""What `deploy`, `destroy` and `push` refuse to do to an environment, and the way on from there.

A plan that loses data; a stack that cannot be built here; an environment that its settings protect;
repositories whose creation would change more than that.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from prod_e_ops import next_commands
from prod_e_ops.analysis.database_changes import waiting_changes
from prod_e_ops.errors import DestroyRefused, PlanRefused, StackNotDeployable, UserMistake
from prod_e_ops.stacks.images.missing_images import MissingImage, refuse_missing_images
from prod_e_ops.stacks.model import SkippedStack, StackPlan
from prod_e_ops.terraform.plans.plan_changes import Change

if TYPE_CHECKING:
    from prod_e.settings import Environment


def loses_data(plans: Sequence[StackPlan], *, may_lose: Collection[str]) -> bool:
    """Whether one of the plans destroys or replaces what holds data.

    `may_lose`: the addresses of what may be lost, which does not count.
    """
    return bool(_lost(plans, may_lose))


def _lost(plans: Sequence[StackPlan], may_lose: Collection[str]) -> Sequence[Change]:
    return [
        change
        for plan in plans
        for change in plan.summary.loses_data
        if change.address not in may_lose
    ]


def refuse_data_loss(
    plans: Sequence[StackPlan], *, environment: str, left: str, may_lose: Collection[str] = ()
) -> None:
    """Raises `PlanRefused` if one of the plans loses data.

    `left`: a sentence about what was done before, such as "Nothing was changed." `may_lose`: the
    addresses of what may be lost.
    """
    if lost := _lost(plans, may_lose):
        all_lost = sorted({*may_lose, *(change.address for change in lost)})
        keeps_unfinished = next_commands.deploy(environment, take_over=True)
        raise PlanRefused(
            "This deployment would destroy resources that hold data, or in which others run:",
            details=[
                *(
                    change.address + (f" ({change.reason})" if change.is_unfinished else "")
                    for change in lost
                ),
                left,
            ],
            next_step=(
                f"To keep what was left unfinished: {keeps_unfinished}."
                if any(change.is_unfinished for change in lost)
                else "Take back the setting that asks for it."
            )
            + f" To lose them: {next_commands.deploy(environment, allow_data_loss=all_lost)}",
        )


def refuse_late_upgrades(plans: Sequence[StackPlan], *, left: str) -> None:
    """Raises `PlanRefused` if a database would get a new major version in its window only.

    Until then it uses the parameter group of the old one, which Terraform would fail to delete.
    `left`: a sentence about what was done before.
    """
    late = [
        change.instance
        for plan in plans
        for change in waiting_changes(plan.summary, now=datetime.now(UTC))
        if change.is_major_upgrade
    ]
    if late:
        raise PlanRefused(
            "A new major version of PostgreSQL cannot wait for the maintenance window:",
            details=[
                *(f"{each} would use its old parameter group until then" for each in late),
                left,
            ],
            next_step='Set [database] apply = "immediately" and deploy at a quiet time: the'
            " database is unavailable for minutes.",
        )


def refuse_skipped(skipped: Sequence[SkippedStack]) -> None:
    """Raises `StackNotDeployable` for the first stack that nothing can be done with here."""
    for skip in skipped:
        raise StackNotDeployable(
            f"The stack {skip.stack.name} cannot be deployed: {skip.reason}.",
            next_step='Fix that, or set build = "external" for its services and push their'
            " images yourself.",
        )


def expected_refusals(
    plans: Sequence[StackPlan],
    skipped: Sequence[SkippedStack],
    missing: Sequence[MissingImage] = (),
    *,
    environment: str,
) -> Sequence[UserMistake]:
    """What a deployment of these plans is refused for, none if it is not.

    `missing`: the images that ECR does not have.
    """
    refused: list[UserMistake] = []
    left = "Nothing was changed."
    for refuse in (
        partial(refuse_skipped, skipped),
        partial(refuse_missing_images, missing, environment=environment),
        partial(refuse_late_upgrades, plans, left=left),
        partial(refuse_data_loss, plans, environment=environment, left=left),
    ):
        try:
            refuse()
        except UserMistake as error:
            refused.append(error)
    return refused


def refuse_more_than_create(plan: StackPlan, *, environment: str) -> None:
    """Raises `PlanRefused` if a plan that is applied without a question changes what exists."""
    summary = plan.summary
    others = (*summary.changed, *summary.replaced, *summary.destroyed)
    if others:
        raise PlanRefused(
            f"Deploying {plan.stack.name} would do more than create what is missing:"
            f" {summary.counts}.",
            details=[*(change.address for change in others), "Nothing was changed."],
            next_step=f"Look at it and deploy it yourself: {next_commands.deploy(environment)}",
        )


def refuse_protected(environment: "Environment") -> None:
    """Raises `DestroyRefused` if the settings protect something of the environment."""
    protected = []
    database, load_balancer = environment.database, environment.load_balancer
    if database and database.is_made and database.deletion_protection:
        protected.append("[database] deletion_protection = true keeps the database and its data")
    if load_balancer.is_made and load_balancer.deletion_protection:
        protected.append("[load_balancer] deletion_protection = true keeps the load balancer")
    if protected:
        raise DestroyRefused(
            f"{environment.name} is protected against deletion:",
            details=[*protected, "Nothing was destroyed."],
            next_step=f"Set these to false in environments/{environment.name}.toml, deploy"
            f" (`{next_commands.deploy(environment.name)}`), and run the command again.",
        )
