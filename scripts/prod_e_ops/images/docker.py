"""Docker on this machine: whether it is there, and what `prod-e push` has it do."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.terminal.processes import ChildProcesses, Finished, without_colour

_PATIENCE_SECONDS = 5.0
"""What docker may take to end after Ctrl-C; the daemon then drops what it was doing for it."""

_LINES_SHOWN = 15

_WRONG_PLATFORM = "does not match the specified platform"
_OTHER_PLATFORM = (
    "Building for another kind of machine takes buildx, a base image for it, and QEMU if the build"
    " runs programs (https://docs.docker.com/build/building/multi-platform)."
)

# What the command line says about itself when it has no buildx.
_ABOUT_ITSELF = re.compile(
    r"^DEPRECATED: The legacy builder|^\s*(BuildKit is currently disabled|environment-variable\.$"
    r"|Install the buildx component)"
)


async def default_build_network(processes: ChildProcesses) -> str | None:
    """The network for a build's steps where the settings name none; None: the daemon's own.

    A daemon without a bridge network cannot give one to the steps of a build.
    """
    program = shutil.which("docker")
    if program is None:
        return None
    answer = await processes.call(
        [program, "network", "inspect", "bridge"],
        folder=Path.cwd(),
        environment=os.environ,
        patience=1,
    )
    return None if answer.status == 0 else "host"


async def why_no_docker(processes: ChildProcesses) -> str | None:
    """Says what keeps a Docker daemon from answering; None if one does."""
    program = shutil.which("docker")
    if program is None:
        return "the docker command is not installed"
    answer = await processes.call(
        [program, "info", "--format", "{{.ServerVersion}}"],
        folder=Path.cwd(),
        environment=os.environ,
        patience=1,
    )
    if answer.status == 0 and answer.stdout.strip():
        return None
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    return f"no Docker daemon answers ({lines[-1].strip() if lines else 'it gave no reason'})"


class TransferFailed(Exception):
    """A login or a push that did not succeed; the message is what Docker said last.

    `reason`: `credentials` if the registry wants (other) ones, `refused` if trying again changes
    nothing, `connection` for all that may pass.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.reason = why_transfer_failed(said)


