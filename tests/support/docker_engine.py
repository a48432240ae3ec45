"""A real Docker daemon, driven through Docker's own command-line tool."""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest

BUILD_SECONDS = 180
COMMAND_SECONDS = 60


class DockerUnavailableError(Exception):
    """There is no daemon, or no base image; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class LayerFile:
    """One entry of a layer. `path`: without a leading slash. `content`: empty if not a file."""

    path: str
    content: bytes
    is_folder: bool


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a container came to its end."""

    exit_status: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container that was started."""

    engine: "DockerEngine"
    name: str

    def state(self) -> dict[str, Any]:
        """What `docker inspect` calls State."""
        return self.engine.inspect("container", self.name)["State"]  # type: ignore[no-any-return]

    def logs(self) -> str:
        """What it wrote so far, both streams."""
        return self.engine.run("logs", self.name, merge_errors=True)

    def health_within(self, seconds: float, *, wanted: str) -> str:
        """Its health status: `wanted` as soon as it is that, else the last one.

        Ends early if the container does.
        """
        deadline = time.monotonic() + seconds
        while True:
            state = self.state()
            status: str = state["Health"]["Status"]
            if status == wanted or not state["Running"] or time.monotonic() > deadline:
                return status
            time.sleep(0.2)

    def stop(self, *, stop_timeout_seconds: int) -> Ended:
        """Sends SIGTERM, and SIGKILL after the timeout, as ECS does."""
        begin = time.monotonic()
        self.engine.run("stop", "--time", str(stop_timeout_seconds), self.name)
        seconds = time.monotonic() - begin
        return Ended(exit_status=self.state()["ExitCode"], seconds=seconds)


@dataclass(frozen=True, kw_only=True)
class DockerEngine:
    """The daemon that the docker tool of this machine reaches. See `connect`."""

    environment: Mapping[str, str]

    @classmethod
    def connect(cls) -> "DockerEngine":
        """Raises `DockerUnavailableError` if there is no docker tool or no daemon answers."""
        if shutil.which("docker") is None:
            raise DockerUnavailableError(
                "The docker tool is not installed; `.ci/start-docker` installs and starts Docker."
            )
        engine = cls(environment=dict(os.environ))
        try:
            engine.run("info")
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            raise DockerUnavailableError(
                "No Docker daemon answers; `.ci/start-docker` starts one."
            ) from None
        try:
            engine.run("buildx", "version")
        except subprocess.CalledProcessError:
            # Without the plugin, newer tools refuse to build except in the classic way.
            return cls(environment={**os.environ, "DOCKER_BUILDKIT": "0"})
        return engine

    def run(
        self, *arguments: str, seconds: float = COMMAND_SECONDS, merge_errors: bool = False
    ) -> str:
        """Runs the docker tool and gives its standard output.

        Raises `CalledProcessError` with both streams if it fails, `TimeoutExpired` after `seconds`.
        """
        done = subprocess.run(
            ["docker", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge_errors else subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            error = subprocess.CalledProcessError(
                done.returncode, done.args, done.stdout, done.stderr
            )
            error.add_note(f"{done.stdout}{done.stderr or ''}"[-4000:])
            raise error
        return done.stdout

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """`kind`: container or image."""
        return json.loads(self.run(kind, "inspect", name))[0]  # type: ignore[no-any-return]

    def need_image(self, name: str) -> None:
        """Pulls an image if it is not there; raises `DockerUnavailableError` if that fails."""
        try:
            self.inspect("image", name)
        except subprocess.CalledProcessError:
            try:
                self.run("pull", "--quiet", name, seconds=BUILD_SECONDS)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                raise DockerUnavailableError(
                    f"{name} is not here and cannot be pulled; `.ci/start-docker` makes one."
                ) from None

    @contextmanager
    def built(
        self,
        folder: Path,
        *,
        target: str | None = None,
        build_args: Mapping[str, str] | None = None,
    ) -> Iterator[str]:
        """Builds `folder`, up to the stage `target`; removes the image in the end."""
        name = f"prod-e-test:{uuid4().hex}"
        self._build(folder, name, target, build_args)
        try:
            yield name
        finally:
            self.run("image", "rm", "--force", name)

    def build_output(
        self, folder: Path, *, target: str, build_args: Mapping[str, str] | None = None
    ) -> str:
        """What a build of `folder` says, up to the stage `target`; removes the image again."""
        name = f"prod-e-test:{uuid4().hex}"
        try:
            return self._build(folder, name, target, build_args)
        finally:
            self.run("image", "rm", "--force", name)

    def _build(
        self,
        folder: Path,
        name: str,
        target: str | None,
        build_args: Mapping[str, str] | None,
    ) -> str:
        stage = ["--target", target] if target else []
        values = [f"--build-arg={key}={value}" for key, value in (build_args or {}).items()]
        options = ("--network", "host", "--tag", name, *stage, *values)
        build = ("build", *options, str(folder))
        try:
            return self.run(*build, seconds=BUILD_SECONDS, merge_errors=True)
        except subprocess.CalledProcessError as error:
            # Another test has removed an image that the builder was just looking at.
            if "unable to find image" not in f"{error.stdout}{error.stderr}":
                raise
        return self.run(*build, seconds=BUILD_SECONDS, merge_errors=True)

    @contextmanager
    def started(self, image: str, *options: str) -> Iterator[Container]:
        """Starts `image` with options of `docker run`; removes the container in the end."""
        name = f"prod-e-test-{uuid4().hex}"
        try:
            self.run("run", "--detach", "--name", name, "--network", "host", *options, image)
            yield Container(engine=self, name=name)
        finally:
            self.run("rm", "--force", "--volumes", name)

    def output_of(self, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
        """What `command` prints when it takes the place of the image's own."""
        first, *rest = command
        return self.run(
            "run", "--rm", "--network", "host", *options, "--entrypoint", first, image, *rest
        ).strip()

    def copy_out(self, image: str, path: str, to: Path) -> None:
        """Copies the file `path` of `image` to `to`."""
        container = self.run("create", image).strip()
        try:
            self.run("cp", f"{container}:{path}", str(to))
        finally:
            self.run("rm", "--volumes", container)

    def remove_images(self, name: str) -> None:
        """Removes the tagged images whose name is like this pattern."""
        tagged = "{{.Repository}}:{{.Tag}}"
        found = self.run("image", "ls", f"--format={tagged}", name).split()
        if named := [image for image in found if not image.endswith(":<none>")]:
            self.run("image", "rm", *named)

    def layer_files(self, image: str, *, above: str | None = None) -> list[LayerFile]:
        """Everything in the layers of `image`, without those that it shares with `above`."""
        shared = len(self.inspect("image", above)["RootFS"]["Layers"]) if above else 0
        with tempfile.TemporaryFile() as saved:
            subprocess.run(
                ["docker", "save", image],
                env=self.environment,
                stdout=saved,
                timeout=COMMAND_SECONDS,
                check=True,
            )
            saved.seek(0)
            with tarfile.open(fileobj=saved) as archive:
                manifest = json.load(_member(archive, "manifest.json"))
                layers = manifest[0]["Layers"][shared:]
                return [file for layer in layers for file in _layer(_member(archive, layer))]


def docker_or_skip(*images: str) -> DockerEngine:
    """The daemon with these images; skips the test without, or fails it where it is asked for."""
    try:
        engine = DockerEngine.connect()
        for image in images:
            engine.need_image(image)
    except DockerUnavailableError as missing:
        skip_or_fail(str(missing))
    return engine


def skip_or_fail(missing: str) -> NoReturn:
    """Ends a test for which something is missing, of which the message tells."""
    if os.environ.get("PROD_E_REQUIRE_DOCKER") == "1":
        pytest.fail(f"{missing} PROD_E_REQUIRE_DOCKER=1 asks for these tests.")
    pytest.skip(missing)


def _member(archive: tarfile.TarFile, name: str) -> Any:
    # A layer that an earlier one equals is kept as a link to it.
    member = archive.extractfile(name)
    assert member is not None, name
    return member


def _layer(layer: Any) -> Iterator[LayerFile]:
    with layer, tarfile.open(fileobj=layer) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            yield LayerFile(
                path=member.name.removeprefix("./").strip("/"),
                content=content.read() if content else b"",
                is_folder=member.isdir(),
            )
