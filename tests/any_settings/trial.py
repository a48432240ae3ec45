"""Tries settings: what is refused is told in plain lines, what is taken Terraform takes too."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

from prod_e.app.synthesis import synthesise
from prod_e.settings import SettingsError, load_environment
from prod_e_ops.terraform.runner import Terraform
from tests.any_settings.drawn import NearlyRight
from tests.support.terraform.terraform_program import TerraformFolder

_DOCKER = "kreuzwerker/docker"


@dataclass
class Trial:
    """A run over many settings, in a folder of its own.

    `refused`: how many were. `taken`: the text of those that were synthesised, by the module that
    each is of Terraform's.
    """

    folder: Path
    refused: int = 0
    taken: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Makes the source folder that services name."""
        (self.folder / "backend").mkdir(parents=True)
        (self.folder / "backend" / "Dockerfile").write_text("FROM scratch\n")
        (self.folder / "environments").mkdir()

    def attempt(self, drawn: NearlyRight) -> None:
        """Loads and synthesises what is drawn, without the mistakes that the messages tell of.

        Raises `AssertionError` if a refusal is not as it is to be.
        """
        while (error := self._refusal(drawn)) is not None:
            self._check(error)
            assert drawn.changes, f"right settings are refused: {error}"
            drawn = drawn.without_what_is_wrong(error.messages)
        self.taken[self._next_module] = self._file.read_text("utf-8")

    def _refusal(self, drawn: NearlyRight) -> SettingsError | None:
        self._file.write_text(tomlkit.dumps(drawn.settings), "utf-8")
        try:
            synthesise(
                [load_environment(self._file)],
                project_folder=self.folder,
                output_folder=self.folder / "out" / self._next_module,
            )
        except SettingsError as error:
            return error
        return None

    @property
    def _next_module(self) -> str:
        return f"case{len(self.taken)}"

    @property
    def _file(self) -> Path:
        return self.folder / "environments" / "given.toml"

    def _check(self, error: SettingsError) -> None:
        self.refused += 1
        assert error.messages
        for message in error.messages:
            assert message.startswith("environments/given.toml: "), message
            assert message.isprintable(), "one line, without control characters"
            assert len(message) < 1_000, message

    def refused_by_terraform(self) -> Mapping[str, Sequence[str]]:
        """What Terraform and the providers have against the settings that were taken, by text.

        All stacks are modules of one configuration, so that the provider starts once.
        """
        terraform = TerraformFolder(self.folder)
        return terraform.run(self._validated)

    async def _validated(self, terraform: Terraform) -> Mapping[str, Sequence[str]]:
        folder = self.folder / "stack"
        self._write_modules(folder, has_docker=_has_docker(terraform))
        for arguments in (["init", "-backend=false"], ["validate", "-json"]):
            finished = await terraform.processes.call(
                [terraform.program, *arguments], folder=folder, environment=terraform.environment
            )
            if arguments[0] == "init" and finished.status:
                return {"init": [finished.stderr[-3_000:]]}
        found: dict[str, list[str]] = {}
        for each in json.loads(finished.stdout)["diagnostics"]:
            if each["severity"] == "error":
                where = each.get("range", {}).get("filename", "")
                told = f"{each['summary']}: {each['detail']} {each.get('snippet', '')}"
                found.setdefault(self.taken.get(Path(where).parts[0], where), []).append(told)
        return found

    def _write_modules(self, folder: Path, *, has_docker: bool) -> None:
        modules: dict[str, Any] = {}
        tags: dict[str, str] = {}
        for file in sorted((self.folder / "out").glob("*/stacks/*/cdk.tf.json")):
            case, stack = file.parts[-4], json.loads(file.read_text("utf-8"))
            if "docker" in stack["provider"] and not has_docker:
                continue
            for provider in stack.pop("provider")["aws"]:
                for default in provider.get("default_tags", ()):
                    tags |= {f"{case} {key}": value for key, value in default["tags"].items()}
            # Only the root of a configuration has a backend, and nowhere are there all versions of
            # a provider that settings may ask for.
            del stack["terraform"]["backend"]
            for provider in stack["terraform"]["required_providers"].values():
                provider.pop("version", None)
            name = f"{case}/{file.parent.name.rpartition('-')[2]}"
            target = folder / name / "cdk.tf.json"
            target.parent.mkdir(parents=True)
            target.write_text(json.dumps(stack))
            modules[name.replace("/", "-")] = {"source": f"./{name}"}
        root: dict[str, Any] = {
            "module": modules,
            "provider": {"aws": {"region": "us-west-2", "default_tags": [{"tags": tags}]}},
        }
        (folder / "main.tf.json").write_text(json.dumps(root))


def _has_docker(terraform: Terraform) -> bool:
    mirrored = terraform.providers.addresses
    by_test = os.environ.get("PROD_E_TEST_WITH_REGISTRY") == "1"
    return by_test or any(address.endswith(_DOCKER) for address in mirrored)
