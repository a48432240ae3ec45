"""An environment's life on the embedded AWS, in the order in which the demo goes through it."""

import asyncio
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prod_e.names import ServiceNames
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.beside import beside
from prod_e_ops.demo.infrastructure.infrastructure import Infrastructure
from prod_e_ops.demo.infrastructure.starting import until_one_fails
from prod_e_ops.demo.live.delivery import Delivery
from prod_e_ops.demo.live.front_door import FrontDoor
from prod_e_ops.demo.live.guest import Guest, Visit
from prod_e_ops.demo.live.live import Live
from prod_e_ops.demo.live.versions import CHANGED_FILE, Version, Versions
from prod_e_ops.demo.promises import keep_promises
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.parallel import for_each

if TYPE_CHECKING:
    from prod_e.settings import Environment


@dataclass(frozen=True, kw_only=True)
class Life:
    """`scratch`: a folder for what is not in the project's copy.

    `guest`: a service that comes and goes; None: there is no room for one.
    """

    run: Run
    delivery: Delivery
    infrastructure: Infrastructure
    scratch: Path
    guest: Guest | None = None

    async def live(self, *, keep: bool) -> None:
        """Goes through all of it, or, to keep the environment, stops before its end.

        A stack whose provider crashes is left out from there on, and fails the demo in the end.
        """
        first, versions = self._versions()
        await self.deploy(first, versions)
        live = None
        if self._main_stack in self.infrastructure.left:
            await keep_promises(self.run)
            live = await self._live(versions)
        alarm = asyncio.Lock()
        if live:
            await live.ask()
        # Terraform reads and changes all that there is, beside steps that wait more than they work.
        async with (
            beside(self._visit(live)) as visited,
            beside(self._plan_again(visited, alarm)) as planned,
            beside(self._plan_destroy(planned, keep=keep)) as ready,
        ):
            if live:
                await live.deploy_second()
                # Before the guest has gone, so that no plan waits for it.
                async with alarm:
                    await live.deploy_erring()
                await live.deploy_broken()
                await live.kill_task()
                await live.fail_over()
                await live.roll_back(rotates=True)
            await visited
            with self.run.step("Plan again") as step:
                await planned
                step.outcome = "no changes"
            await ready
        if keep:
            await self._keep()
        else:
            await self.infrastructure.destroy()
        if failed := self.run.report.failed:
            raise OpsError(
                "The demo did not pass:",
                details=[f"{stack.name}: {reason}" for stack, reason in failed.items()],
                next_step="What was said of it above tells what to do.",
            )

    async def deploy(self, first: Mapping[str, Version], versions: Versions | None) -> None:
        """Makes the stacks, and has images built and pushed meanwhile."""
        infrastructure, environment = self.infrastructure, self.run.environment
        async with beside(self._build(first)) as built:
            await infrastructure.synthesise()
            await infrastructure.initialise()
            registry = self._stack(environment.names.registry_stack)
            if not infrastructure.at_once:
                await infrastructure.plan()
                if registry:
                    await infrastructure.apply(registry)

            delivered = asyncio.Event()

            async def deliver() -> None:
                if registry and infrastructure.at_once:
                    await infrastructure.apply(registry, beside=True)
                await built
                await self._deliver(first)
                delivered.set()

            async def build_changed() -> None:
                if versions:
                    for version in (versions.second, versions.erring, versions.broken):
                        await self.delivery.prepare(self.run, versions.key, version)

            async def deliver_and_build() -> None:
                await deliver()
                await build_changed()

            async def apply_main() -> None:
                if self._main_stack:
                    await self._apply(self._main_stack, delivered)

            # A service that is there before its image is deployed by the push of that.
            at_once: list[Callable[[], Awaitable[None]]] = [deliver_and_build, apply_main]
            if not all(service.image_tag.follows for service in environment.services.values()):
                await deliver()
                at_once = [build_changed, apply_main]
            await for_each(at_once, lambda work: work())

    async def _apply(self, stack: Stack, delivered: asyncio.Event) -> None:
        """Applies the stack of the services, or ends with the reason why one does not start."""
        async with (
            beside(until_one_fails(self.run, delivered)) as failing,
            beside(self.infrastructure.apply(stack)) as applying,
        ):
            await asyncio.wait({failing, applying}, return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                failing.result()
            await applying

    def _versions(self) -> tuple[dict[str, Version], Versions | None]:
        """The source of each service as it is, and the versions of the one that is shown."""
        first = first_versions(self.run, self.scratch / "sources")
        key = shown_service(self.run.environment)
        if key is None:
            return first, None
        service = self.run.environment.services[key]
        return first, Versions.of(key, first[key], service, self.scratch / key)

    async def _build(self, first: Mapping[str, Version]) -> None:
        if self.delivery.runtime == "process":
            for key, version in first.items():
                await self.delivery.prepare(self.run, key, version)

    async def _deliver(self, first: Mapping[str, Version]) -> None:
        """Has ECR hold what the services run: Terraform's docker provider does it, or `push`."""
        run, infrastructure = self.run, self.infrastructure
        began = time.monotonic()
        image = self._stack(run.environment.names.image_stack)
        if image:
            await infrastructure.apply(image, beside=True)
        by_terraform = {
            key
            for key, service in run.environment.services.items()
            if image in infrastructure.left and service.is_built
        }
        for key in first:
            if key not in by_terraform:
                await self.delivery.push(run, key, first[key])
        run.note(
            "Build and push",
            ", ".join(version.tag for version in first.values()),
            seconds=time.monotonic() - began,
        )

    async def _live(self, versions: Versions | None) -> Live | None:
        """The service that requests, new versions and faults are shown with."""
        run = self.run
        if versions is None:
            run.report.skip(
                "Use it",
                "no service has the path /*, follows the tag latest, and has a"
                f" {CHANGED_FILE} to change",
            )
            return None
        door = await in_thread(lambda: FrontDoor.of(run.aws, run.environment.name))
        return Live(run=run, delivery=self.delivery, versions=versions, door=door)

    async def _visit(self, live: Live | None) -> None:
        """Has another service come and go."""
        if live is None:
            return
        if self.guest is None:
            self.run.report.skip(
                "Add a service", "the settings have no room for another, or one of that name"
            )
            return
        visit = Visit(
            guest=self.guest,
            run=self.run,
            infrastructure=self.infrastructure,
            delivery=self.delivery,
            door=live.door,
            scratch=self.scratch,
        )
        await visit.take_place()

    async def _plan_again(self, visited: "asyncio.Task[None]", alarm: asyncio.Lock) -> None:
        """Once the guest has gone. `alarm`: held while an alarm is not as Terraform knows it."""
        await asyncio.wait({visited})
        if visited.exception():
            return  # Of that the demo ends.
        async with alarm:
            await self.infrastructure.plan_again()

    async def _plan_destroy(self, planned: "asyncio.Task[None]", *, keep: bool) -> None:
        if not keep:
            await asyncio.wait({planned})
            await self.infrastructure.plan_destroy()

    async def _keep(self) -> None:
        run = self.run
        names = run.environment.names
        services = " ".join(
            ServiceNames.of(run.environment.name, key, service).service
            for key, service in run.environment.services.items()
        )
        for line in (
            "",
            "It is up:",
            f"  a page that shows what happens: {run.aws.page_url}",
            *(
                f"  {each['load_balancer']}:{each['port']} is at {each['url']}"
                for each in await in_thread(run.aws.listeners)
            ),
            "In another terminal, point AWS's tools at it:",
            *(
                f"  export {name}={shlex.quote(value)}"
                for name, value in run.aws.variables().items()
            ),
            "and look at it, for example with",
            f"  aws ecs describe-services --cluster {names.cluster} --services {services}",
            f"  cd {run.project.folder} && {Path.cwd() / '.venv/bin/prod-e'} status",
            *(f"  terraform -chdir={s.folder} state list" for s in self.infrastructure.left),
            "Ctrl-C ends it and leaves nothing behind.",
        ):
            run.context.terminal.say(line)
        await until_interrupted()

    @property
    def _main_stack(self) -> Stack | None:
        return self._stack(self.run.environment.names.main_stack)

    def _stack(self, name: str) -> Stack | None:
        return next((stack for stack in self.infrastructure.left if stack.name == name), None)


async def until_interrupted(work: Awaitable[None] | None = None) -> None:
    """Waits for Ctrl-C, as the way in which something is meant to end.

    `work`: done until then; what it raises is raised.
    """
    try:
        if work:
            await work
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()


def first_versions(run: Run, folder: Path) -> dict[str, Version]:
    """The source of each service as it is, copied into a folder."""
    return {
        key: Version.of(
            run.project.folder / run.environment.source_of(key), service, copy=folder / key
        )
        for key, service in run.environment.services.items()
    }


def shown_service(environment: "Environment") -> str | None:
    """The service that all paths lead to, and that a push deploys."""
    return next(
        (
            key
            for key, service in environment.services.items()
            if service.path == "/*" and not service.host and service.image_tag.follows
        ),
        None,
    )
