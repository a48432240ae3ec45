"""Lets Terraform import what AWS has of an environment and no state names.

A command that was killed, an answer that was lost, a state that is gone: AWS then has what the next
deployment would make again, and either cannot or pays for twice. It is looked for before anything
is applied, whenever something is to be created: of a VPC, AWS would make a second one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

from prod_e.names import ENVIRONMENT_TAG
from prod_e_ops import next_commands
from prod_e_ops.aws.clients import aws_errors
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.errors import AccessDenied, LeftOver, NoTerminal, NotTakenOver
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.stacks.take_over.inventory import Inventory
from prod_e_ops.stacks.take_over.kinds import Thing
from prod_e_ops.stacks.take_over.matching import Found, Matching
from prod_e_ops.stacks.take_over.states import held_ids
from prod_e_ops.terraform.plans.imports import write_imports
from prod_e_ops.terraform.plans.plan_changes import STATEFUL_TYPES
from prod_e_ops.terraform.states.unfinished import keep_unfinished

_MOST_ROUNDS = 3
"""A load balancer is found first, then its listener, then that one's rules."""

_NAMED_ONCE = frozenset({"aws_security_group", "aws_db_parameter_group", "aws_db_subnet_group"})
"""Replaced by a second one that is made first, which AWS refuses while the first has the name."""

_Imports = Mapping[Stack, Mapping[str, str]]
"""What each stack imports: ids by address."""


async def take_over(
    prepared: PreparedStacks, plans: list[StackPlan], *, agreed: bool, yes: bool
) -> list[StackPlan]:
    """The plans, made anew so that they import what is there of what they would create.

    They also keep what an earlier run left unfinished and AWS lets nobody make beside itself, and,
    where somebody has agreed, what may hold data.
    Nothing in AWS is changed here, and nothing of what is there is lost by it: the new plans are
    shown, judged and asked about like any other. `agreed`: to what is found. `yes`: whether the
    next command is to ask nothing.

    Raises `LeftOver` if something is found, nobody has agreed, and there is no terminal to ask on;
    `Declined` if the user does not agree; `NotTakenOver` for what may not be taken.
    """
    plans = await _keep_unfinished(prepared, plans, agreed=agreed, yes=yes)
    imports: _Imports = {}
    search = _Search(prepared)
    name = prepared.environment.name
    for _ in range(_MOST_ROUNDS):
        try:
            found = await search.look(plans)
        except AccessDenied as error:
            if agreed:
                raise
            # Credentials that may deploy need not be able to list what has a tag.
            prepared.context.terminal.say(f"{error.message} It is not looked for.")
            return plans
        if not found:
            break
        imports = {
            stack: {**imports.get(stack, {}), **found.get(stack, {})}
            for stack in (*imports, *found)
        }
        plans = await _plan_with(prepared, plans, {stack: imports[stack] for stack in found})
    else:
        if left := await search.look(plans):
            raise NotTakenOver(
                f"AWS has more of {name} than {_MOST_ROUNDS} plans have found:",
                details=[*_lines(left), "Nothing was changed."],
                next_step="Import it yourself: https://developer.hashicorp.com/terraform/cli/import",
            )
    if imports:
        what = (
            f"AWS has what no state of {name} names, and it has the tag {ENVIRONMENT_TAG} = {name}"
        )
        await _agree(prepared, what, _lines(imports), agreed=agreed, yes=yes)
    return plans


async def _keep_unfinished(
    prepared: PreparedStacks, plans: list[StackPlan], *, agreed: bool, yes: bool
) -> list[StackPlan]:
    # What may hold data is refused else, and the refusal tells how to keep it.
    kept = _NAMED_ONCE | STATEFUL_TYPES if agreed else _NAMED_ONCE
    left = {
        plan.stack: {
            change.address: str(change.before["id"])
            for change in plan.summary.replaced
            if change.is_unfinished and change.type in kept
        }
        for plan in plans
    }
    left = {stack: ids for stack, ids in left.items() if ids}
    if not left:
        return plans
    what = "An earlier run left unfinished what may hold data, or has a name that AWS gives once"
    await _agree(prepared, what, _lines(left), agreed=agreed, yes=yes)
    for stack, ids in left.items():
        # The next plan changes in place what they still lack.
        await keep_unfinished(prepared.terraform, stack, ids)
    return await _plan_anew(prepared, plans, left)


