"""Tasks: their containers, health checks and how they end."""

import asyncio
import json
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.logs import LogStreams
from embedded_aws.data_plane.runtimes.runtime import Container, Runtime, Start, StartError
from embedded_aws.data_plane.tasks.container_order import may_start, start_order, stop_waves
from embedded_aws.data_plane.tasks.health_check import HealthCheck
from embedded_aws.data_plane.tasks.task_environment import TaskEnvironment, free_port
from embedded_aws.protocol import (
    ContainerCheck,
    ContainerReport,
    Definition,
    DesiredTask,
    Override,
    TaskReport,
)
from embedded_aws.whole_file import write_whole

_POLL_SECONDS = 0.05


@dataclass(kw_only=True)
class ContainerState:
    """What is reported of a container."""

    definition: Definition
    status: str = "PENDING"
    health: str = "UNKNOWN"
    exit_code: int | None = None
    reason: str | None = None
    container: Container | None = None
    started_at: float | None = None

    @property
    def is_essential(self) -> bool:
        """Whether the task ends with it, as with every container that is not said to be else."""
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
        return bool(self.definition.get("essential", True))

    @property
    def runs_seconds(self) -> float:
        """Since it was started; 0 before."""
        return time.monotonic() - self.started_at if self.started_at else 0.0

    def as_json(self) -> ContainerReport:
        """For the report."""
        return {
            "status": self.status,
            "health": self.health,
            "exit_code": self.exit_code,
            "reason": self.reason,
            "image_digest": self.container.image_digest if self.container else None,
            "runtime_id": self.container.runtime_id if self.container else None,
        }


@dataclass(kw_only=True)
class Task:
    """A task that the control plane asked for. `desired`: as the control plane has it."""

    desired: DesiredTask
    folder: Path
    status: str = "PENDING"
    stop_code: str | None = None
    reason: str | None = None
    ports: dict[int, int] = field(default_factory=dict)
    containers: dict[str, ContainerState] = field(default_factory=dict)
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)
    runtimes: list[Runtime] = field(default_factory=list)
    runner: "asyncio.Task[None] | None" = None

    def as_json(self) -> TaskReport:
        """For the report."""
        return {
            "status": self.status,
            "stop_code": self.stop_code,
            "reason": self.reason,
            "health": self._health(),
            "containers": {name: each.as_json() for name, each in self.containers.items()},
        }

    def _health(self) -> str:
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
        checked = [
            each.health
            for each in self.containers.values()
            if each.definition.get("healthCheck") and each.is_essential
        ]
        if "UNHEALTHY" in checked:
            return "UNHEALTHY"
        return "HEALTHY" if checked and set(checked) == {"HEALTHY"} else "UNKNOWN"