def why_transfer_failed(said: str) -> Literal["credentials", "refused", "connection"]:
    """What a message of Docker about a registry means, see `TransferFailed`.

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
    """The docker command, with the daemon and the configuration that `environment` leads it to."""

    program: Path
    environment: Mapping[str, str] = field(repr=False)
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
        on_line: Callable[[str], object],
        no_cache: bool = False,
    ) -> None:
        """Builds the folder's Dockerfile as one image of one architecture.

        `image`: what it is called then. `network`: that of the steps; None: the daemon's own, or
        the host's where it has none. `rebuild`: every step runs anew, on the newest base image.
        `on_line`: told each line of the output. `no_cache`: every step runs anew.

        Raises `OpsError` with the last lines if the build fails.
        """
        has_buildx = (await self._call("buildx", "version")).status == 0
        network = network or await default_build_network(self.processes)
        said: list[str] = []

        def read(line: str) -> None:
            text = without_colour(line).rstrip()
            if text and not _ABOUT_ITSELF.search(text):
                said.append(text)
                on_line(text.strip())

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
            return
        mixed_up = found is not None or any(_WRONG_PLATFORM in line for line in said)
        if mixed_up and not has_buildx and not rebuild and not no_cache:
            # The classic builder takes steps from its cache that it ran for another platform.
            await self.build(
                folder,
                image=image,
                platform=platform,
                build_args=build_args,
                network=network,
                rebuild=False,
                on_line=on_line,
                no_cache=True,
            )
            return
        cannot = mixed_up or any("exec format error" in line for line in said)
        raise OpsError(
            f"The build of {folder} failed (docker's exit status is {finished.status})."
            if found is None
            else f"Docker built {folder} for {found} instead of {platform}.",
            details=said[-_LINES_SHOWN:] if found is None else (),
            next_step=(
                f"{_OTHER_PLATFORM} Nothing was pushed."
                if cannot
                else "Correct what it says and run the command again; nothing was pushed."
            ),
        )

    @asynccontextmanager
    async def with_own_configuration(self) -> AsyncIterator["Docker"]:
        """The same daemon, with a configuration that nobody else reads and that ends with this.

        What `login` brings is in it and nowhere else: not in the user's configuration, and not in
        the keychain that this may name.
        """
        daemon = await self._daemon()
        with tempfile.TemporaryDirectory(prefix="prod-e-docker-") as folder:
            # A configuration without any entry would make docker look for a keychain to use.
            (Path(folder) / "config.json").write_text('{"auths": {"none.invalid": {}}}', "utf-8")
            others = ("DOCKER_CONTEXT", "DOCKER_AUTH_CONFIG")
            kept = {name: v for name, v in self.environment.items() if name not in others}
            yield replace(self, environment={**kept, **daemon, "DOCKER_CONFIG": folder})

    async def login(self, host: str, *, user: str, password: str) -> None:
        """Logs in to a registry; raises `TransferFailed`."""
        finished = await self._call(
            "login", "--username", user, "--password-stdin", host, stdin=password
        )
        if finished.status:
            raise TransferFailed(_last_line(finished))

    async def push(self, image: str, *, on_line: Callable[[str], object]) -> str:
        """Uploads what the registry does not have of an image, and gives its digest.

        Raises `TransferFailed`; then the registry has none of the image's tags moved.
        """
        finished = await self._call("push", image, on_line=on_line)
        digest = re.search(r"digest: (sha256:[0-9a-f]{64})", finished.stdout)
        if finished.status or digest is None:
            raise TransferFailed(_last_line(finished))
        return digest[1]

    async def _platform(self, image: str) -> str:
        """What a local image is for, such as `linux/amd64`."""
        finished = await self._call("image", "inspect", "--format={{.Os}}/{{.Architecture}}", image)
        return finished.stdout.strip()

    async def _daemon(self) -> dict[str, str]:
        """The variables that lead to the daemon which the user's context and variables choose."""
        finished = await self._call("context", "inspect")
        try:
            context: dict[str, Any] = json.loads(finished.stdout)[0]
            endpoint = context["Endpoints"]["docker"]
            variables = {"DOCKER_HOST": endpoint["Host"]}
        except (ValueError, LookupError):
            raise OpsError(
                "Docker does not say which daemon it uses.", details=[_last_line(finished)]
            ) from None
        if "docker" in context.get("TLSMaterial", {}):
            variables["DOCKER_CERT_PATH"] = str(Path(context["Storage"]["TLSPath"]) / "docker")
            variables["DOCKER_TLS_VERIFY"] = "" if endpoint.get("SkipTLSVerify") else "1"
            variables["DOCKER_TLS"] = "1"
        return variables

    async def _call(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        stdin: str | None = None,
        on_line: Callable[[str], object] | None = None,
    ) -> Finished:
        return await self.processes.call(
            [self.program, *arguments],
            folder=Path.cwd(),
            environment={**self.environment, **(environment or {})},
            stdin=stdin,
            on_stdout=on_line,
            on_stderr=on_line,
            patience=_PATIENCE_SECONDS,
        )


async def find_docker(processes: ChildProcesses) -> Docker:
    """Docker, with a daemon that answers; raises `UserMistake` if there is none."""
    reason = await why_no_docker(processes)
    program = shutil.which("docker")
    if reason is not None or program is None:
        raise UserMistake(
            f"An image can only be built with Docker, and {reason}.",
            next_step="Install and start Docker (https://docs.docker.com/get-docker), or name its"
            " daemon in DOCKER_HOST, and run the command again; nothing was changed.",
        )
    return Docker(program=Path(program), environment=dict(os.environ), processes=processes)


def _last_line(finished: Finished) -> str:
    lines: Sequence[str] = [
        line.strip()
        for line in f"{finished.stdout}\n{finished.stderr}".splitlines()
        if line.strip()
    ]
    said = lines[-1] if lines else f"docker gave no reason; its exit status is {finished.status}"
    return said.removeprefix("Error response from daemon: ")
