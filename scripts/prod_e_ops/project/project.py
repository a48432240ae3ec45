"""The project's folder: where it is, its environments and their synthesised stacks."""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prod_e.names import EnvironmentNames
from prod_e_ops.errors import (
    OpsError,
    SettingsMistake,
    UnknownEnvironment,
    UnknownService,
    UserMistake,
)

if TYPE_CHECKING:
    from prod_e.settings import Environment, Service

DEFAULT_ENVIRONMENT = "prod-e"


@dataclass(frozen=True)
class Stack:
    """One synthesised stack: `folder` is where Terraform runs for it."""

    name: str
    folder: Path

    @property
    def json_file(self) -> Path:
        """What `synth` writes and Terraform reads."""
        return self.folder / "cdk.tf.json"

    @property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """The arguments of its resources, by type and name."""
        found: Mapping[str, Mapping[str, Any]] = self._synthesised().get("resource", {})
        return found

    @property
    def resource_count(self) -> int:
        """How many resources it has, one with `for_each` counting once."""
        return sum(map(len, self.resources.values()))

    @property
    def providers(self) -> Mapping[str, str]:
        """The providers that it needs, such as `hashicorp/aws`, by the names that it gives them."""
        required = self._synthesised()["terraform"].get("required_providers", {})
        sources = {name: provider["source"] for name, provider in required.items()}
        return {
            n: source if "/" in source else f"hashicorp/{source}" for n, source in sources.items()
        }

    @property
    def needs_docker(self) -> bool:
        """Whether Terraform builds images in it."""
        return "docker" in self.providers

    @property
    def is_private(self) -> bool:
        """Whether its state and its plan hold a secret: the token for ECR's registry."""
        return self.needs_docker

    @property
    def state_files(self) -> Sequence[Path]:
        """Where its state is kept on this machine, with what Terraform writes beside it."""
        backend = self._synthesised()["terraform"].get("backend", {})
        if "local" not in backend:
            return ()
        state = self.folder / backend["local"].get("path", "terraform.tfstate")
        return state, state.with_name(f"{state.name}.backup")

    def _synthesised(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.json_file.read_text("utf-8"))
        return values


@dataclass(frozen=True)
class Project:
    """A folder with `cdktf.json`, `main.py` and `environments/`.

    `output_folder`: where synthesis writes.
    """

    folder: Path
    output_folder: Path

    def environments(self) -> Mapping[str, "Environment"]:
        """Every environment by its name; raises `SettingsMistake` with one line per mistake."""
        from prod_e.settings import SettingsError, load_environments

        try:
            found = load_environments(self.folder / "environments")
        except SettingsError as error:
            raise SettingsMistake(str(error)) from None
        return {environment.name: environment for environment in found}

    def environment(self, name: str | None) -> "Environment":
        """The environment of that name; without one the only one, or the one named prod-e."""
        mistakes: Sequence[str] = ()
        try:
            found = self.environments()
        except SettingsMistake as mistake:
            # Another environment's file must not keep anybody from this one.
            found, wrong = self.right_environments()
            if (name or DEFAULT_ENVIRONMENT) not in found and (name is None or name in wrong):
                raise
            mistakes = mistake.message.splitlines()
        if name is None:
            name = next(iter(found)) if len(found) == 1 else DEFAULT_ENVIRONMENT
            if name not in found:
                raise UserMistake(
                    f"There are {len(found)} environments and none is named"
                    f" {DEFAULT_ENVIRONMENT}: name one of {', '.join(found)}."
                )
        if name not in found:
            raise UnknownEnvironment(
                f"There is no environment {name!r} in {self.folder / 'environments'}.",
                details=mistakes,
                next_step=f"{did_you_mean(name, found)}Name one of {', '.join(found)}, or add"
                f" environments/{name}.toml.",
            )
        return found[name]

    def right_environments(self) -> tuple[Mapping[str, "Environment"], Collection[str]]:
        """The environments whose own file has no mistake, and whose name no other one has.

        Also gives the names of the others, as far as they can be told: a file with a mistake is
        mostly named as its environment.
        """
        from prod_e.settings import SettingsError, load_environment

        found, wrong = [], set()
        for file in sorted((self.folder / "environments").glob("*.toml")):
            try:
                found.append(load_environment(file))
            except SettingsError:
                wrong.add(file.stem)
        counted = Counter(environment.name for environment in found)
        wrong |= {name for name, count in counted.items() if count > 1}
        return {each.name: each for each in found if counted[each.name] == 1}, wrong

    def stacks(self, environment: str) -> Sequence[Stack]:
        """The synthesised stacks of an environment, in the order in which they are deployed."""
        manifest = json.loads((self.output_folder / "manifest.json").read_text("utf-8"))
        names = EnvironmentNames(environment)
        stacks = [
            Stack(name, self.output_folder / "stacks" / name)
            for name in names.stacks
            if name in manifest["stacks"]
        ]
        if not stacks:
            raise OpsError(f"Synthesis wrote no stack for the environment {environment!r}.")
        return stacks

    def shown(self, path: Path) -> str:
        """A path as the user would type it from where they are, if that is shorter."""
        relative = os.path.relpath(path)
        return relative if len(relative) < len(str(path)) else str(path)


def service_settings(environment: "Environment", key: str) -> "Service":
    """The settings of the service `key`; raises `UnknownService` if there is none."""
    if key not in environment.services:
        raise UnknownService(
            f"There is no service {key!r} in the environment {environment.name}.",
            next_step=f"{did_you_mean(key, environment.services)}Name one of"
            f" {', '.join(environment.services)}, or add [services.{key}] to {environment.file}.",
        )
    return environment.services[key]


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A guess at what was meant, with a space after it; empty if nothing is like it."""
    close = get_close_matches(given, known, n=1)
    return f"Did you mean {close[0]}? " if close else ""


def find_project() -> Project:
    """The launcher's project, the one around the working directory, or else this program's own."""
    here = Path(os.environ.get("PROD_E_PROJECT") or Path.cwd())
    for folder in (here, *here.parents):
        if (folder / "cdktf.json").is_file():
            # Without its environments it is still the one that is meant: no other may be deployed.
            if not (folder / "environments").is_dir():
                raise UserMistake(
                    f"{folder} has no folder environments/ with a file for each environment.",
                    next_step="Add environments/prod-e.toml, or change to the project's folder.",
                )
            return Project(folder, folder / "cdktf.out")
    own = Path(__file__).resolve().parents[3]
    if (own / "cdktf.json").is_file():
        return Project(own, own / "cdktf.out")
    raise UserMistake(
        f"{here} is not in a prod-e project: no folder above it has cdktf.json.",
        next_step="Change to the project's folder and run the command again.",
    )
