"""What AWS has of an environment when all is done, and no state names: told, never deleted."""

from collections.abc import Mapping, Sequence
from typing import Any

from prod_e.names import ENVIRONMENT_TAG
from prod_e_ops.aws.clients import aws_errors
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.errors import OpsError
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.stacks.take_over.inventory import Inventory
from prod_e_ops.stacks.take_over.kind_table import KINDS
from prod_e_ops.stacks.take_over.kinds import Thing
from prod_e_ops.stacks.take_over.states import held_ids


async def tell_orphans(prepared: PreparedStacks) -> None:
    """Names what has the environment's tag and is in no state, with what it costs."""
    environment, terminal = prepared.environment, prepared.context.terminal
    try:
        held = await held_ids(prepared)
        with aws_errors(f"It cannot be told what else AWS has of {environment.name}"):
            inventory = Inventory.of(environment.region, prepared.account)
            found = await in_thread(lambda: orphans(inventory, environment.name, held))
    except OpsError as error:
        # All that was asked for is done: nothing failed.
        terminal.say(error.message)
        return
    if found:
        terminal.say(
            f"AWS has what no state of {environment.name} names, though its tag {ENVIRONMENT_TAG}"
            " does. Look at each before you delete it, in this order:"
        )
    for thing in found:
        costs = f" (it costs {thing.kind.costs})" if thing.kind.costs else ""
        terminal.say(f"  {thing.kind.type} {thing.name or thing.id}{costs}:")
        terminal.say(f"    aws {thing.fill_in(thing.kind.delete)} --region {environment.region}")


def orphans(inventory: Inventory, environment: str, held: Mapping[str, str]) -> Sequence[Thing]:
    """What has the environment's tag, is there, is in no state, and does not go with another.

    So is the rule that AWS gives each new security group, though it has no tag: it lets everything
    out, and Terraform takes it away unless it is stopped before it can. In the order in which they
    can be deleted.

    https://docs.aws.amazon.com/vpc/latest/userguide/creating-security-groups.html
    """
    tagged = inventory.tagged(environment)
    free = {thing.arn for thing in tagged if thing.arn not in held}
    found = [
        thing
        for thing in tagged
        if thing.arn in free
        and thing.kind.delete
        and (its := inventory.look(thing)) is not None
        and (thing.tags or _lets_everything_out(its))
        and its.get("GroupId", "") not in free - {thing.arn}
    ]
    return sorted(found, key=lambda thing: KINDS.index(thing.kind))


def _lets_everything_out(rule: Mapping[str, Any]) -> bool:
    is_anywhere = rule.get("CidrIpv4") == "0.0.0.0/0" or rule.get("CidrIpv6") == "::/0"
    return bool(rule.get("IsEgress")) and str(rule["IpProtocol"]) == "-1" and is_anywhere
