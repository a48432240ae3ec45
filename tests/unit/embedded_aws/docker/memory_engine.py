"""A Docker daemon in memory: it has what was made in it and refuses what a real one refuses."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from embedded_aws.data_plane.runtimes.docker.engine import DockerError


@dataclass(kw_only=True)
class Kept:
    """A container in it. `starts`: how often it was started; `told_to_stop`: with which timeout."""

    name: str
    body: Mapping[str, Any]
    starts: int = 0
    told_to_stop: str | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    exit_code: int = 0
    out_of_memory: bool = False

    @property
    def id(self) -> str:
        return f"id of {self.name}"


@dataclass(kw_only=True)
class MemoryEngine:
    """What `DockerEngine` is for a daemon that is elsewhere.

    `images`: what it has; `registry`: what it can pull. `refuses`: the answers to some calls, by
    method and path, with `?` and a name where one is given to what is made. `says`: the lines that
    each container writes; `talks_on`: and is never done. `execute_status`: how a program inside
    ends; None: it does not. `is_away`: nothing answers.
    """

    images: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    registry: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    refuses: dict[str, DockerError] = field(default_factory=dict)
    says: Sequence[str] = ()
    talks_on: bool = False
    pid: int = 4711
    stats: object = None
    execute_status: int | None = 0
    is_away: bool = False
    is_closed: bool = False
    containers: dict[str, Kept] = field(default_factory=dict)
    volumes: set[str] = field(default_factory=set)
    pulled: list[tuple[str, str | None]] = field(default_factory=list)
    layers: list[tuple[bytes, Mapping[str, str]]] = field(default_factory=list)
    executed: list[tuple[str, list[str]]] = field(default_factory=list)

    async def close(self) -> None:
        self.is_closed = True

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        await asyncio.sleep(0)
        self._must_be_there()
        asked = dict(query or {})
        what = f"{method} {path}" + (f"?{asked['name']}" if "name" in asked else "")
        if refused := self.refuses.get(what):
            raise refused
        match method, path.strip("/").split("/", 2):
            case "GET", ["info"]:
                return {"OperatingSystem": "Debian", "Architecture": "aarch64"}
            case "GET", ["networks", "bridge"]:
                raise DockerError(404, "network bridge not found")
            case "GET", ["containers" | "images", "json"]:
                return self._left_overs() if path == "/containers/json" else []
            case "POST", ["containers", "create"]:
                assert body is not None
                return self._create(asked["name"], body)
            case "DELETE", ["images", image]:
                del self.images[image]
                return ""
            case "DELETE", ["volumes", volume]:
                if volume not in self.volumes:
                    raise DockerError(404, f"get {volume}: no such volume")
                self.volumes.remove(volume)
                return ""
            case "DELETE", ["containers", key]:
                return self._remove(self.container(key), asked)
            case _, ["containers", key, what]:
                return await self._of_container(f"{method} {what}", self.container(key), asked)
        raise AssertionError(f"{method} {path}")

    def container(self, key: str) -> Kept:
        """By its id or its name."""
        for found in self.containers.values():
            if key in (found.id, found.name):
                return found
        raise DockerError(404, f"No such container: {key}")

    @property
    def running(self) -> list[str]:
        """The names of containers that run."""
        return [each.name for each in self.containers.values() if each.starts]

    async def image(self, reference: str) -> Mapping[str, Any] | None:
        self._must_be_there()
        return self.images.get(reference)

    async def pull(self, reference: str, *, authorization: str | None) -> None:
        self.pulled.append((reference, authorization))
        if reference not in self.registry:
            raise DockerError(404, f"manifest for {reference} not found")
        self.images[reference] = self.registry[reference]

    async def import_image(self, layer: bytes, *, labels: Mapping[str, str]) -> str:
        self.layers.append((layer, labels))
        await asyncio.sleep(0)
        self.images["sha256:pause"] = {}
        return "sha256:pause"

    async def logs(self, container_id: str, *, since: str) -> AsyncIterator[tuple[str, str]]:
        self._must_be_there()
        assert since == "0"
        for line in self.says:
            yield "2026-01-31T00:00:00Z", line
        if self.talks_on:
            await asyncio.Event().wait()
        await self.container(container_id).ended.wait()
        # Whoever waits for the end is told of it first.
        for _ in range(9):
            await asyncio.sleep(0)
        yield "2026-01-31T00:00:01Z", "the last line"

    async def execute(self, container_id: str, command: list[str]) -> int:
        self._must_be_there()
        self.executed.append((container_id, command))
        if self.execute_status is None:
            await asyncio.Event().wait()
        return self.execute_status or 0

    def _must_be_there(self) -> None:
        if self.is_away:
            raise aiohttp.ClientError("the connection was refused")

    def _left_overs(self) -> list[Mapping[str, Any]]:
        labelled = [each for each in self.containers.values() if each.body.get("Labels")]
        return [{"Id": each.id, "Labels": each.body["Labels"]} for each in labelled]

    def _create(self, name: str, body: Mapping[str, Any]) -> Mapping[str, str]:
        if name in self.containers:
            raise DockerError(409, f"the name {name} is in use")
        if body["Image"] not in self.images:
            raise DockerError(404, f"No such image: {body['Image']}")
        made = self.containers[name] = Kept(name=name, body=body)
        self.volumes |= {
            bind.partition(":")[0]
            for bind in body["HostConfig"].get("Binds", ())
            if not bind.startswith("/")
        }
        return {"Id": made.id}

    def _remove(self, kept: Kept, asked: Mapping[str, str]) -> str:
        if kept.starts and not kept.ended.is_set() and asked.get("force") != "1":
            raise DockerError(409, f"{kept.name} is running")
        del self.containers[kept.name]
        if asked.get("v") == "1":
            self.volumes.discard(f"anonymous, of {kept.name}")
        kept.ended.set()
        return ""

    async def _of_container(self, what: str, kept: Kept, asked: Mapping[str, str]) -> Any:
        match what:
            case "POST start":
                kept.starts += 1
                self.volumes.add(f"anonymous, of {kept.name}")
                return ""
            case "GET json":
                return {"State": {"Pid": self.pid, "OOMKilled": kept.out_of_memory}}
            case "POST stop":
                kept.told_to_stop = asked["t"]
                kept.ended.set()
                return ""
            case "POST wait":
                await kept.ended.wait()
                return {"StatusCode": kept.exit_code}
            case "GET stats":
                # Otherwise it goes on telling, or takes a second to compare with.
                assert asked == {"stream": "false", "one-shot": "true"}
                return self.stats
        raise AssertionError(what)
