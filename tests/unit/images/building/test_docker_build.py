"""What the docker command is told of a build, and what is made of how it ends."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.errors import BuildFailed
from prod_e_ops.images.docker import docker as module
from prod_e_ops.images.docker.docker import Docker
from prod_e_ops.terminal.processes import Finished

PLATFORM = "linux/amd64"


@dataclass
class Machine:
    """A docker command and its daemon.

    `builds`: how builds end, one after the other: the platform of the image; None: it fails.
    `says`: what a build writes: BuildKit beside its output, the builder before it as its output.
    """

    builds: list[str | None]
    has_buildx: bool = True
    says: Sequence[str] = ()
    told: list[tuple[list[str], Mapping[str, str]]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    built: str | None = None

    async def call(
        self,
        command: Sequence[object],
        *,
        folder: Path,
        environment: Mapping[str, str],
        on_stdout: Callable[[str], object] | None,
        on_stderr: Callable[[str], object] | None,
        stop_timeout_seconds: float,
    ) -> Finished:
        # What is to be built is named from there.
        assert folder == Path.cwd()
        # Docker does not keep whoever presses Ctrl-C.
        assert stop_timeout_seconds < 10
        words = [str(word) for word in command]
        if words[1:] == ["buildx", "version"]:
            assert environment == {"A": "b"}
            return Finished(0 if self.has_buildx else 1, "", "")
        self.told.append((words, environment))
        for line in self.says:
            tell = on_stderr if self.has_buildx else on_stdout
            assert tell is not None
            tell(line)
        self.built = self.builds.pop(0)
        return Finished(0 if self.built else 1, "", "")

    def inspect_image(self, image: str) -> Mapping[str, str]:
        assert image == "web:1"
        system, _, architecture = str(self.built).partition("/")
        return {"Os": system, "Architecture": architecture}

    def build(self, *, network: str | None = None, rebuild: bool = False) -> Sequence[str]:
        any_machine: Any = self
        daemon: Any = SimpleNamespace(api=self)
        docker = Docker(
            program=Path("docker"), environment={"A": "b"}, daemon=daemon, processes=any_machine
        )
        return asyncio.run(
            docker.build(
                Path("backend"),
                image="web:1",
                platform=PLATFORM,
                build_args={"NODE": "24"},
                network=network,
                rebuild=rebuild,
                on_step=self.steps.append,
            )
        )


@pytest.fixture(autouse=True)
def no_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    async def network() -> str:
        return "host"

    monkeypatch.setattr(module, "default_build_network", network)


def test_a_build_is_of_one_architecture_and_stays_with_the_daemon() -> None:
    machine = Machine([PLATFORM], says=["#5 [build 1/2] RUN npm ci", "#5 1.0 added"])
    machine.build(network="none")
    ((words, environment),) = machine.told
    assert words == [
        "docker",
        "build",
        "--platform=linux/amd64",
        "--tag=web:1",
        "--build-arg=NODE=24",
        "--load",
        "--network=none",
        "backend",
    ]
    assert environment == {
        "A": "b",
        "BUILDKIT_PROGRESS": "plain",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }
    assert machine.steps == ["[build 1/2] RUN npm ci"]


@pytest.mark.parametrize("has_buildx", [True, False])
def test_what_a_build_warns_of_is_given_back(has_buildx: bool) -> None:
    begins = "#5 0.1 " if has_buildx else ""
    machine = Machine([PLATFORM], has_buildx, says=[f"{begins}1", f"{begins}WARNING: it is old."])
    assert machine.build() == ("it is old.",)


def test_without_buildx_the_classic_builder_is_asked_for_by_name() -> None:
    machine = Machine([PLATFORM], has_buildx=False)
    machine.build()
    ((words, environment),) = machine.told
    assert "--load" not in words
    assert environment["DOCKER_BUILDKIT"] == "0"
    # A daemon without a bridge network cannot give its steps one.
    assert "--network=host" in words


def test_a_rebuild_takes_nothing_from_the_cache_and_the_newest_base() -> None:
    machine = Machine([PLATFORM])
    machine.build(rebuild=True)
    assert {"--no-cache", "--pull"} <= set(machine.told[0][0])


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ("linux/arm64", []),
        (None, ["image does not match the specified platform: wanted linux/amd64"]),
        (None, ['unable to find image "sha256:0123"']),
    ],
)
def test_a_classic_builder_that_its_cache_misled_builds_once_more_without_it(
    first: str | None, says: Sequence[str]
) -> None:
    machine = Machine([first, PLATFORM], has_buildx=False, says=says)
    machine.build()
    assert len(machine.told) == 2
    again = set(machine.told[1][0])
    assert "--no-cache" in again
    assert "--pull" not in again


@pytest.mark.parametrize(
    ("machine", "rebuild", "told", "hint"),
    [
        (Machine([None], says=["no such package"]), False, "status is 1", "Fix this"),
        (Machine(["linux/arm64"]), False, "for linux/arm64 instead of linux/amd64", "QEMU"),
        (Machine([None], says=["exec format error"]), False, "status is 1", "QEMU"),
        (
            Machine(["linux/arm64"] * 2, has_buildx=False),
            False,
            "for linux/arm64 instead of linux/amd64",
            "QEMU",
        ),
        (
            Machine(["linux/arm64"], has_buildx=False),
            True,
            "for linux/arm64 instead of linux/amd64",
            "QEMU",
        ),
        (Machine([None], has_buildx=False, says=["no"]), False, "status is 1", "Fix this"),
    ],
)
def test_a_build_that_fails_says_why_and_what_to_do(
    machine: Machine, rebuild: bool, told: str, hint: str
) -> None:
    with pytest.raises(BuildFailed, match=told) as error:
        machine.build(rebuild=rebuild)
    assert error.value.details[-1] == "Nothing was pushed."
    assert hint in (error.value.next_step or "")
    is_told = [line for line in machine.says if line in error.value.details]
    assert is_told == list(machine.says)
    assert machine.builds == []


def test_what_the_command_says_of_itself_is_no_part_of_the_build() -> None:
    says = ["DEPRECATED: The legacy builder is deprecated", "", *map(str, range(30))]
    machine = Machine([None], says=says)
    with pytest.raises(BuildFailed) as error:
        machine.build()
    assert error.value.details[:-1] == tuple(map(str, range(15, 30)))
