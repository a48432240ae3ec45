"""Tries settings: what is refused is told in plain lines, what is taken Terraform takes too."""

import json
import os
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

from embedded_aws import EmbeddedAws
from prod_e.app.synthesis import synthesise
from prod_e.settings import SettingsError, load_environment
from prod_e_ops.terraform.runner import Terraform
from tests.any_settings.drawn import NearlyRight
from tests.support.aws.existing_resources import make_what_variants_name
from tests.support.project.variants import NOWHERE
from tests.support.terraform.terraform_program import TerraformFolder

_DOCKER = "kreuzwerker/docker"

_NAMES_WHAT_EXISTS = ("_id", "_ids", "arn", "arns", "snapshot", "region")
"""How the keys end by which settings name what AWS has; any value of them is of nothing."""


@dataclass
class Trial:
    """A run over many settings, in a folder of its own.

    `refused`: how many were. `taken`: the text of those that were synthesised, by the module that
    each is of Terraform's. `plannable`: the modules that name nothing that AWS has but what the
    variants do.
    """

    folder: Path
    refused: int = 0
    taken: dict[str, str] = field(default_factory=dict)
    plannable: list[str] = field(default_factory=list)

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
        if not any(path[-1].endswith(_NAMES_WHAT_EXISTS) for path in drawn.changes):
            self.plannable.append(self._next_module)
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
        return TerraformFolder(self.folder).run(
            lambda terraform: self._told(terraform, ("validate", "-json"), self.taken)
        )

    def refused_by_plan(self, *, seed: int, count: int) -> Mapping[str, Sequence[str]]:
        """What they have against a plan of some of them, by text, on an embedded AWS of its own.

        `seed`: which they are. `count`: how many at most.
        """
        chosen = random.Random(seed).sample(self.plannable, min(count, len(self.plannable)))
        with EmbeddedAws() as aws:
            made = make_what_variants_name(aws)
            return TerraformFolder(self.folder).run(
                lambda terraform: self._told(
                    terraform,
                    ("plan", "-json", "-lock=false", "-parallelism=30"),
                    chosen,
                    {NOWHERE[name]: value for name, value in made.items()},
                ),
                aws.environment(),
            )

    async def _told(
        self,
        terraform: Terraform,
        command: Sequence[str],
        cases: Collection[str],
        replaced: Mapping[str, str] | None = None,
    ) -> Mapping[str, Sequence[str]]:
        folder = self.folder / command[0]
        self._write_modules(folder, cases, replaced or {}, has_docker=_has_docker(terraform))
        for arguments in (["init", "-backend=false"], command):
            finished = await terraform.processes.call(
                [terraform.program, *arguments], folder=folder, environment=terraform.environment
            )
            if arguments[0] == "init" and finished.status:
                return {"init": [finished.stderr[-3_000:]]}
        found: dict[str, list[str]] = {}
        for each in _diagnostics(finished.stdout):
            if each["severity"] == "error":
                where = each.get("range", {}).get("filename", "")
                about = each.get("snippet", {}).get("context", "")
                told = f"{each['summary']}: {each['detail']} {about}"
                found.setdefault(self.taken.get(where.partition("/")[0], where), []).append(told)
        if finished.status and not found:
            return {command[0]: [finished.stderr[-3_000:]]}
        return found

    def _write_modules(
        self,
        folder: Path,
        cases: Collection[str],
        replaced: Mapping[str, str],
        *,
        has_docker: bool,
    ) -> None:
        """`replaced`: ids, ARNs and names of nothing, and what there is in place of each."""
        modules: dict[str, Any] = {}
        tags: dict[str, str] = {}
        for file in sorted((self.folder / "out").glob("*/stacks/*/cdk.tf.json")):
            case, text = file.parts[-4], file.read_text("utf-8")
            for nothing, something in replaced.items():
                text = text.replace(f'"{nothing}"', f'"{something}"')
            stack = json.loads(text)
            if case not in cases or ("docker" in stack["provider"] and not has_docker):
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
            target.parent.mkdir(parents=True, exist_ok=True)
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


def _diagnostics(output: str) -> Iterator[Mapping[str, Any]]:
    """Those of `validate`, which writes one object, or of `plan`, which writes one a line."""
    for line in output.splitlines() if "\n{" in output else [output]:
        told = json.loads(line)
        yield from told.get("diagnostics", ())
        if "diagnostic" in told:
            yield told["diagnostic"]
