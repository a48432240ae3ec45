"""A Docker daemon, through its API.

https://docs.docker.com/reference/api/engine/version/v1.41/
"""

import asyncio
import json
import os
import shutil
import struct
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

_VERSION = "v1.41"
"""Of Docker 20.10; newer daemons speak it too."""
_ANSWER_TIMEOUT_SECONDS = 5
_HEADER = struct.Struct(">BxxxL")
_OK = range(200, 400)


class DockerError(Exception):
    """The daemon refuses; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class DockerEngine:
    """Calls of a daemon's API.

    They raise `DockerError` for what the daemon refuses, `OSError` or `aiohttp.ClientError` where
    it does not answer.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        kind, _, place = endpoint.partition("://")
        if kind not in ("unix", "tcp"):
            raise OSError(f"{endpoint} is not supported; only unix:// and tcp:// are.")
        is_socket = kind == "unix"
        self._base = f"http://{'docker' if is_socket else place}/{_VERSION}"
        connector = aiohttp.UnixConnector(place, limit=0) if is_socket else aiohttp.TCPConnector()
        self._session = aiohttp.ClientSession(connector=connector)

    @classmethod
    async def connect(cls) -> "DockerEngine":
        """The daemon that the docker tool would reach; raises `OSError` if none answers."""
        engine = cls(await _endpoint())
        try:
            await asyncio.wait_for(engine.call("GET", "/version"), _ANSWER_TIMEOUT_SECONDS)
        except (aiohttp.ClientError, TimeoutError, DockerError) as error:
            await engine.close()
            raise OSError(f"{engine.endpoint}: {error}") from None
        return engine

    async def close(self) -> None:
        """Ends all connections."""
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One call; returns its answer's JSON, if it has one."""
        async with self._session.request(
            method,
            self._base + path,
            json=body,
            params=query,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, connect=_ANSWER_TIMEOUT_SECONDS),
        ) as answer:
            text = await answer.text()
            if answer.status not in _OK:
                raise DockerError(answer.status, _message(text))
            return json.loads(text) if text.startswith(("{", "[")) and "\n{" not in text else text

    async def pull(self, reference: str, *, authorization: str | None) -> None:
        """Pulls an image by tag or digest."""
        headers = {"X-Registry-Auth": authorization} if authorization else None
        text = await self.call(
            "POST", "/images/create", query={"fromImage": reference}, headers=headers
        )
        # The status was sent before the work began: errors come among the lines of progress.
        for line in text.splitlines() if isinstance(text, str) else [json.dumps(text)]:
            if line.startswith("{") and "error" in (said := json.loads(line)):
                raise DockerError(404, str(said["error"]))

    async def import_image(self, layer: bytes, *, labels: Mapping[str, str]) -> str:
        """Makes an image without a name of one layer; returns its id."""
        changes = [("changes", f"LABEL {name}={value}") for name, value in labels.items()]
        async with self._session.post(
            f"{self._base}/images/create", params=[("fromSrc", "-"), *changes], data=layer
        ) as answer:
            text = await answer.text()
            if answer.status not in _OK:
                raise DockerError(answer.status, _message(text))
            last: dict[str, str] = json.loads(text.strip().splitlines()[-1])
            if "error" in last:
                raise DockerError(500, last["error"])
            return last["status"]

    async def image(self, reference: str) -> dict[str, Any] | None:
        """What the daemon knows of an image; None if it does not have it."""
        try:
            found: dict[str, Any] = await self.call(
                "GET", f"/images/{quote(reference, safe='/:@')}/json"
            )
        except DockerError as error:
            if error.status == 404:
                return None
            raise
        return found

    async def logs(self, container_id: str, *, since: str) -> AsyncIterator[tuple[str, str]]:
        """Lines with their times, from that time to the container's end."""
        async with self._session.get(
            f"{self._base}/containers/{container_id}/logs",
            params={"follow": "1", "stdout": "1", "stderr": "1", "timestamps": "1", "since": since},
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            rest: dict[int, bytes] = {1: b"", 2: b""}
            while True:
                try:
                    stream, size = _HEADER.unpack(await answer.content.readexactly(_HEADER.size))
                    part = await answer.content.readexactly(size)
                except (asyncio.IncompleteReadError, aiohttp.ClientError):
                    break
                *lines, rest[stream] = (rest.get(stream, b"") + part).split(b"\n")
                for line in lines:
                    at, _, text = line.decode("utf-8", "replace").partition(" ")
                    yield at, text

    async def execute(self, container_id: str, command: list[str]) -> int:
        """Runs a program in a container; returns its exit status."""
        made = await self.call("POST", f"/containers/{container_id}/exec", body={"Cmd": command})
        await self.call("POST", f"/exec/{made['Id']}/start", body={"Detach": False, "Tty": False})
        while True:
            state = await self.call("GET", f"/exec/{made['Id']}/json")
            if not state["Running"]:
                return int(state["ExitCode"] or 0)
            await asyncio.sleep(0.05)


async def _endpoint() -> str:
    if named := os.environ.get("DOCKER_HOST"):
        return named
    if shutil.which("docker"):
        process = await asyncio.create_subprocess_exec(
            *("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
        if process.returncode == 0 and output.strip():
            return output.decode().strip()
    if Path("/var/run/docker.sock").exists():
        return "unix:///var/run/docker.sock"
    raise OSError("there is no Docker daemon")


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()
