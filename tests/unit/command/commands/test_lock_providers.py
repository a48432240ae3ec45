"""`prod-e providers lock`: what is locked for which ranges, and what the lock keeps."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e.dependency_lock import (
    LOCK_FILE,
    OPENTOFU_REGISTRY,
    TERRAFORM_REGISTRY,
    LockedProvider,
    read_lock,
    write_project_lock,
)
from prod_e.version_constraint import VersionConstraint, sort_key
from prod_e_ops.commands.infrastructure import lock_providers as module
from prod_e_ops.commands.infrastructure.lock_providers import LockOptions, lock_providers
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.processes import Finished
from prod_e_ops.terraform.providers.mirror import ProviderSource
from prod_e_ops.terraform.runner import Terraform
from tests.support.project.demo_run import Screen
from tests.support.terraform.lock_files import AWS, locked

DOCKER = "kreuzwerker/docker"
HERE = "linux_amd64"

Versions = Mapping[str, Sequence[str]]


@dataclass(kw_only=True)
class World:
    """A project, and a Terraform that computes checksums as Terraform does.

    `registry`, `mirror`: the versions of each provider there; `mirrored`: the platforms that the
    mirror has files for.
    """

    folder: Path
    registry: Versions = field(default_factory=dict)
    mirror: Versions = field(default_factory=dict)
    mirrored: Sequence[str] = (HERE,)
    name: str = "Terraform"
    refuses: Finished | None = None
    synthesised: list[str | None] = field(default_factory=list)
    calls: list[Sequence[str]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    screen: Screen = field(default_factory=Screen)

    def stack(self, name: str, **ranges: str) -> None:
        """Settings of an environment whose one stack asks for these ranges."""
        settings = self.folder / "environments"
        settings.mkdir(exist_ok=True)
        cidr = f"10.{len(list(settings.iterdir()))}.0.0/16"
        (settings / f"{name}.toml").write_text(
            f'name = "{name}"\nnetwork.cidr = "{cidr}"\n[services.backend]\n'
        )
        required = {key: {"source": SOURCES[key], "version": ranges[key]} for key in ranges}
        stack = self.folder / "cdktf.out" / "stacks" / name
        stack.mkdir(parents=True)
        (stack / "cdk.tf.json").write_text(
            json.dumps({"terraform": {"required_providers": required}})
        )
        manifest = self.folder / "cdktf.out" / "manifest.json"
        known = json.loads(manifest.read_text())["stacks"] if manifest.exists() else {}
        manifest.write_text(json.dumps({"stacks": {**known, name: {}}}))

    def has(self, *providers: LockedProvider) -> None:
        """What the project's lock says before."""
        write_project_lock(self.folder / LOCK_FILE, providers)

    def locked(self, name: str | None = None) -> list[LockedProvider]:
        """What the project's lock says, or that of a stack."""
        folder = self.folder / "cdktf.out" / "stacks" / name if name else self.folder
        return list(read_lock(folder / LOCK_FILE))

    @property
    def versions(self) -> list[tuple[str, str]]:
        return [(each.source, each.version) for each in self.locked()]

    def run(self, **options: Any) -> Screen:
        """Runs the command; gives what it shows."""
        self.screen = Screen()
        context: Any = SimpleNamespace(
            project=Project(self.folder, self.folder / "cdktf.out"),
            terminal=self.screen,
            processes=self,
        )
        asyncio.run(lock_providers(context, options=LockOptions(**options)))
        return self.screen

    @property
    def host(self) -> str:
        return OPENTOFU_REGISTRY if self.name == "OpenTofu" else TERRAFORM_REGISTRY

    @asynccontextmanager
    async def find(self, processes: object, *, cache_folder: Path) -> AsyncIterator[Terraform]:
        assert processes is self
        # Beside what other commands keep for this project.
        assert cache_folder == self.folder / ".cache" / "terraform-providers"
        mirror = self.folder / "mirror" if self.mirror else None
        for source in self.mirror:
            (self.folder / "mirror" / self.host / source).mkdir(parents=True, exist_ok=True)
        any_processes: Any = self
        yield Terraform(
            name=self.name,
            program=Path("terraform"),
            version="1.10.0",
            providers=ProviderSource(mirror, "from somewhere"),
            environment={"TF_IN_AUTOMATION": "1"},
            processes=any_processes,
            scratch=self.folder,
        )

    async def synthesise(self, _: object, environment: str | None) -> None:
        self.synthesised.append(environment)

    async def call(
        self,
        command: Sequence[object],
        *,
        folder: Path,
        environment: Mapping[str, str],
        stop_timeout_seconds: float,
    ) -> Finished:
        assert environment == {"TF_IN_AUTOMATION": "1"}
        assert stop_timeout_seconds < 10
        program, *words = map(str, command)
        assert [program, *words[:3]] == ["terraform", "providers", "lock", "-no-color"]
        self.calls.append(words[3:])
        self.folders.append(folder)
        if self.refuses:
            return self.refuses
        options = [word.partition("=")[::2] for word in words[3:]]
        platforms = [value for name, value in options if name == "-platform"] or [HERE]
        mirrored = [value for name, value in options if name == "-fs-mirror"]
        assert mirrored in ([], [str(self.folder / "mirror")])
        required = json.loads((folder / "main.tf.json").read_text())["terraform"]
        ((key, asked),) = required["required_providers"].items()
        assert SOURCES[key] == asked["source"]
        available = (self.mirror if mirrored else self.registry).get(asked["source"], ())
        version = self._version(asked, available, read_lock(folder / LOCK_FILE))
        if version is None or (mirrored and not set(platforms) <= set(self.mirrored)):
            return Finished(1, "", "Error: Could not retrieve providers\n\nNone is available.\n")
        hashes = {f"h1:{asked['source']} {version} {each}" for each in platforms}
        hashes |= set() if mirrored else {f"zh:{version}"}
        provider = LockedProvider(
            address=f"{self.host}/{asked['source']}",
            version=version,
            constraints=asked["version"],
            hashes=frozenset(hashes),
        )
        write_project_lock(folder / LOCK_FILE, [provider])
        return Finished(0, "", "")

    def _version(
        self, asked: Mapping[str, str], available: Sequence[str], held: Sequence[LockedProvider]
    ) -> str | None:
        for provider in held:
            assert provider.address == f"{self.host}/{asked['source']}"
            # Terraform would say that what it finds is not what was locked.
            assert not provider.hashes
            return provider.version if provider.version in available else None
        in_range = [each for each in available if VersionConstraint(asked["version"]).allows(each)]
        return max(in_range, key=sort_key, default=None)


