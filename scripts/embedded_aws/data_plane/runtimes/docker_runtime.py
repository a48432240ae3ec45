"""Containers of a Docker daemon, on the network of this machine.

Tasks share this machine's network: each has its own ports in place of its own address.
"""

import asyncio
import base64
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.data_plane.aws import Clients
from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.kept_process import KeptProcess, Spec
from embedded_aws.data_plane.runtimes.docker_engine import DockerEngine, DockerError
from embedded_aws.data_plane.runtimes.runtime import Ended, LogLine, Start, StartError, Usage

LABEL = "embedded-aws.state-folder"
"""On every container, so that what watches over them finds them."""

_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
_MIB = 1024 * 1024
_SWEEP = Path(__file__).with_name("docker_sweep.py")


class DockerRuntime:
    """Runs images as task definitions ask."""

    def __init__(
        self, engine: DockerEngine, configuration: Configuration, clients: Clients
    ) -> None:
        self._engine = engine
        self._configuration = configuration
        self._clients = clients
        self._watch = KeptProcess(configuration.state_folder / "docker-watch")

    @classmethod
    async def connect(cls, configuration: Configuration, clients: Clients) -> "DockerRuntime":
        """Raises `OSError` if no daemon answers, or tasks could not be reached on it."""
        if sys.platform != "linux":
            raise OSError("containers share this machine's network, which needs Docker on Linux")
        runtime = cls(await DockerEngine.connect(), configuration, clients)
        await runtime._start_watch()
        return runtime

    async def start(self, start: Start, *, log: LogLine) -> "DockerContainer":
        image, digest = await self._image(start)
        body = self._body(start, image)
        try:
            created = await self._engine.call(
                "POST",
                "/containers/create",
                body=body,
                query={"name": f"embedded-aws-{start.task_id}-{start.name}"},
            )
        except DockerError as error:
            raise StartError(f"CannotCreateContainerError: {error}") from None
        container = DockerContainer(self._engine, created["Id"], digest, start)
        try:
            await self._engine.call("POST", f"/containers/{created['Id']}/start")
            found = await self._engine.call("GET", f"/containers/{created['Id']}/json")
            container.process_id = found["State"]["Pid"]
        except DockerError as error:
            await container.remove()
            raise StartError(f"CannotStartContainerError: {error}") from None
        container.follow(log, since="0")
        self._folder(start).mkdir(parents=True, exist_ok=True)
        self._record(start).write_text(json.dumps({"id": created["Id"], "digest": digest}), "utf-8")
        return container

    async def adopt(self, start: Start, *, log: LogLine) -> "DockerContainer | None":
        record = self._record(start)
        if not record.exists():
            return None
        known = json.loads(record.read_text("utf-8"))
        try:
            found = await self._engine.call("GET", f"/containers/{known['id']}/json")
        except DockerError:
            return None
        container = DockerContainer(self._engine, known["id"], known["digest"], start)
        container.process_id = found["State"]["Pid"]
        container.follow(log, since="0")
        return container

    async def close(self) -> None:
        """Ends what watches over the containers; what is left of them goes with it."""
        self._watch.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._watch.wait(), 10)
        await self._engine.close()

    def _folder(self, start: Start) -> Path:
        return self._configuration.state_folder / "tasks" / start.task_id / start.name

    def _record(self, start: Start) -> Path:
        return self._folder(start) / "docker.json"

    async def _start_watch(self) -> None:
        """Starts a process that removes the containers when no data plane is left."""
        if self._watch.folder.exists() and self._watch.exit_status() is None:
            return
        state_folder = str(self._configuration.state_folder)
        self._watch = await KeptProcess.start(
            self._watch.folder,
            Spec(
                argv=None,
                cwd="/",
                output="/dev/null",
                heartbeat=str(self._configuration.heartbeat),
                cleanup=[
                    *(sys.executable, "-I", "-S", str(_SWEEP)),
                    *(self._engine.endpoint, f"{LABEL}={state_folder}"),
                ],
            ),
            environment={"PATH": "/usr/bin:/bin"},
        )

    async def _image(self, start: Start) -> tuple[str, str | None]:
        """Has the image here; returns what to run, and its digest in the registry."""
        reference, authorization = await asyncio.to_thread(
            self._in_registry, start.definition["image"]
        )
        pinned = reference
        if start.image_digest and "@" not in reference:
            name = reference.rsplit("/", 1)
            name[-1] = name[-1].split(":")[0]
            pinned = f"{'/'.join(name)}@{start.image_digest}"
        try:
            found = await self._engine.image(pinned)
            if found is None:
                await self._engine.pull(pinned, authorization=authorization)
                found = await self._engine.image(pinned)
        except (DockerError, aiohttp.ClientError) as error:
            raise StartError(f"CannotPullContainerError: {error}") from None
        assert found is not None
        wanted = _ARCHITECTURES.get(start.architecture, "amd64")
        if found.get("Architecture") not in (wanted, "", None):
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
            raise StartError(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): image"
                f" Manifest does not contain descriptor matching platform 'linux/{wanted}'"
            )
        digests = [each.partition("@")[2] for each in found.get("RepoDigests") or ()]
        return pinned, start.image_digest or (digests[0] if digests else None)

    def _in_registry(self, reference: str) -> tuple[str, str | None]:
        """An image of ECR's as it is called in the registry here, and that registry's login."""
        try:
            given = self._clients("ecr").get_authorization_token()["authorizationData"][0]
        except (BotoCoreError, ClientError):
            return reference, None
        host = given["proxyEndpoint"].partition("://")[2]
        account, region = self._configuration.account_id, self._configuration.region
        in_aws = f"{account}.dkr.ecr.{region}.amazonaws.com/"
        if reference.startswith(in_aws):
            reference = f"{host}/{reference.removeprefix(in_aws)}"
        if not reference.startswith(f"{host}/"):
            return reference, None
        user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        login = {"username": user, "password": password, "serveraddress": host}
        return reference, base64.urlsafe_b64encode(json.dumps(login).encode()).decode()

    def _body(self, start: Start, image: str) -> dict[str, Any]:
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
        definition = start.definition
        linux = definition.get("linuxParameters") or {}
        capabilities = linux.get("capabilities") or {}
        memory_mib = definition.get("memory") or start.task_memory_mib
        authority = str(self._configuration.certificate_authority_file)
        host_configuration = {
            "NetworkMode": "host",
            "ReadonlyRootfs": bool(definition.get("readonlyRootFilesystem")),
            "CapAdd": capabilities.get("add") or [],
            "CapDrop": capabilities.get("drop") or [],
            "Init": bool(linux.get("initProcessEnabled")),
            "SecurityOpt": ["no-new-privileges"]
            if "ALL" in (capabilities.get("drop") or ())
            else [],
            "Binds": [f"{authority}:{authority}:ro", *_mounts(start)],
            "Ulimits": [
                {"Name": each["name"], "Soft": each["softLimit"], "Hard": each["hardLimit"]}
                for each in definition.get("ulimits") or ()
            ],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "20m"}},
            **(
                {"Memory": memory_mib * _MIB, "MemorySwap": memory_mib * _MIB} if memory_mib else {}
            ),
            **({"CpuQuota": start.task_cpu * 100_000 // 1024} if start.task_cpu else {}),
        }
        body: dict[str, Any] = {
            "Image": image,
            "Env": [f"{name}={value}" for name, value in start.environment.items()],
            "Labels": {
                LABEL: str(self._configuration.state_folder),
                "embedded-aws.task": start.task_arn,
                **(definition.get("dockerLabels") or {}),
            },
            "StopTimeout": int(start.stop_timeout_seconds),
            # ECS ignores the image's own.
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": host_configuration,
        }
        for key, name in (
            ("command", "Cmd"),
            ("entryPoint", "Entrypoint"),
            ("user", "User"),
            ("workingDirectory", "WorkingDir"),
        ):
            if definition.get(key):
                body[name] = definition[key]
        return body


def _mounts(start: Start) -> list[str]:
    """The task's volumes, each of which all its containers share."""
    return [
        f"{_volume(start, each['sourceVolume'])}:{each['containerPath']}"
        f"{':ro' if each.get('readOnly') else ''}"
        for each in start.definition.get("mountPoints") or ()
    ]


def _volume(start: Start, name: str) -> str:
    return f"embedded-aws-{start.task_id}-{name}"


class DockerContainer:
    """A container of the daemon."""

    def __init__(self, engine: DockerEngine, id: str, digest: str | None, start: Start) -> None:
        self.image_digest: str | None = digest
        self.runtime_id = id
        self.process_id = 0
        """Of its first process, on this machine."""
        self._engine = engine
        self._start = start
        self._following: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._is_running = True

    def follow(self, log: LogLine, *, since: str) -> None:
        """Passes on what it writes from now on."""

        async def pass_on() -> None:
            with contextlib.suppress(aiohttp.ClientError, DockerError):
                async for _, line in self._engine.logs(self.runtime_id, since=since):
                    log(line)

        self._following = asyncio.ensure_future(pass_on())

    @property
    def is_running(self) -> bool:
        # The daemon takes a moment to tell of an end, and requests would be lost in it.
        return self._is_running and psutil.pid_exists(self.process_id)

    async def wait(self) -> Ended:
        try:
            ended = await self._engine.call("POST", f"/containers/{self.runtime_id}/wait")
            state = (await self._engine.call("GET", f"/containers/{self.runtime_id}/json"))["State"]
        except (DockerError, aiohttp.ClientError):
            return Ended(exit_code=None, reason="CannotInspectContainerError: it is gone")
        self._is_running = False
        if self._following:
            await asyncio.wait({self._following}, timeout=5)
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
        reason = "OutOfMemoryError: Container killed due to memory usage"
        return Ended(
            exit_code=int(ended["StatusCode"]), reason=reason if state["OOMKilled"] else None
        )

    async def stop(self) -> None:
        async def stop() -> None:
            seconds = str(int(self._start.stop_timeout_seconds))
            with contextlib.suppress(DockerError, aiohttp.ClientError):
                await self._engine.call(
                    "POST", f"/containers/{self.runtime_id}/stop", query={"t": seconds}
                )

        self._stopping = asyncio.ensure_future(stop())

    async def run(self, command: Sequence[str], *, timeout_seconds: float) -> bool:
        with contextlib.suppress(TimeoutError, DockerError, aiohttp.ClientError):
            status = await asyncio.wait_for(
                self._engine.execute(self.runtime_id, list(command)), timeout_seconds
            )
            return status == 0
        return False

    async def usage(self) -> Usage | None:
        # https://docs.docker.com/reference/cli/docker/container/stats/: what is cached of files is
        # no use of memory.
        try:
            stats = await self._engine.call(
                "GET",
                f"/containers/{self.runtime_id}/stats",
                query={"stream": "false", "one-shot": "true"},
            )
            if not isinstance(stats, dict):
                # The answer is empty for a container that ends just now.
                return None
            memory = stats["memory_stats"]
            cached = memory["stats"].get("inactive_file") or memory["stats"].get(
                "total_inactive_file", 0
            )
            return Usage(
                cpu_seconds=stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
                memory_bytes=max(0, memory["usage"] - cached),
            )
        except (DockerError, aiohttp.ClientError, KeyError):
            return None

    async def remove(self) -> None:
        if self._following:
            self._following.cancel()
        with contextlib.suppress(DockerError, aiohttp.ClientError):
            await self._engine.call(
                "DELETE", f"/containers/{self.runtime_id}", query={"force": "1", "v": "1"}
            )
        for each in self._start.definition.get("mountPoints") or ():
            with contextlib.suppress(DockerError, aiohttp.ClientError):
                await self._engine.call(
                    "DELETE", f"/volumes/{_volume(self._start, each['sourceVolume'])}"
                )
