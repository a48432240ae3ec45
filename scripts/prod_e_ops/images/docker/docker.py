"""Docker on this machine: whether it is there, and what `prod-e push` has it do.

The daemon is asked by its API; only builds are the docker command's, because BuildKit's client is
in it: https://docs.docker.com/build/buildkit
"""

import asyncio
import os
import re
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prod_e_ops.errors import BuildFailed, DockerUnavailable
from prod_e_ops.images.docker.build_log import step_begun, warnings_of
from prod_e_ops.images.docker.docker_daemon import (
    NoDocker,
    cause_of,
    connect,
    default_build_network,
)
from prod_e_ops.terminal.processes import ChildProcesses, Finished, without_colour

if TYPE_CHECKING:
    from docker import DockerClient

_LOGIN_TIMEOUT_SECONDS = 60
_PUSH_TIMEOUT_SECONDS = 600
"""For how long a daemon may say nothing while a registry takes in what it uploaded."""

_STOP_TIMEOUT_SECONDS = 5.0
"""What docker may take to end after Ctrl-C; the daemon then drops what it was doing for it."""

_LINES_SHOWN = 15

_WRONG_PLATFORM = "does not match the specified platform"
_IMAGE_WENT = 'unable to find image "sha256:'
_OTHER_PLATFORM = (
    "Building for another kind of machine takes buildx, a base image for it, and QEMU if the build"
    " runs programs (https://docs.docker.com/build/building/multi-platform)."
)

# What the command line says about itself when it has no buildx.
_ABOUT_ITSELF = re.compile(
    r"^DEPRECATED: The legacy builder|^\s*(BuildKit is currently disabled|environment-variable\.$"
    r"|Install the buildx component)"
)


class TransferFailed(Exception):
    """A login or a push that did not succeed; the message is what Docker said last."""

    @property
    def reason(self) -> Literal["credentials", "refused", "connection"]:
        """See `why_transfer_failed`."""
        return why_transfer_failed(str(self))


def why_transfer_failed(said: str) -> Literal["credentials", "refused", "connection"]:
    """What a message of Docker about a registry means.

    `credentials`: the registry wants (other) ones; `refused`: trying again changes nothing;
    `connection`: all that may pass.

    ECR's answers: https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html
    """

    def has(pattern: str) -> bool:
        return re.search(pattern, said, re.IGNORECASE) is not None

    if has(
        r"token has expired|no basic auth credentials|\bunauthorized\b|(?<!:)\b401\b"
        r"|authentication required"
    ):
        return "credentials"
    if has(
        r"\bdenied\b|not authorized|\bforbidden\b|(?<!:)\b40[0345]\b|name unknown|name invalid"
        r"|does not exist|tag invalid|immutable|manifest (invalid|unknown)|unsupported"
        r"|limit ?exceeded|quota|cannot connect to the docker daemon|no space left"
        r"|server gave HTTP response to HTTPS client|certificate"
    ) and not has("too ?many ?requests|rate exceeded"):
        return "refused"
    return "connection"


