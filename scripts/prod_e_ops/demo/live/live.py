"""What happens to a service that runs: requests, new versions, crashes, and the way back."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from embedded_aws.load import Load
from prod_e.names import ServiceNames
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.live.database import ServedDatabase
from prod_e_ops.demo.live.delivery import Delivery
from prod_e_ops.demo.live.error_alarm import PERIOD_SECONDS, ErrorAlarm
from prod_e_ops.demo.live.front_door import CLIENTS, FrontDoor
from prod_e_ops.demo.live.versions import NOTES, Version, Versions
from prod_e_ops.demo.report import Requests
from prod_e_ops.demo.run import DemoStep, Run
from prod_e_ops.errors import OpsError

if TYPE_CHECKING:
    from prod_e.settings import Service

_STEADY_TIMEOUT_SECONDS = 120.0
_BAKE_SECONDS = 240.0
"""For how long an alarm may take at the most: what rings earlier ends it."""
_SCALED_IN = "Scaling activity"
_POLL_SECONDS = 0.2
_LOAD_BEFORE_AND_AFTER = 20
"""Requests that are answered before something happens, and after it."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """A service that users reach through `door`."""

    run: Run
    delivery: Delivery
    versions: Versions
    door: FrontDoor

    async def ask(self) -> None:
        """Asks for its health, writes a note and reads it back."""
        with self.run.step("Ask through the load balancer") as step:
            await self._expect_version(self.versions.first)
            outcome = f"GET {self._settings.health_path} 200"
            if self._has_notes:
                note = await in_thread(self._write_and_read)
                outcome += f", note {note} written and read"
            step.outcome = outcome

    async def deploy_second(self) -> None:
        """Deploys another version while requests come."""
        with self.run.step("Deploy a new version under load") as step:
            async with self._under_load(step):
                await self.delivery.deploy(self.run, self.key, self.versions.second)
                await self._expect_version(self.versions.second)
            step.outcome = f"{self.versions.second.tag} runs"

    async def deploy_broken(self) -> None:
        """Deploys a version that crashes, which ECS takes back."""
        with self.run.step("Deploy a version that crashes") as step:
            async with self._under_load(step):
                reason = await self._see_rolled_back(self.versions.broken)
            step.outcome = f"rolled back by ECS ({reason})"

    async def deploy_erring(self) -> None:
        """Deploys a version that is healthy and answers 500, which an alarm has ECS take back.

        No plan may be made meanwhile: the alarm has other periods than Terraform knows.
        """
        title = "Deploy a version that answers 500"
        alarm = await in_thread(
            lambda: ErrorAlarm.of(
                self.run.clients, cluster=self._cluster, service=self._names.service
            )
        )
        if alarm is None or not self._has_notes:
            lacking = "alarm on its errors" if alarm is None else "database"
            self.run.report.skip(title, f"{self._names.service} has no {lacking}")
            return
        aws = self.run.aws
        with self.run.step(title) as step:
            baked = aws.alarm_bake_seconds
            await in_thread(lambda: aws.watch_alarms_for(_BAKE_SECONDS))
            try:
                with alarm.quick():
                    async with self._under_load(
                        step, told=HTTPStatus.INTERNAL_SERVER_ERROR
                    ) as load:
                        reason = await self._see_rolled_back(self.versions.erring)
            finally:
                await in_thread(lambda: aws.watch_alarms_for(baked))
            if alarm.name not in reason:
                raise OpsError(f"Not {alarm.name} had it rolled back, but: {reason}.")
            step.outcome = (
                f"rolled back by ECS ({reason}), which looks at {alarm.periods} times"
                f" {PERIOD_SECONDS} s here, and at minutes in AWS;"
                f" {load.statuses[HTTPStatus.INTERNAL_SERVER_ERROR]} answers were 500, no other"
                " was lost"
            )

    async def fail_over(self) -> None:
        """Has the database away for a while; what needs it is answered 503, and no task ends."""
        title = "Fail the database over"
        database = self._database
        if database is None:
            self.run.report.skip(title, f"{self._names.service} has none")
            return
        with self.run.step(title) as step:
            before = {str(task["taskArn"]) for task in await in_thread(self._running)}
            async with self._under_load(step, told=HTTPStatus.SERVICE_UNAVAILABLE) as load:
                await in_thread(database.fail_over)
                step.update("waiting for it")
                async with asyncio.timeout(_STEADY_TIMEOUT_SECONDS):
                    while not load.statuses[HTTPStatus.SERVICE_UNAVAILABLE]:
                        await asyncio.sleep(_POLL_SECONDS)
                    while not await in_thread(lambda: self._reads_notes(database)):
                        await asyncio.sleep(_POLL_SECONDS)
            after = {str(task["taskArn"]) for task in await in_thread(self._running)}
            if ended := await in_thread(lambda: self._ended_for_a_fault(before - after)):
                raise OpsError("Tasks ended meanwhile:", details=ended)
            step.outcome = (
                f"{load.statuses[HTTPStatus.SERVICE_UNAVAILABLE]} answers were 503, no other was"
                f" lost; the {len(before)} tasks run on"
            )

    async def kill_task(self) -> None:
        """Kills a task; what it was answering may be lost, and nothing else."""
        with self.run.step("Kill a task") as step:
            async with self._under_load(step, may_lose=CLIENTS):
                task = (await in_thread(self._running))[0]
                killed = str(task["taskArn"])
                await self.delivery.kill(self.run, task["containers"][0]["runtimeId"])
                step.update("waiting for another one in its place")
                async with asyncio.timeout(_STEADY_TIMEOUT_SECONDS):
                    while not await in_thread(lambda: self._is_replaced(killed)):
                        await asyncio.sleep(_POLL_SECONDS)
            step.outcome = f"{killed.rpartition('/')[2][:8]} replaced"

    async def roll_back(self, *, rotates: bool = False) -> None:
        """Returns to the first version.

        `rotates`: has its first task make a new password for the service, and RDS one for the
        master user.
        """
        database = self._database if rotates else None
        title = "Roll back, with new passwords" if database else "Roll back"
        with self.run.step(title) as step:
            async with self._under_load(step):
                before = await in_thread(database.begin_to_rotate) if database else None
                tag = self.versions.first.tag
                await self.run.prod_e("rollback", self.key, "--to", tag, "--yes")
                await self._expect_version(self.versions.first)
            step.outcome = f"{tag} runs again"
            if database and before:
                await in_thread(lambda: database.expect_others(before))
                step.outcome += ", the service and the master user have other passwords"

    @property
    def key(self) -> str:
        """The service's, in the settings."""
        return self.versions.key

    @property
    def _settings(self) -> "Service":
        return self.run.environment.services[self.key]

    @property
    def _has_notes(self) -> bool:
        return self.run.environment.uses_database(self.key)

    @property
    def _database(self) -> ServedDatabase | None:
        return ServedDatabase.of(self.run, self.key) if self._has_notes else None

    async def _see_rolled_back(self, version: Version) -> str:
        """Deploys a version that ECS takes back; returns the reason that ECS tells."""
        await self.delivery.deploy(self.run, self.key, version, fails=True)
        answer = await self.run.prod_e(
            "status", self.key, "--json", expected_status=1, is_shown=False
        )
        (status,) = json.loads(answer.stdout)["services"]
        deployment = status["deployment"]
        if deployment["status"] != "ROLLBACK_SUCCESSFUL":
            raise OpsError(f"ECS did not roll it back: the deployment is {deployment['status']}.")
        await self._expect_version(self.versions.second)
        return str(deployment["reason"]).rstrip(".")

    def _reads_notes(self, database: ServedDatabase) -> bool:
        return database.is_available() and self.door.get(NOTES).status == HTTPStatus.OK

    @asynccontextmanager
    async def _under_load(
        self, step: DemoStep, *, may_lose: int = 0, told: HTTPStatus | None = None
    ) -> AsyncIterator[Load]:
        """Requests that come meanwhile are answered, but for as many as may be lost.

        `told`: a status that the step is about; any number of answers may have it.
        """
        load = self.door.load(NOTES if self._has_notes else self._settings.health_path)
        load.start()
        try:
            await in_thread(lambda: load.wait_for(_LOAD_BEFORE_AND_AFTER))
            yield load
            await in_thread(lambda: load.wait_for(_LOAD_BEFORE_AND_AFTER))
        except TimeoutError as error:
            raise OpsError(f"It takes too long: {str(error) or step.shown.title}") from None
        finally:
            await in_thread(load.stop)
            step.requests = Requests(sent=load.sent, lost=load.lost)
        if load.lost - (load.statuses[told] if told else 0) > may_lose:
            raise OpsError(
                f"{step.requests}, and {may_lose or 'none'} may be:", details=_answers(load)
            )

    async def _expect_version(self, version: Version) -> None:
        answer = await in_thread(lambda: self.door.get(self._settings.health_path))
        expected = self.delivery.told_version(version)
        told = answer.body.get("version", expected)
        if answer.status != HTTPStatus.OK or told != expected:
            raise OpsError(
                f"{self.door.url}{self._settings.health_path} answers {answer.status} with the"
                f" version {told}, not {HTTPStatus.OK} with {expected}."
            )

    def _write_and_read(self) -> str:
        title = "A note of the demo"
        written = self.door.post(NOTES, {"title": title})
        id = str(written.body.get("id"))
        read = self.door.get(f"{NOTES}/{id}")
        if written.status != HTTPStatus.CREATED or read.body.get("title") != title:
            raise OpsError(
                f"A note cannot be written and read: {NOTES} answers {written.status}, and"
                f" {NOTES}/{id} {read.status}."
            )
        return id[:8]

    def _running(self) -> list[dict[str, Any]]:
        ecs = self.run.clients("ecs")
        arns = ecs.list_tasks(cluster=self._cluster, serviceName=self._names.service)["taskArns"]
        found: list[dict[str, Any]] = ecs.describe_tasks(cluster=self._cluster, tasks=arns)["tasks"]
        return [task for task in found if task["lastStatus"] == "RUNNING"]

    def _ended_for_a_fault(self, arns: Collection[str]) -> Sequence[str]:
        """Those of some tasks that did not end because fewer are wanted, with the reasons."""
        if not arns:
            return ()
        ended = self.run.clients("ecs").describe_tasks(cluster=self._cluster, tasks=sorted(arns))
        return [
            f"{task['taskArn']}: {task['stoppedReason']}"
            for task in ended["tasks"]
            if not task["stoppedReason"].startswith(_SCALED_IN)
        ]

    def _is_replaced(self, arn: str) -> bool:
        running = self._running()
        (service,) = self.run.clients("ecs").describe_services(
            cluster=self._cluster, services=[self._names.service]
        )["services"]
        # Autoscaling may want more of them by now than the settings begin with.
        desired = int(service["desiredCount"])
        if len(running) != desired or arn in {task["taskArn"] for task in running}:
            return False
        health = [
            target["TargetHealth"]["State"]
            for balancer in service["loadBalancers"]
            for target in self.run.clients("elbv2").describe_target_health(
                TargetGroupArn=balancer["targetGroupArn"]
            )["TargetHealthDescriptions"]
        ]
        return bool(health.count("healthy") == desired)

    @property
    def _names(self) -> ServiceNames:
        return ServiceNames.of(self.run.environment.name, self.key, self._settings)

    @property
    def _cluster(self) -> str:
        return self.run.environment.names.cluster


def _answers(load: Load) -> list[str]:
    lines = [f"{count} with status {status}" for status, count in sorted(load.statuses.items())]
    return [*lines, f"{load.broken} without an answer"] if load.broken else lines
