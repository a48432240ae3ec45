"""Containers as plain processes of a source folder, where there is no Docker daemon.

What the definition says of user, root file system, capabilities, CPU and memory limits, volumes
and the image's own command is not enforced: the process is the definition's own entry point and
command, or else the script `start` of the source folder, and may do what this user may.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.kept_process import KeptProcess, Spec
from embedded_aws.data_plane.runtimes.docker.task_network import SHARED, TaskNetwork
from embedded_aws.data_plane.runtimes.runtime import Ended, LogLine, Start, StartError, Usage
from embedded_aws.data_plane.runtimes.sources import BuildError, Sources
from embedded_aws.whole_file import write_whole

_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "TERM")
_TAIL_SECONDS = 0.1


def repository_of(image: str) -> str:
    """The repository of an image's address: what is between its host and its tag or digest."""
    name = image.split("@")[0]
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        name = rest
    return name.split(":")[0]


class ProcessRuntime:
    """Runs the source folders of the configuration."""

    network: TaskNetwork = SHARED

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._sources = Sources(configuration.cache_folder)
        self._snapshots = configuration.state_folder / "contents.json"
        self._lock = asyncio.Lock()

    async def start(self, start: Start, *, log: LogLine) -> "ProcessContainer":
        image = start.definition["image"]
        folder = self._configuration.sources.get(repository_of(image))
        if folder is None:
            raise StartError(
                f"CannotPullContainerError: {image} runs as a process only if a source folder is"
                f" given for its repository: --source {repository_of(image)}=FOLDER"
            )
        try:
            # What an image is does not change, wherever its tag moves and whatever the folder has.
            key = start.image_digest or f"{start.source_key} {image}"
            digest = await self._content(key, folder)
            build = await self._sources.build(digest)
        except (BuildError, OSError) as error:
            raise StartError(f"CannotPullContainerError: {folder}: {error}") from None
        image_digest = start.image_digest or build.digest
        command = (
            *(start.definition.get("entryPoint") or ()),
            *(start.definition.get("command") or ()),
        )
        environment = {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            **start.environment,
        }
        here = self._folder(start)
        kept = await KeptProcess.start(
            here,
            Spec(
                argv=command or build.command,
                cwd=str(build.folder),
                output=str(here / "output"),
                heartbeat=str(self._configuration.heartbeat),
                stop_timeout_seconds=start.stop_timeout_seconds,
            ),
            environment=environment,
        )
        write_whole(
            here / "container.json",
            json.dumps({"digest": image_digest, "cwd": str(build.folder)}),
        )
        return ProcessContainer(kept, image_digest, build.folder, environment, log)

    async def adopt(self, start: Start, *, log: LogLine) -> "ProcessContainer | None":
        here = self._folder(start)
        if not (here / "container.json").exists():
            return None
        known = json.loads((here / "container.json").read_text("utf-8"))
        environment = {"PATH": os.environ.get("PATH", ""), **start.environment}
        return ProcessContainer(
            KeptProcess(here), known["digest"], Path(known["cwd"]), environment, log
        )

    async def forget_task(self, task_id: str) -> None:
        """There is nothing."""

    def _folder(self, start: Start) -> Path:
        return self._configuration.state_folder / "tasks" / start.task_id / start.name

    async def _content(self, key: str, folder: Path) -> str:
        """The content of one image or deployment: what was there when its first task began."""
        async with self._lock:
            known = (
                json.loads(self._snapshots.read_text("utf-8")) if self._snapshots.exists() else {}
            )
            if key not in known:
                known[key] = await self._sources.snapshot(folder)
                write_whole(self._snapshots, json.dumps(known))
            return str(known[key])


class ProcessContainer:
    """A process in place of a container."""

    def __init__(
        self,
        kept: KeptProcess,
        digest: str,
        cwd: Path,
        environment: Mapping[str, str],
        log: LogLine,
    ) -> None:
        self.image_digest: str | None = digest
        self.runtime_id = f"process-{kept.pid}"
        self._kept = kept
        self._cwd = cwd
        self._environment = environment
        self._tail = asyncio.ensure_future(self._follow(log))

    @property
    def is_running(self) -> bool:
        return self._kept.is_alive

    async def wait(self) -> Ended:
        status = await self._kept.wait()
        await self._tail
        # As a shell and Docker have it for one that a signal ended.
        return Ended(exit_code=status if status >= 0 else 128 - status)

    async def stop(self) -> None:
        self._kept.stop()

    async def run(self, command: Sequence[str], *, timeout_seconds: float) -> bool:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._cwd,
                env=dict(self._environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError:
            return False
        try:
            return await asyncio.wait_for(process.wait(), timeout_seconds) == 0
        except TimeoutError:
            process.kill()
            await process.wait()
            return False

    async def usage(self) -> Usage | None:
        try:
            first = psutil.Process(self._kept.pid or 0)
            family = [first, *first.children(recursive=True)]
            times = [process.cpu_times() for process in family]
            return Usage(
                cpu_seconds=sum(each.user + each.system for each in times),
                memory_bytes=sum(process.memory_info().rss for process in family),
            )
        except (psutil.Error, ValueError):
            return None

    async def remove(self) -> None:
        self._tail.cancel()

    async def _follow(self, log: LogLine) -> None:
        """Passes on what the process writes, from where an earlier data plane stopped."""
        position = self._kept.folder / "position"
        offset = int(position.read_text("utf-8")) if position.exists() else 0
        rest = b""
        with (
            contextlib.suppress(FileNotFoundError),
            (self._kept.folder / "output").open("rb") as output,
        ):
            output.seek(offset)
            while True:
                has_ended = self._kept.exit_status() is not None
                if part := output.read(1 << 20):
                    *lines, rest = (rest + part).split(b"\n")
                    for line in lines:
                        log(line.decode("utf-8", "replace").rstrip("\r"))
                    write_whole(position, str(output.tell() - len(rest)))
                elif has_ended:
                    break
                else:
                    await asyncio.sleep(_TAIL_SECONDS)
        if rest:
            log(rest.decode("utf-8", "replace"))
