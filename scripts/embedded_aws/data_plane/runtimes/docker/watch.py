"""What removes the containers when no data plane is left: they belong to Docker's daemon.

On Linux it is a container itself, which the daemon starts again whatever ends it. It runs this
Python, which it finds where this process does. Where Docker has other folders than this machine, as
in a virtual machine, it is a process with a keeper.
"""

import asyncio
import contextlib
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.kept_process import PATIENCE_SECONDS, KeptProcess, Spec
from embedded_aws.data_plane.runtimes.docker.engine import DockerEngine, DockerError

LABEL = "embedded-aws.state-folder"
"""On every container and image: whose it is."""
MACHINE_LABEL = "embedded-aws.machine"
"""On every container: which machine has its state folder; others may use the daemon, too."""

_SCRIPT = Path(__file__).with_name("sweep.py")
_SYSTEM = ("/usr", "/lib", "/lib64", "/nix", "/etc/ld.so.cache")
"""Where programs of a Linux system and what they need are; those that there are."""
_START_TIMEOUT_SECONDS = 10.0
_REMOVAL_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.05
_LEFT_OVER_SECONDS = 60
"""A heartbeat that is older is no living data plane's, even on a machine that slept until now."""


class DockerWatch:
    """Watches over the containers of one data plane and of those after it."""

    def __init__(self, engine: DockerEngine, configuration: Configuration) -> None:
        self._engine = engine
        self._configuration = configuration
        self._label = f"{LABEL}={configuration.state_folder}"
        self._name = f"embedded-aws-watch-{configuration.state_folder.name}"
        self._process = KeptProcess(configuration.state_folder / "docker-watch")

    async def start(self, image: str) -> None:
        """Starts it, unless it runs. `image`: see `support_image`."""
        if await self._is_container():
            return
        if self._process.folder.exists() and self._process.exit_status() is None:
            return
        if not await self._start_container(image):
            await self._start_process()

    async def end(self) -> None:
        """Waits until it has removed what is left; the heartbeat is gone by then."""
        self._process.stop()
        with contextlib.suppress(TimeoutError, DockerError, aiohttp.ClientError):
            async with asyncio.timeout(_REMOVAL_TIMEOUT_SECONDS):
                if self._process.folder.exists():
                    await self._process.wait()
                await self._engine.call(
                    "POST", f"/containers/{self._name}/wait", query={"condition": "removed"}
                )

    async def _is_container(self) -> bool:
        try:
            await self._engine.call("GET", f"/containers/{self._name}/json")
        except DockerError:
            return False
        return True

    async def _start_container(self, image: str) -> bool:
        kind, _, place = self._engine.endpoint.partition("://")
        if sys.platform != "linux" or kind != "unix":
            return False
        try:
            await self._engine.call(
                "POST",
                "/containers/create",
                body=self._body(image, place),
                query={"name": self._name},
            )
            await self._engine.call("POST", f"/containers/{self._name}/start")
            async with asyncio.timeout(_START_TIMEOUT_SECONDS):
                while not await self._has_begun():
                    await asyncio.sleep(_POLL_SECONDS)
        except (DockerError, TimeoutError) as error:
            print(f"No container watches over the others: {error}", file=sys.stderr)
            with contextlib.suppress(DockerError):
                await self._engine.call("DELETE", f"/containers/{self._name}", query={"force": "1"})
            return False
        return True

    async def _has_begun(self) -> bool:
        said = await self._engine.call(
            "GET", f"/containers/{self._name}/logs", query={"stdout": "1"}
        )
        return "watching" in said

    def _body(self, image: str, place: str) -> dict[str, Any]:
        state_folder = self._configuration.state_folder
        python = os.path.realpath(sys.executable)
        # Not the state folder itself: without it the daemon could not start the container again.
        folders = {*_SYSTEM, sys.base_prefix, str(_SCRIPT.parent), str(state_folder.parent)}
        shown = [place, *(folder for folder in folders if Path(folder).exists())]
        return {
            "Image": image,
            "Entrypoint": [python, "-I", "-S", str(_SCRIPT)],
            "Cmd": [
                self._engine.endpoint,
                self._label,
                str(self._configuration.heartbeat),
                str(PATIENCE_SECONDS),
            ],
            "Labels": labels(self._configuration),
            "HostConfig": {
                "NetworkMode": "none",
                "ReadonlyRootfs": True,
                "RestartPolicy": {"Name": "always"},
                # Where SELinux keeps containers from the daemon's socket.
                "SecurityOpt": ["label=disable"],
                "Mounts": [
                    {"Type": "bind", "Source": path, "Target": path, "ReadOnly": True}
                    for path in sorted(shown)
                ],
            },
        }

    async def _start_process(self) -> None:
        self._process = await KeptProcess.start(
            self._process.folder,
            Spec(
                argv=None,
                cwd="/",
                output="/dev/null",
                heartbeat=str(self._configuration.heartbeat),
                stop_timeout_seconds=0,
                cleanup=[
                    *(sys.executable, "-I", "-S", str(_SCRIPT)),
                    *(self._engine.endpoint, self._label),
                ],
            ),
            environment={"PATH": "/usr/bin:/bin"},
        )


def labels(configuration: Configuration) -> dict[str, str]:
    """Those of each container."""
    return {LABEL: str(configuration.state_folder), MACHINE_LABEL: _machine()}


async def remove_left_overs(engine: DockerEngine) -> None:
    """Removes containers and images of data planes of this machine that are no more."""
    query = {"all": "1", "filters": f'{{"label": ["{MACHINE_LABEL}={_machine()}"]}}'}
    with contextlib.suppress(DockerError, aiohttp.ClientError):
        for kind in ("containers", "images"):
            for found in await engine.call("GET", f"/{kind}/json", query=query):
                heartbeat = Configuration.heartbeat_in(Path(found["Labels"][LABEL]))
                if _is_left_over(heartbeat):
                    with contextlib.suppress(DockerError):
                        await engine.call("DELETE", f"/{kind}/{found['Id']}", query={"force": "1"})


def _is_left_over(heartbeat: Path) -> bool:
    try:
        return heartbeat.stat().st_mtime < time.time() - _LEFT_OVER_SECONDS
    except OSError:
        return True


def _machine() -> str:
    return socket.gethostname()