@dataclass(frozen=True, kw_only=True)
class Docker:
    """A daemon, and the docker command that `environment` leads to the same one."""

    program: Path
    environment: Mapping[str, str] = field(repr=False)
    daemon: "DockerClient" = field(repr=False)
    processes: ChildProcesses = field(repr=False)

    async def build(
        self,
        folder: Path,
        *,
        image: str,
        platform: str,
        build_args: Mapping[str, str],
        network: str | None,
        rebuild: bool,
        on_step: Callable[[str], object],
        no_cache: bool = False,
    ) -> Sequence[str]:
        """Builds the folder's Dockerfile as one image of one architecture.

        Returns what its steps warned of; one that the cache had says nothing again.

        `image`: what it is called then. `network`: that of the steps; None: the daemon's own, or
        the host's where it has none. `rebuild`: every step runs anew, on the newest base image.
        `no_cache`: every step runs anew. `on_step`: told each, such as `Step 5/22: RUN npm ci`.

        Raises `BuildFailed` with the last lines if the build fails.
        """
        has_buildx = (await self._call("buildx", "version")).status == 0
        network = network or await default_build_network()
        said: list[str] = []

        def read(line: str) -> None:
            text = without_colour(line).rstrip()
            if text and not _ABOUT_ITSELF.search(text):
                said.append(text)
                if step := step_begun(text):
                    on_step(step)

        finished = await self._call(
            "build",
            f"--platform={platform}",
            f"--tag={image}",
            *(f"--build-arg={name}={value}" for name, value in build_args.items()),
            *(["--no-cache"] if rebuild or no_cache else []),
            *(["--pull"] if rebuild else []),
            # A builder that is not the daemon itself would keep the image to itself.
            *(["--load"] if has_buildx else []),
            *([f"--network={network}"] if network else []),
            str(folder),
            environment={
                "BUILDKIT_PROGRESS": "plain",
                # Attestations would make an index of what is one image, and another digest of it
                # with each build.
                "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
                # Without buildx, newer versions of the command refuse unless they are told.
                **({} if has_buildx else {"DOCKER_BUILDKIT": "0"}),
            },
            on_line=read,
        )
        found = await self._platform(image) if finished.status == 0 else None
        if found == platform:
            return warnings_of("\n".join(said))
        mixed_up = found is not None or any(_WRONG_PLATFORM in line for line in said)
        misled = mixed_up or any(_IMAGE_WENT in line for line in said)
        if misled and not has_buildx and not rebuild and not no_cache:
            # The classic builder takes steps from its cache that it ran for another platform, and
            # fails if any image of the same base is removed while it looks through them.
            return await self.build(
                folder,
                image=image,
                platform=platform,
                build_args=build_args,
                network=network,
                rebuild=False,
                on_step=on_step,
                no_cache=True,
            )
        cannot = mixed_up or any("exec format error" in line for line in said)
        raise BuildFailed(
            f"The build of {folder} failed (docker's exit status is {finished.status})."
            if found is None
            else f"Docker built {folder} for {found} instead of {platform}.",
            details=[*(said[-_LINES_SHOWN:] if found is None else ()), "Nothing was pushed."],
            next_step=_OTHER_PLATFORM if cannot else "Fix this and run it again.",
        )

    async def login(self, host: str, *, user: str, password: str) -> None:
        """Has the daemon try whether a registry takes the password; raises `TransferFailed`.

        An upload would be told of a wrong one only after a minute of the daemon's own attempts.
        """
        await asyncio.to_thread(self._login, host, user, password)

    def _login(self, host: str, user: str, password: str) -> None:
        from docker.auth import AuthConfig
        from docker.errors import DockerException
        from requests import RequestException

        try:
            with closing(
                connect(self.environment, timeout_seconds=_LOGIN_TIMEOUT_SECONDS)
            ) as daemon:
                # Without any entry, the SDK would ask the keychain of the user's configuration.
                daemon.api._auth_configs = AuthConfig(  # type: ignore[attr-defined]  # noqa: SLF001
                    {"auths": {host: {}}}
                )
                daemon.api.login(user, password, registry=host)
        except (DockerException, RequestException, NoDocker) as error:
            raise _transfer_failed(error) from None

    async def push(
        self, image: str, *, user: str, password: str, on_line: Callable[[str], object]
    ) -> str:
        """Uploads what the registry does not have of an image, and gives its digest.

        The password goes to the daemon with this one request; nothing writes it down.

        Raises `TransferFailed`; then the registry has none of the image's tags moved.
        """
        events: asyncio.Queue[Mapping[str, Any] | Exception | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        stop = threading.Event()

        def tell(event: Mapping[str, Any] | Exception | None) -> None:
            with suppress(RuntimeError):  # The loop ended; nobody asks any more.
                loop.call_soon_threadsafe(events.put_nowait, event)

        def read() -> None:
            try:
                with closing(
                    connect(self.environment, timeout_seconds=_PUSH_TIMEOUT_SECONDS)
                ) as daemon:
                    for event in daemon.api.push(
                        image,
                        stream=True,
                        decode=True,
                        auth_config={"username": user, "password": password},
                    ):
                        if stop.is_set():
                            break
                        tell(event)
            except Exception as error:  # noqa: BLE001
                # Raised again where it is waited for.
                tell(error)
            tell(None)

        # It must not keep the interpreter after Ctrl-C, as the loop's own threads would; the
        # daemon drops an upload whose connection ends.
        threading.Thread(target=read, daemon=True, name=f"push of {image}").start()
        digest: str | None = None
        try:
            while (event := await events.get()) is not None:
                if isinstance(event, Exception):
                    raise _transfer_failed(event) from None
                if "error" in event:
                    raise TransferFailed(str(event["error"]))
                digest = event.get("aux", {}).get("Digest", digest)
                if line := _line(event):
                    on_line(line)
        finally:
            stop.set()
        if digest is None:
            raise TransferFailed("Docker does not say what it pushed")
        return digest

    async def _platform(self, image: str) -> str:
        """What a local image is for, such as `linux/amd64`."""
        found = await asyncio.to_thread(self.daemon.api.inspect_image, image)
        return f"{found['Os']}/{found['Architecture']}"

    async def _call(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], object] | None = None,
    ) -> Finished:
        return await self.processes.call(
            [self.program, *arguments],
            folder=Path.cwd(),
            environment={**self.environment, **(environment or {})},
            on_stdout=on_line,
            on_stderr=on_line,
            stop_timeout_seconds=_STOP_TIMEOUT_SECONDS,
        )


async def find_docker(processes: ChildProcesses) -> Docker:
    """Docker, with a daemon that answers; raises `DockerUnavailable` if there is none."""
    program = shutil.which("docker")
    try:
        if program is None:
            raise NoDocker("the docker command is not installed")
        daemon = await asyncio.to_thread(connect, os.environ)
    except NoDocker as reason:
        raise DockerUnavailable(
            f"An image can only be built with Docker, and {reason}.",
            details=["Nothing was changed."],
            next_step="Install and start Docker (https://docs.docker.com/get-docker), or name its"
            " daemon in DOCKER_HOST, and run the command again.",
        ) from None
    return Docker(
        program=Path(program), environment=dict(os.environ), daemon=daemon, processes=processes
    )


def _transfer_failed(error: Exception) -> TransferFailed:
    """What went wrong between this machine and the daemon."""
    if isinstance(error, NoDocker):
        return TransferFailed(f"cannot connect to the Docker daemon: {error}")
    said = getattr(error, "explanation", None)  # The daemon's own words.
    cause = said or f"the Docker daemon closed the connection: {cause_of(error)}"
    return TransferFailed(str(cause))


def _line(event: Mapping[str, Any]) -> str:
    """One event of a push as the docker command shows it."""
    state = str(event.get("status", ""))
    return f"{event['id']}: {state}" if "id" in event else state
