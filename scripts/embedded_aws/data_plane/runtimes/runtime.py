"""What containers of tasks run on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from embedded_aws.data_plane.runtimes.docker.task_network import TaskNetwork
from embedded_aws.protocol import Definition, Volume


class StartError(Exception):
    """A container cannot be started; the message is the task's stopped reason, as ECS words it."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a container ended. `exit_code`: None if nobody knows. `reason`: where ECS gives one."""

    exit_code: int | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Start:
    """A container to be started.

    `task_id`: of its task. `image_digest`: what its tag named when the deployment began, if the
    registry knows. `source_key`: the same for all tasks that must run the same content.
    `ports`: the port of this machine for each container port; `task_ports`: for those of the whole
    task. `has_neighbours`: whether the task has other containers. `task_cpu`, `task_memory_mib`: of
    the whole task.
    """

    task_id: str
    task_arn: str
    definition: Definition
    environment: Mapping[str, str] = field(repr=False)
    image_digest: str | None
    source_key: str
    ports: Mapping[int, int]
    task_ports: Mapping[int, int]
    has_neighbours: bool
    task_cpu: int | None = None
    task_memory_mib: int | None = None
    architecture: str = "X86_64"
    volumes: Sequence[Volume] = field(default_factory=tuple)

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.definition["name"])

    @property
    def stop_timeout_seconds(self) -> float:
        """From SIGTERM to SIGKILL."""
        return float(self.definition.get("stopTimeout") or 30)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a container uses. `cpu_seconds`: of one core, since it was started."""

    cpu_seconds: float
    memory_bytes: int


class Container(Protocol):
    """A container that was started."""

    image_digest: str | None
    runtime_id: str

    @property
    def is_running(self) -> bool:
        """Whether it runs, as far as can be seen at once."""

    async def wait(self) -> Ended:
        """Waits for its end."""

    async def stop(self) -> None:
        """Asks for its end; it is killed when its stop timeout is over. Does not wait."""

    async def run(self, command: Sequence[str], *, timeout_seconds: float) -> bool:
        """Whether a program inside ends with status 0 in time."""

    async def usage(self) -> Usage | None:
        """What it uses; None where that cannot be seen, as at its end."""

    async def remove(self) -> None:
        """Removes what is left of one that has ended."""


LogLine = Callable[[str], None]


class Runtime(Protocol):
    """Starts containers."""

    network: TaskNetwork

    async def start(self, start: Start, *, log: LogLine) -> Container:
        """Starts one; each line that it writes is given to `log`. Raises `StartError`."""

    async def adopt(self, start: Start, *, log: LogLine) -> "Container | None":
        """One that an earlier data plane started; None if it is gone."""

    async def forget_task(self, task_id: str) -> None:
        """Removes what the containers of a task shared, after the last of them."""
