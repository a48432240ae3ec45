"""Containers of a Docker daemon."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.data_plane.aws import Clients
from embedded_aws.data_plane.configuration import Configuration, DockerNetwork
from embedded_aws.data_plane.runtimes.container_body import (
    container_body,
    joined,
    published,
    volume_name,
)
from embedded_aws.data_plane.runtimes.docker.engine import DockerEngine, DockerError
from embedded_aws.data_plane.runtimes.docker.support_image import PAUSE, layer
from embedded_aws.data_plane.runtimes.docker.task_network import (
    BEHIND_VIRTUAL_MACHINE,
    TaskNetwork,
    network_of,
)
from embedded_aws.data_plane.runtimes.docker.watch import (
    DockerWatch,
    labels,
    remove_left_overs,
)
from embedded_aws.data_plane.runtimes.runtime import Ended, LogLine, Start, StartError, Usage
from embedded_aws.whole_file import write_whole

_CONFLICT = 409
_LAST_LINES_TIMEOUT_SECONDS = 5.0
"""What a daemon may take to tell the rest of what a container wrote."""


class DockerRuntime:
    """Runs images as task definitions ask. `network`: what their containers are on."""

    def __init__(
        self,
        engine: DockerEngine,
        configuration: Configuration,
        clients: Clients,
        *,
        network: TaskNetwork,
    ) -> None:
        self.network = network
        self._engine = engine
        self._configuration = configuration
        self._clients = clients
        self._watch = DockerWatch(engine, configuration)
        self._support_image: str | None = None
        self._lock = asyncio.Lock()

    @classmethod
    async def connect(
        cls, configuration: Configuration, clients: Clients, *, asked: DockerNetwork
    ) -> "DockerRuntime":
        """Raises `OSError` if no daemon answers, or tasks could not be reached on it."""
        engine = await DockerEngine.connect()
        try:
            network = await network_of(engine, asked)
        except BaseException:
            await engine.close()
            raise
        return cls(engine, configuration, clients, network=network)

    async def start(self, start: Start, *, log: LogLine) -> "DockerContainer":
        image, digest = await self._image(start)
        try:
            body = container_body(
                start,
                image=image,
                labels=labels(self._configuration),
                readable_files=[str(self._configuration.certificate_authority_file)],
                network=await self._network(start),
            )
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
            container.process_id = self._process_id(found["State"]["Pid"])
        except DockerError as error:
            await container.remove()
            raise StartError(f"CannotStartContainerError: {error}") from None
        container.follow(log, since="0")
        self._folder(start).mkdir(parents=True)
        write_whole(self._record(start), json.dumps({"id": created["Id"], "digest": digest}))
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
        container.process_id = self._process_id(found["State"]["Pid"])
        container.follow(log, since="0")
        return container

    async def forget_task(self, task_id: str) -> None:
        with contextlib.suppress(DockerError, aiohttp.ClientError):
            await self._engine.call(
                "DELETE", f"/containers/{_pause_name(task_id)}", query={"force": "1"}
            )

    async def close(self) -> None:
        """Waits for the end of what watches over the containers; what is left goes with it."""
        if self._support_image:
            await self._watch.end()
            with contextlib.suppress(DockerError, aiohttp.ClientError):
                await self._engine.call("DELETE", f"/images/{self._support_image}")
        await self._engine.close()

    async def _begin(self) -> str:
        """Before the first container: has what watches over all; returns the support image."""
        async with self._lock:
            if self._support_image is None:
                await remove_left_overs(self._engine)
                info = await self._engine.call("GET", "/info")
                image = await self._engine.import_image(
                    layer(info["Architecture"]), labels=labels(self._configuration)
                )
                await self._watch.start(image)
                self._support_image = image
            return self._support_image

    async def _network(self, start: Start) -> dict[str, Any]:
        image = await self._begin()
        if self.network.is_shared:
            return joined("host")
        if not start.has_neighbours:
            return published(start.task_ports)
        # As in ECS: the network is there before the first container and after the last.
        name = _pause_name(start.task_id)
        body = {
            "Image": image,
            "Entrypoint": [PAUSE],
            "Labels": labels(self._configuration),
            **published(start.task_ports),
        }
        try:
            await self._engine.call("POST", "/containers/create", body=body, query={"name": name})
        except DockerError as error:
            if error.status != _CONFLICT:
                raise
        else:
            await self._engine.call("POST", f"/containers/{name}/start")
        return joined(f"container:{name}")

    def _process_id(self, told: int) -> int | None:
        """A process number of the daemon's, where that is one of this machine."""
        return None if self.network is BEHIND_VIRTUAL_MACHINE else told

    def _folder(self, start: Start) -> Path:
        return self._configuration.state_folder / "tasks" / start.task_id / start.name

    def _record(self, start: Start) -> Path:
        return self._folder(start) / "docker.json"

    async def _image(self, start: Start) -> tuple[str, str | None]:
        """Has the image here; returns what to run, and its digest in the registry."""
        reference, authorization = await asyncio.to_thread(
            self._in_registry, start.definition["image"]
        )
        pinned = reference
        if start.image_digest and "@" not in reference:
            registry, slash, tagged = reference.rpartition("/")
            name, _, _ = tagged.partition(":")
            pinned = f"{registry}{slash}{name}@{start.image_digest}"
        try:
            found = await self._engine.image(pinned)
            if found is None:
                await self._engine.pull(pinned, authorization=authorization)
                found = await self._engine.image(pinned)
        except (DockerError, aiohttp.ClientError) as error:
            raise StartError(f"CannotPullContainerError: {error}") from None
        assert found is not None
        wanted = "arm64" if start.architecture == "ARM64" else "amd64"
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


def _pause_name(task_id: str) -> str:
    return f"embedded-aws-{task_id}-pause"


class DockerContainer:
    """A container of the daemon."""

    def __init__(self, engine: DockerEngine, id: str, digest: str | None, start: Start) -> None:
        self.image_digest: str | None = digest
        self.runtime_id = id
        self.process_id: int | None = None
        """Of its first process, on this machine; None where it is on another."""
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
        return self._is_running and (self.process_id is None or psutil.pid_exists(self.process_id))

    async def wait(self) -> Ended:
        try:
            ended = await self._engine.call("POST", f"/containers/{self.runtime_id}/wait")
            state = (await self._engine.call("GET", f"/containers/{self.runtime_id}/json"))["State"]
        except (DockerError, aiohttp.ClientError):
            return Ended(exit_code=None, reason="CannotInspectContainerError: it is gone")
        self._is_running = False
        if self._following:
            await asyncio.wait({self._following}, timeout=_LAST_LINES_TIMEOUT_SECONDS)
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
                    "DELETE", f"/volumes/{volume_name(self._start, each['sourceVolume'])}"
                )
