"""The repositories of an environment, made before there is anything else of it."""

from typing import TYPE_CHECKING

from prod_e_ops.context import Context
from prod_e_ops.stacks.apply import apply_plan
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import prepare_stacks
from prod_e_ops.stacks.refusals import refuse_more_than_create

if TYPE_CHECKING:
    from prod_e.settings import Environment


async def create_repositories(context: Context, environment: "Environment") -> None:
    """Deploys the registry stack of an environment, as `deploy` would, and no other stack.

    It is not asked about: it changes and destroys nothing.

    Raises `PlanRefused` if that would do more than create, and `OpsError` if Terraform fails.
    """
    stack = environment.names.registry_stack
    async with prepare_stacks(context, environment.name, only=stack) as prepared:

        async def judge(plan: StackPlan) -> None:
            refuse_more_than_create(plan, environment=environment.name)

        for plan in await prepared.plan():
            if not plan.is_empty:
                await judge(plan)
                await apply_plan(prepared, plan, agree=judge)
