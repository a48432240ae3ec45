"""ECS's services watched beside the Terraform that waits for them.

Terraform waits until a service is steady, which the first deployment of a broken image never is: it
would say "Still creating..." until its timeout, though ECS has given up long before.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import timedelta

from prod_e.names import ServiceNames
from prod_e_ops.errors import OpsError
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.model import Deployment
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.output.events import Event, UnderWay
from prod_e_ops.terraform.states.unfinished import keep_unfinished

_TYPE = "aws_ecs_service"

_POLL_SECONDS = 3.0

# What depends on a resource that has just been made begins a moment later.
_QUIET_LOOKS = 2


class ServiceWatch:
    """Follows the services that a plan creates or changes, while Terraform applies it.

    `stop`: set when Terraform waits for nothing but services that ECS has given up. `failed`: the
    deployments that ECS did not keep, by the service's address.
    """

    def __init__(
        self,
        services: Mapping[str, Deployments],
        *,
        say: Callable[[str], object],
        show: Callable[[str], object],
    ) -> None:
        """`services`: by address. `say`: told each event of ECS. `show`: told how far they are."""
        self.stop = asyncio.Event()
        self.failed: dict[str, Deployment] = {}
        self._given_up: set[str] = set()
        self._services = services
        self._say = say
        self._show = show
        self._before: dict[str, str] = {}
        self._under_way = UnderWay()
        self._told: set[str] = set()

    def note(self, event: Event) -> None:
        """Takes note of what Terraform does."""
        self._under_way.note(event)

    async def follow(self) -> None:
        """Looks at the services every few seconds, until it is cancelled or sets `stop`."""
        for address, service in self._services.items():
            if newest := await _newest(service):
                self._before[address] = newest.id
        quiet = 0
        while quiet < _QUIET_LOOKS:
            await asyncio.sleep(_POLL_SECONDS)
            under_way = self._under_way.addresses
            await self.look(self._services.keys() & under_way)
            is_quiet = bool(under_way) and under_way <= self._given_up
            quiet = quiet + 1 if is_quiet else 0
        self.stop.set()

    async def look(self, addresses: Collection[str] | None = None) -> None:
        """Looks at these services, default: all of them, as far as they have not failed."""
        for address in self._services.keys() if addresses is None else addresses:
            if address not in self.failed:
                try:
                    await self._look(address, self._services[address])
                except OpsError:
                    continue  # What AWS refuses, Terraform tells.

    async def _look(self, address: str, service: Deployments) -> None:
        if not await service.exists():
            return
        status = await service.status()
        deployment = status.deployment
        if deployment.id == self._before.get(address):
            return
        for event in reversed(status.events):
            # Their times are whole seconds in places.
            is_new = event.at >= deployment.created_at - timedelta(seconds=1)
            if is_new and event.id not in self._told:
                self._told.add(event.id)
                self._say(f"  {event}")
        self._show(f"{status.service}: {status.progress}")
        if deployment.failed:
            self.failed[address] = deployment
        # After a roll-back the service is steady, and Terraform's wait ends by itself.
        if deployment.failed and deployment.status != "ROLLBACK_SUCCESSFUL":
            self._given_up.add(address)
            self._say(f"  ECS has given up on {status.service}: it starts no more tasks of it.")


def watched_services(prepared: PreparedStacks, plan: StackPlan) -> Mapping[str, Deployments]:
    """The services that a plan creates or changes, by address."""
    environment = prepared.environment
    keys = {
        ServiceNames.of(environment.name, key, settings).service: key
        for key, settings in environment.services.items()
    }
    return {
        change.address: Deployments(environment, keys[change.after["name"]])
        for change in plan.summary.made_or_changed
        if change.type == _TYPE and change.after.get("name") in keys
    }


async def keep_services(prepared: PreparedStacks, plan: StackPlan) -> None:
    """Lets the next plan go on with services that exist, and that Terraform did not see steady.

    Terraform takes them for unfinished, and would destroy and create them anew.
    """
    created = {change.address for change in plan.summary.created if change.type == _TYPE}
    if not created:
        return
    # What ended Terraform must be told, and not this.
    with suppress(OpsError):
        await keep_unfinished(prepared.terraform, plan.stack, created)


async def _newest(service: Deployments) -> Deployment | None:
    try:
        return (await service.status()).deployment if await service.exists() else None
    except OpsError:
        return None
