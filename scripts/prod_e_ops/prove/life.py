"""An environment's life in an account: the demo's steps, by the commands that users type."""

import asyncio
import json
import platform
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from prod_e.names import ServiceNames
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.beside import beside
from prod_e_ops.demo.infrastructure.let_go import let_go
from prod_e_ops.demo.life import first_versions, shown_service
from prod_e_ops.demo.live.delivery import Delivery
from prod_e_ops.demo.live.front_door import FrontDoor
from prod_e_ops.demo.live.live import Live
from prod_e_ops.demo.live.versions import CHANGED_FILE, Version, Versions
from prod_e_ops.demo.promises import keep_promises
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.prove.alarm import ring_and_hear
from prod_e_ops.prove.environment import ProofFolder
from prod_e_ops.prove.leftovers import leftovers, remove_what_stays
from prod_e_ops.prove.recording import record
from prod_e_ops.prove.report import Proof
from prod_e_ops.terraform.providers.versions import installed_versions, shown

_REACHED_TIMEOUT_SECONDS = 300.0
_REPOSITORY_TIMEOUT_SECONDS = 600.0
_GONE_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 2.0
_GONE_POLL_SECONDS = 5.0
_CHANGES = ("created", "changed", "replaced", "destroyed")


@dataclass(frozen=True, kw_only=True)
class ProvenLife:
    """`proof`: what is found. `kept`: where the environment's project, state and answers are.

    `records`: whether AWS's answers are kept.
    """

    run: Run
    delivery: Delivery
    proof: Proof
    kept: ProofFolder
    records: bool

    async def live(self) -> None:
        """Goes through all of it; raises `OpsError` at the first thing that is not as it should be.

        What is made is then left, for `end` to take away.
        """
        first, versions = self._versions()
        await self._plan()
        outputs = await self._deploy(first)
        await self._plan_again()
        await keep_promises(self.run)
        live = Live(
            run=self.run,
            delivery=self.delivery,
            versions=versions,
            door=await self._front_door(outputs["service_url"]),
        )
        await self._reach(live)
        await live.ask()
        await live.deploy_second()
        await live.deploy_broken()
        await live.roll_back()
        await self._ring(versions.key)
        if self.records:
            with self.run.step("Record AWS's answers") as step:
                count = await in_thread(
                    lambda: record(self.run.environment, self.run.clients, self.kept.answers)
                )
                step.outcome = f"{count} answers"

    async def end(self) -> None:
        """Destroys all of it, and looks whether anything is left; raises `OpsError` if there is."""
        run = self.run
        with run.step("Destroy") as step:
            await in_thread(lambda: let_go(run.environment, run.clients))
            await run.prod_e("destroy", "--yes")
            await in_thread(lambda: remove_what_stays(run.environment, run.clients))
            step.outcome = "by the plan that was shown"
        with run.step("Look for what is left") as step:
            deadline = time.monotonic() + _GONE_TIMEOUT_SECONDS
            left = await in_thread(lambda: leftovers(run.environment, run.clients))
            while left and time.monotonic() < deadline:
                step.update(f"waiting for {left[0]}")
                await asyncio.sleep(_GONE_POLL_SECONDS)
                left = await in_thread(lambda: leftovers(run.environment, run.clients))
            self.proof.left = left
            if left:
                raise OpsError("AWS still has something of it:", details=left)
            step.outcome = "nothing"

    def _versions(self) -> tuple[Mapping[str, Version], Versions]:
        run, key = self.run, shown_service(self.run.environment)
        first = first_versions(run, self.kept.scratch)
        versions = (
            Versions.of(key, first[key], run.environment.services[key], self.kept.scratch / "of")
            if key
            else None
        )
        if versions is None:
            raise UserMistake(
                "No service has the path /*, follows the tag latest, and has a"
                f" {CHANGED_FILE} to change, so that no other version of it could be deployed.",
            )
        return first, versions

    async def _plan(self) -> None:
        with self.run.step("Plan") as step:
            stacks = await self._planned()
            created = sum(len(stack["created"]) for stack in stacks)
            installed = shown(installed_versions(self.run.project.stacks(self.kept.name)))
            self.proof.versions += [
                f"prod-e {version('prod-e')}",
                f"Python {platform.python_version()} on {platform.system()}",
                installed,
            ]
            self.run.report.resources_created = created
            step.outcome = f"{created} to create"

    async def _deploy(self, first: Mapping[str, Version]) -> Mapping[str, str]:
        """Deploys with the images that Terraform builds; others are pushed as soon as they can."""
        by_hand = [
            key for key, service in self.run.environment.services.items() if not service.is_built
        ]
        with self.run.step("Deploy") as step:
            async with beside(self._push(first, by_hand)) as pushing:
                finished = await self.run.prod_e("deploy", "--yes", "--json")
                await pushing
            step.outcome = "as it was planned"
        outputs: Mapping[str, str] = json.loads(finished.stdout)["outputs"]
        return outputs

    async def _push(self, first: Mapping[str, Version], keys: Sequence[str]) -> None:
        for key in keys:
            names = ServiceNames.of(self.kept.name, key, self.run.environment.services[key])
            async with asyncio.timeout(_REPOSITORY_TIMEOUT_SECONDS):
                while not await in_thread(partial(self._has_repository, names.repository)):
                    await asyncio.sleep(_POLL_SECONDS)
            await self.delivery.push(self.run, key, first[key])

    def _has_repository(self, name: str) -> bool:
        ecr = self.run.clients("ecr")
        try:
            ecr.describe_repositories(repositoryNames=[name])
        except ecr.exceptions.RepositoryNotFoundException:
            return False
        return True

    async def _plan_again(self) -> None:
        with self.run.step("Plan again") as step:
            stacks = await self._planned()
            changed = [each for stack in stacks for fate in _CHANGES for each in stack[fate]]
            if changed:
                said = await self.run.prod_e("plan", is_shown=False)
                raise OpsError(
                    "A second plan is not empty:", details=said.stdout.strip().splitlines()
                )
            step.outcome = f"no changes of {self.run.report.resources_created} resources"

    async def _planned(self) -> Sequence[Mapping[str, Any]]:
        finished = await self.run.prod_e("plan", "--json", is_shown=False)
        stacks: Sequence[Mapping[str, Any]] = json.loads(finished.stdout)["stacks"]
        return stacks

    async def _front_door(self, url: str) -> FrontDoor:
        run = self.run
        if run.embedded:
            aws = run.embedded
            return await in_thread(lambda: FrontDoor.of(aws, run.environment.name))
        return FrontDoor(url=url, tls=ssl.create_default_context())

    async def _reach(self, live: Live) -> None:
        """Waits until the load balancer's name is known everywhere."""
        path = self.run.environment.services[live.key].health_path
        with self.run.step("Reach the load balancer") as step:
            deadline = time.monotonic() + _REACHED_TIMEOUT_SECONDS
            while True:
                try:
                    answer = await in_thread(lambda: live.door.get(path))
                except OpsError:
                    if time.monotonic() > deadline:
                        raise
                    await asyncio.sleep(_POLL_SECONDS)
                else:
                    break
            step.outcome = f"it answers {answer.status}"

    async def _ring(self, key: str) -> None:
        # One that no deployment is rolled back by.
        alarm = f"{self.kept.name}-{key}-cpu"
        with self.run.step("Ring an alarm") as step:
            seconds = await in_thread(
                lambda: ring_and_hear(self.run.clients, environment=self.kept.name, alarm=alarm)
            )
            step.outcome = f"{alarm} was heard after {seconds:.1f} s"