class Tasks:
    """All tasks of this data plane."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        runtime_of: Callable[[str], Awaitable[Runtime]],
        environment: TaskEnvironment,
        logs: LogStreams,
    ) -> None:
        self._folder = configuration.state_folder / "tasks"
        self._runtime_of = runtime_of
        self._environment = environment
        self._logs = logs
        self._tasks: dict[str, Task] = {}

    def follow(self, desired: Mapping[str, DesiredTask]) -> None:
        """Starts and stops tasks until they are what is desired, by ARN."""
        for arn, wanted in desired.items():
            task = self._tasks.get(arn)
            if task is None:
                task = Task(desired=wanted, folder=self._folder / arn.rpartition("/")[2])
                for definition in wanted["containers"]:
                    task.containers[definition["name"]] = ContainerState(definition=definition)
                self._tasks[arn] = task
                task.runner = asyncio.ensure_future(self._run(task))
            if wanted["desired"] == "STOPPED":
                task.stop_asked.set()
        for arn in set(self._tasks) - set(desired):
            task = self._tasks[arn]
            task.stop_asked.set()
            if task.status == "STOPPED":
                del self._tasks[arn]
                shutil.rmtree(task.folder, ignore_errors=True)

    def report(self) -> dict[str, TaskReport]:
        """What is, by ARN."""
        return {arn: task.as_json() for arn, task in self._tasks.items()}

    def running(self) -> list[Task]:
        """Those whose containers run."""
        return [task for task in self._tasks.values() if task.status == "RUNNING"]

    def address(self, arn: str, port: int) -> tuple[str, int] | None:
        """Where a running task's port is reached; None while it does not run."""
        task = self._tasks.get(arn)
        if task is None or task.status != "RUNNING":
            return None
        # A network interface is gone with its task; nobody finds a closed port there.
        essential = (each.container for each in task.containers.values() if each.is_essential)
        if not all(each.is_running for each in essential if each):
            return None
        return "127.0.0.1", task.ports.get(port, port)

    async def stop_all(self, *, within_seconds: float) -> None:
        """Asks all tasks to stop, and waits for a while until they have ended."""
        runners = [task.runner for task in self._tasks.values() if task.runner]
        self.follow({})
        if runners:
            await asyncio.wait(runners, timeout=within_seconds)

    async def _run(self, task: Task) -> None:
        try:
            await self._run_containers(task)
        except StartError as error:
            task.stop_code, task.reason = "TaskFailedToStart", str(error)
        except Exception as error:  # noqa: BLE001 nothing may end the data plane
            task.stop_code = "TaskFailedToStart"
            task.reason = f"CannotStartContainerError: {type(error).__name__}: {error}"
        finally:
            await self._stop_containers(task)
            task.status = "STOPPED"

    async def _run_containers(self, task: Task) -> None:
        record = task.folder / "task.json"
        was_started = record.exists()
        if was_started:
            known = json.loads(record.read_text("utf-8"))
            task.ports = {int(port): host for port, host in known["ports"].items()}
            token = known["token"]
        elif task.desired["last_status"] == "RUNNING":
            raise StartError("The data plane of the embedded AWS was away for too long.")
        else:
            token = self._environment.new_token()
            task.ports = {
                mapping["containerPort"]: free_port()
                for definition in task.desired["containers"]
                for mapping in definition.get("portMappings") or ()
            }
            task.folder.mkdir(parents=True, exist_ok=True)
            # Only its owner may look: what a task is told may be secret.
            task.folder.chmod(0o700)
            write_whole(record, json.dumps({"ports": task.ports, "token": token}))
        ends: dict[asyncio.Task[Any], str] = {}
        checks: list[asyncio.Task[None]] = []
        asked = asyncio.ensure_future(task.stop_asked.wait())
        try:
            for name in start_order(task.desired["containers"]):
                state = task.containers[name]
                if not was_started and not await self._comes_to_its_turn(task, state):
                    break
                await self._start_container(task, state, token, adopt=was_started)
                ends[asyncio.ensure_future(self._end_of(state))] = name
                if check := state.definition.get("healthCheck"):
                    network = (await self._runtime_of(state.definition["image"])).network
                    if network.is_shared:
                        check = _with_ports(check, task.ports)
                    follow = HealthCheck(check).follow(state)
                    checks.append(asyncio.ensure_future(follow))
            task.status = "RUNNING"
            await self._wait_for_end(task, ends, asked)
        finally:
            for each in (*checks, asked):
                each.cancel()
            await self._stop_containers(task)
            await asyncio.gather(*ends, return_exceptions=True)

    async def _comes_to_its_turn(self, task: Task, state: ContainerState) -> bool:
        """Waits for what a container depends on; false if the task ends before."""
        while True:
            has_ended = any(
                each.status == "STOPPED" and each.is_essential for each in task.containers.values()
            )
            if task.stop_asked.is_set() or has_ended:
                return False
            if may_start(state.definition, task.containers):
                return True
            await asyncio.sleep(_POLL_SECONDS)

    async def _wait_for_end(
        self,
        task: Task,
        ends: "dict[asyncio.Task[Any], str]",
        asked: "asyncio.Task[Any]",
    ) -> None:
        left = set(ends)
        while left:
            ended, _ = await asyncio.wait({*left, asked}, return_when=asyncio.FIRST_COMPLETED)
            if asked in ended:
                return
            left -= ended
            for each in ended:
                if task.containers[ends[each]].is_essential:
                    task.stop_code = "EssentialContainerExited"
                    task.reason = "Essential container in task exited"
                    return

    async def _start_container(
        self, task: Task, state: ContainerState, token: str, *, adopt: bool
    ) -> None:
        desired, definition = task.desired, state.definition.copy()
        nothing: Override = {}
        override = next(
            (o for o in desired["overrides"] if o["name"] == definition["name"]), nothing
        )
        if override.get("command"):
            definition["command"] = override["command"]
        ports = {
            mapping["containerPort"]: task.ports[mapping["containerPort"]]
            for mapping in definition.get("portMappings") or ()
        }
        image_digest = desired["image_digests"].get(definition["name"])
        runtime: Runtime = await self._runtime_of(definition["image"])
        start = Start(
            task_id=task.folder.name,
            task_arn=desired["arn"],
            definition=definition,
            environment=await self._environment.of(
                definition,
                ports=ports,
                network=runtime.network,
                role_arn=desired["task_role_arn"],
                token=token,
                overrides=override,
                image_digest=image_digest,
            ),
            image_digest=image_digest,
            source_key=desired["source_key"],
            ports=ports,
            task_ports=task.ports,
            has_neighbours=len(desired["containers"]) > 1,
            task_cpu=desired["cpu"],
            task_memory_mib=desired["memory"],
            architecture=desired["architecture"],
            volumes=desired["volumes"],
        )
        task.runtimes.append(runtime)
        log = self._logs.of(definition, task_id=start.task_id)
        if adopt:
            state.container = await runtime.adopt(start, log=log)
            if state.container is None:
                raise StartError("The data plane of the embedded AWS was away for too long.")
        else:
            state.container = await runtime.start(start, log=log)
        state.status, state.started_at = "RUNNING", time.monotonic()

    async def _end_of(self, state: ContainerState) -> None:
        assert state.container is not None
        ended = await state.container.wait()
        state.status, state.exit_code, state.reason = "STOPPED", ended.exit_code, ended.reason

    async def _stop_containers(self, task: Task) -> None:
        for wave in stop_waves(task.desired["containers"]):
            states = [task.containers[name] for name in wave]
            for state in states:
                if state.container and state.status == "RUNNING":
                    await state.container.stop()
            for state in states:
                if state.container and state.status != "STOPPED":
                    await self._end_of(state)
        for state in task.containers.values():
            if state.container:
                await state.container.remove()
            state.status = "STOPPED"
        while task.runtimes:
            await task.runtimes.pop().forget_task(task.folder.name)


def _with_ports(health_check: ContainerCheck, ports: Mapping[int, int]) -> ContainerCheck:
    """A health check that asks the container's port, where it is on this machine."""
    command = list(health_check["command"])
    for port, here in ports.items():
        pattern = rf"(?<=127\.0\.0\.1:){port}\b|(?<=localhost:){port}\b"
        command = [re.sub(pattern, str(here), part) for part in command]
    return {**health_check, "command": command}