SOURCES = {"aws": AWS, "docker": DOCKER}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A project whose registry has two versions of one provider and one of another."""
    world = World(
        folder=tmp_path, registry={AWS: ["5.99.0", "5.100.0", "6.0.0"], DOCKER: ["3.6.2"]}
    )
    monkeypatch.setattr(module, "find_terraform", world.find)
    monkeypatch.setattr(module, "synthesise", world.synthesise)
    return world


def test_the_newest_version_in_each_range_is_locked_and_handed_to_the_stacks(
    world: World,
) -> None:
    world.stack("tiny-e", aws="~> 5.0", docker="~> 3.6.2")
    screen = world.run()
    assert world.synthesised == [None]
    assert world.locked() == [
        locked(AWS, "5.100.0", f"h1:{AWS} 5.100.0 {HERE}", "zh:5.100.0", constraints="~> 5.0"),
        locked(DOCKER, "3.6.2", f"h1:{DOCKER} 3.6.2 {HERE}", "zh:3.6.2", constraints="~> 3.6.2"),
    ]
    assert world.locked("tiny-e") == world.locked()
    assert world.calls == [[], []]
    assert screen.lines == [f"Lock {AWS} ~> 5.0", f"Lock {DOCKER} ~> 3.6.2"]
    (told,) = screen.results
    assert told.startswith(f"{LOCK_FILE} holds {AWS} 5.100.0 ")
    assert told.endswith(": commit it.")


def test_the_step_of_a_provider_comes_to_its_version(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.stack("tiny-e", aws="~> 5.0")
    shown: list[Any] = []
    step = Screen.step

    def remembered(screen: Screen, title: str) -> Any:
        shown.append(step(screen, title))
        return shown[-1]

    monkeypatch.setattr(Screen, "step", remembered)
    world.run()
    assert [each.outcome for each in shown] == ["5.100.0"]


def test_the_result_of_all_stacks_is_told_to_scripts_in_one_object(world: World) -> None:
    world.stack("tiny-e", docker="~> 3.6.2", aws="~> 6.0")
    world.stack("wide-e", aws="~> 5.0")
    (told,) = world.run(as_json=True).results
    assert json.loads(told) == {
        "file": str(world.folder / LOCK_FILE),
        "versions": {AWS: ["5.100.0", "6.0.0"], DOCKER: ["3.6.2"]},
    }


def test_two_ranges_may_come_to_one_version(world: World) -> None:
    world.stack("tiny-e", aws="~> 5.0")
    world.stack("wide-e", aws="~> 5.100")
    world.run()
    assert world.versions == [(AWS, "5.100.0")]


def test_checksums_are_of_every_platform_that_is_named(world: World) -> None:
    world.stack("tiny-e", aws="~> 5.0")
    world.run(platforms=("linux_arm64", "darwin_arm64"))
    assert world.calls == [["-platform=linux_arm64", "-platform=darwin_arm64"]]
    assert {f"h1:{AWS} 5.100.0 linux_arm64", f"h1:{AWS} 5.100.0 darwin_arm64"} < set(
        world.locked()[0].hashes
    )


@pytest.mark.parametrize("platforms", [("linux", "Linux_amd64"), ("linux_amd64", "a_b_c")])
def test_what_is_no_platform_is_refused_before_anything_is_done(
    world: World, platforms: tuple[str, ...]
) -> None:
    wrong = [each for each in platforms if each != "linux_amd64"]
    with pytest.raises(UserMistake, match=", ".join(map(repr, wrong))) as raised:
        world.run(platforms=platforms)
    assert "linux_amd64, linux_arm64" in (raised.value.next_step or "")
    assert world.synthesised == []


def test_what_is_locked_stays_unless_an_upgrade_is_asked_for(world: World) -> None:
    world.stack("tiny-e", aws="~> 5.0")
    world.has(locked(AWS, "5.99.0", "h1:of another platform"))
    world.run()
    (kept,) = world.locked()
    assert kept.version == "5.99.0"
    assert kept.hashes == {"h1:of another platform", f"h1:{AWS} 5.99.0 {HERE}", "zh:5.99.0"}
    world.run(upgrade=True)
    assert world.versions == [(AWS, "5.100.0")]


def test_what_is_locked_does_not_stay_where_the_range_is_another(world: World) -> None:
    world.stack("tiny-e", aws="~> 6.0")
    world.has(locked(AWS, "5.99.0"))
    world.run()
    assert world.versions == [(AWS, "6.0.0")]


def test_of_one_environment_the_lock_keeps_what_others_use(world: World) -> None:
    world.stack("tiny-e", aws="~> 5.0")
    world.stack("wide-e", aws="~> 6.0", docker="~> 3.6.2")
    others = locked(AWS, "5.99.0", registry=OPENTOFU_REGISTRY)
    world.has(locked(AWS, "6.0.0"), others)
    world.run(environment="tiny-e")
    assert world.synthesised == ["tiny-e"]
    assert world.versions == [(AWS, "5.99.0"), (AWS, "5.100.0"), (AWS, "6.0.0")]
    assert others in world.locked()
    assert not world.locked("wide-e")
    # Of all environments, what nobody asks for any more goes.
    world.registry = {**world.registry, AWS: ["6.0.0", "5.101.0"]}
    world.run(upgrade=True)
    assert world.versions[1:] == [(AWS, "5.101.0"), (AWS, "6.0.0"), (DOCKER, "3.6.2")]


def test_an_environment_that_there_is_not_is_told(world: World) -> None:
    world.stack("tiny-e", aws="~> 5.0")
    with pytest.raises(UserMistake, match="There is no environment 'tyni-e'"):
        world.run(environment="tyni-e")
    assert world.synthesised == []


@pytest.mark.parametrize("name", ["Terraform", "OpenTofu"])
def test_the_lock_is_of_the_registry_of_the_program_that_there_is(world: World, name: str) -> None:
    world.name = name
    world.stack("tiny-e", aws="~> 5.0")
    other = OPENTOFU_REGISTRY if name == "Terraform" else TERRAFORM_REGISTRY
    world.has(locked(AWS, "5.99.0", registry=other))
    world.run()
    assert {(each.address, each.version) for each in world.locked()} == {
        (f"{other}/{AWS}", "5.99.0"),
        (f"{world.host}/{AWS}", "5.100.0"),
    }
    assert [each.address for each in world.locked("tiny-e")] == [f"{world.host}/{AWS}"]


def test_a_mirror_is_asked_first_and_its_checksums_are_of_one_platform(world: World) -> None:
    world.stack("tiny-e", aws="~> 5.0", docker="~> 3.6.2")
    world.mirror = {AWS: ["5.99.0"]}
    screen = world.run()
    # What it has nothing of is not looked for in it.
    assert world.calls == [[f"-fs-mirror={world.folder / 'mirror'}"], []]
    assert world.versions == [(AWS, "5.99.0"), (DOCKER, "3.6.2")]
    told = [line for line in screen.lines if "come from a mirror" in line]
    assert len(told) == 1
    assert f"The checksums of {AWS} come" in told[0]
    assert any(line.startswith(f"Warning: {AWS} 5.99.0 is not") for line in screen.lines)


def test_the_registry_has_what_a_mirror_lacks(world: World) -> None:
    world.stack("tiny-e", aws="~> 5.0")
    world.mirror = {AWS: ["5.100.0"]}
    screen = world.run(platforms=("darwin_arm64",))
    assert [call[-1:] for call in world.calls] == [["-platform=darwin_arm64"]] * 2
    assert world.locked()[0].is_signed
    assert not [line for line in screen.lines if "mirror" in line]


def test_a_provider_that_cannot_be_had_stays_as_it_was_and_the_others_are_locked(
    world: World,
) -> None:
    world.stack("tiny-e", aws="~> 4.0", docker="~> 3.6.2")
    before = locked(AWS, "4.67.0", "h1:before")
    world.has(before)
    world.mirror = {AWS: ["5.99.0"]}
    with pytest.raises(OpsError, match="is not complete") as raised:
        world.run()
    assert raised.value.details == (
        f"{AWS} ~> 4.0 cannot be locked.",
        f"  the mirror {world.folder / 'mirror'}: Could not retrieve providers: None is available.",
        "  the registry: Could not retrieve providers: None is available.",
    )
    assert "TF_PLUGIN_MIRROR_DIR" in (raised.value.next_step or "")
    assert before in world.locked()
    assert world.versions == [(AWS, "4.67.0"), (DOCKER, "3.6.2")]
    assert len(world.screen.results) == 1


def test_where_nothing_can_be_had_the_lock_stays_as_it_was(world: World) -> None:
    world.stack("tiny-e", aws="~> 4.0")
    with pytest.raises(OpsError, match="is not complete"):
        world.run()
    assert world.locked() == []
    assert world.screen.results == []


@pytest.mark.parametrize(
    ("finished", "reason"),
    [
        (Finished(1, "Error: no\n\nwhy\n", "Error: yes\n\nso\n"), "yes: so"),
        (Finished(1, "Error: no\n\nwhy\n", "a warning\n"), "no: why"),
        (Finished(1, "", "killed\n"), "no reason given"),
    ],
)
def test_terraforms_own_reason_is_told(world: World, finished: Finished, reason: str) -> None:
    world.stack("tiny-e", aws="~> 5.0")
    world.refuses = finished
    with pytest.raises(OpsError, match="is not complete") as raised:
        world.run()
    assert raised.value.details[1:] == (f"  the registry: {reason}",)


def test_nothing_of_it_is_left_in_the_folder_for_temporary_files(world: World) -> None:
    world.stack("tiny-e", aws="~> 5.0")
    world.run()
    (folder,) = world.folders
    assert re.fullmatch(r"prod-e-lock-\w{8}", folder.name)
    assert not folder.exists()