async def _agree(
    prepared: PreparedStacks, what: str, lines: Sequence[str], *, agreed: bool, yes: bool
) -> None:
    terminal, name = prepared.context.terminal, prepared.environment.name
    if agreed:
        terminal.say(f"{what}. Terraform takes it over:")
        for line in lines:
            terminal.say(f"  {line}")
        return
    question = "Shall Terraform take it over? The plan that does is shown next, and asked about."
    try:
        await terminal.confirm("\n".join((f"{what}:", *(f"  {line}" for line in lines), question)))
    except NoTerminal:
        raise LeftOver(
            f"{what}:",
            details=[*lines, "Nothing was changed."],
            next_step="If a run was interrupted, or its state is gone, let Terraform take it over:"
            f" {next_commands.deploy(name, take_over=True, yes=yes)}",
        ) from None


class _Search:
    """What AWS has of the environment, and the states of the project: planning changes neither.

    So each is asked once, for all rounds.
    """

    def __init__(self, prepared: PreparedStacks) -> None:
        self._prepared = prepared
        self._held: Mapping[str, str] | None = None

    async def look(self, plans: Sequence[StackPlan]) -> _Imports:
        """What is there of what these plans create; raises `NotTakenOver` for what is refused."""
        if not any(plan.summary.created for plan in plans):
            return {}
        name = self._prepared.environment.name
        if self._held is None:
            self._held = await held_ids(self._prepared)
        with aws_errors(f"It cannot be told what AWS has of {name}"):
            found = await in_thread(partial(self._find, plans, self._held))
        refused = [each for of_stack in found.values() for each in of_stack if each.why_not]
        if refused:
            raise NotTakenOver(
                "AWS has what this deployment would create, and it is not taken over:",
                details=[*(f"{e.address} {e.why_not}" for e in refused), "Nothing was changed."],
                next_step=f"Then run it again: {next_commands.deploy(name)}",
            )
        return {
            stack: {each.address: each.id for each in of_stack}
            for stack, of_stack in found.items()
            if of_stack
        }

    def _find(
        self, plans: Sequence[StackPlan], held: Mapping[str, str]
    ) -> Mapping[Stack, Sequence[Found]]:
        leaving = {
            change.before[key]
            for plan in plans
            for change in plan.summary.destroyed
            for key in ("id", "arn")
            if change.before.get(key)
        }
        matching = Matching(
            environment=self._prepared.environment.name,
            inventory=self._inventory,
            tagged=self._tagged,
            held=held,
            leaving=leaving,
        )
        return {plan.stack: list(matching.find(plan.summary.created)) for plan in plans}

    @cached_property
    def _inventory(self) -> Inventory:
        return Inventory.of(self._prepared.environment.region, self._prepared.account)

    @cached_property
    def _tagged(self) -> Sequence[Thing]:
        return self._inventory.tagged(self._prepared.environment.name)


async def _plan_with(
    prepared: PreparedStacks, plans: Sequence[StackPlan], imports: _Imports
) -> list[StackPlan]:
    for stack, ids in imports.items():
        write_imports(stack, ids)
    return await _plan_anew(prepared, plans, imports)


async def _plan_anew(
    prepared: PreparedStacks, plans: Sequence[StackPlan], stacks: Collection[Stack]
) -> list[StackPlan]:
    """The plans, those of some stacks anew."""
    made = await prepared.plan_stacks([plan.stack for plan in plans if plan.stack in stacks])
    anew = {plan.stack: plan for plan in made}
    return [
        replace(anew[plan.stack], images=plan.images) if plan.stack in anew else plan
        for plan in plans
    ]


def _lines(imports: _Imports) -> Sequence[str]:
    return [f"{address}: {id}" for ids in imports.values() for address, id in sorted(ids.items())]
