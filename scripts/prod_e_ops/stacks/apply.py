"""Applies the plan of a stack that was shown, and no other."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

from prod_e_ops import next_commands
from prod_e_ops.errors import OpsError, PlanIsStale
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.follow import failure
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.stacks.service_watch import ServiceWatch, keep_services, watched_services
from prod_e_ops.terraform.output.events import Event


async def apply_plan(
    prepared: PreparedStacks, plan: StackPlan, *, agree: Callable[[StackPlan], Awaitable[None]]
) -> None:
    """Has Terraform apply a saved plan; where it is stale by now, it is made anew, once.

    `agree`: shows what the new plan does, judges it and asks; it raises if it is not to be applied.

    Raises `PlanIsStale` if the new one is stale too, and `OpsError` if Terraform fails.
    """
    try:
        await _apply(prepared, plan)
    except PlanIsStale:
        prepared.context.terminal.say(
            f"The state of {plan.stack.name} has changed since it was planned. Nothing of that plan"
            " was applied. The new plan:"
        )
        (again,) = await prepared.plan_stacks(
            [plan.stack], destroy=plan.destroy, targets=plan.targets
        )
        if not again.is_empty:
            await agree(again)
            await _apply(prepared, again)


async def _apply(prepared: PreparedStacks, plan: StackPlan) -> None:
    terminal, name = prepared.context.terminal, plan.stack.name
    total = plan.summary.change_count
    done = 0
    begun: set[str] = set()
    services = {} if plan.destroy else watched_services(prepared, plan)
    with terminal.step(f"{'Destroy' if plan.destroy else 'Deploy'} {name}") as step:
        watch = ServiceWatch(services, say=terminal.say, show=step.update)

        def on_event(event: Event) -> None:
            nonlocal done
            done += event.completes_change
            if event.begins_creation:
                begun.add(event.address)
            elif event.completes_change:
                begun.discard(event.address)
            watch.note(event)
            if event.doing:
                step.update(f"{done} of {total}: {event.doing}")

        following = asyncio.ensure_future(watch.follow()) if services else None
        try:
            await prepared.terraform.apply(
                plan.stack, change_count=total, on_event=on_event, stop=watch.stop
            )
        except asyncio.CancelledError:
            if not prepared.context.processes.stopped_at_once:
                await keep_services(prepared, plan)
            unsure = await _not_in_state(prepared, plan, begun)
            for line in _what_is_left(prepared, name, done, total, unsure):
                terminal.say(line)
            raise
        except PlanIsStale:
            raise
        except OpsError as error:
            await keep_services(prepared, plan)
            raise await _why(watch, services) or error from None
        finally:
            if following:
                following.cancel()
        step.outcome = "1 change" if done == 1 else f"{done} changes"


async def _why(watch: ServiceWatch, services: Mapping[str, Deployments]) -> OpsError | None:
    """The error of a service whose deployment ECS did not keep, which is what failed Terraform."""
    await watch.look()
    for address, deployment in watch.failed.items():
        return await failure(services[address], deployment)
    return None


async def _not_in_state(
    prepared: PreparedStacks, plan: StackPlan, begun: Collection[str]
) -> Sequence[str]:
    """What Terraform was making when it stopped, and does not know to be there.

    Where it is told to stop, providers drop the requests that are on their way; AWS carries them
    out all the same. That the old one of what is replaced is in the state says nothing of the new.
    """
    if not begun:
        return ()
    try:
        kept = await prepared.terraform.addresses(plan.stack)
    except OpsError:
        return sorted(begun)
    replaced = {change.address for change in plan.summary.replaced}
    return sorted(address for address in begun if address not in kept or address in replaced)


def _what_is_left(
    prepared: PreparedStacks, stack: str, done: int, total: int, unsure: Sequence[str]
) -> Iterator[str]:
    if prepared.context.processes.stopped_at_once:
        yield (
            f"Terraform was stopped in the middle of {stack}: AWS may hold what its state does not"
            " know of."
        )
    else:
        yield f"{done} of {total} changes of {stack} were made before that, and are in the state."
    if unsure:
        yield "Under way when it was stopped, so that AWS may have it and the state does not:"
        yield from (f"  {address}" for address in unsure)
    if prepared.context.processes.stopped_at_once or unsure:
        yield (
            f"Run the command again: {next_commands.deploy(prepared.environment.name)} names what"
            " AWS has of it and the state does not, and offers to take it over."
        )
    else:
        yield "Run the command again to go on from there."
