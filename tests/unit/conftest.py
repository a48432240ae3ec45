import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prod_e.app.synthesis import synthesise
from prod_e.settings import load_environment

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Synthesised:
    """A stack's JSON, asked by type and meaning."""

    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        return json.dumps(self.values)

    def all(self, type_name: str) -> list[dict[str, Any]]:
        return list(self.values["resource"].get(type_name, {}).values())

    def one(self, type_name: str, **arguments: object) -> dict[str, Any]:
        found = [
            resource
            for resource in self.all(type_name)
            if all(resource.get(key) == value for key, value in arguments.items())
        ]
        assert len(found) == 1, f"{len(found)} of {type_name} with {arguments}"
        return found[0]

    def reference(self, type_name: str, attribute: str, **arguments: object) -> str:
        wanted = self.one(type_name, **arguments)
        named = self.values["resource"][type_name].items()
        name = next(name for name, resource in named if resource is wanted)
        return f"${{{type_name}.{name}.{attribute}}}"

    def policies(self) -> Iterator[dict[str, Any]]:
        """Every statement of every IAM policy."""
        for resources in self.values.get("resource", {}).values():
            for resource in resources.values():
                for key in ("policy", "assume_role_policy"):
                    if key in resource and '"Statement"' in resource[key]:
                        yield from json.loads(resource[key])["Statement"]


Stacks = Mapping[str, Synthesised]
Synthesise = Callable[[str], Stacks]


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Synthesise:
    """Synthesises the environment that a TOML text describes; the same text only once."""
    known: dict[str, Stacks] = {}

    def run(toml: str) -> Stacks:
        if toml not in known:
            folder = tmp_path_factory.mktemp("synthesised")
            (folder / "backend").mkdir()
            (folder / "backend" / "Dockerfile").write_text("FROM scratch\n")
            file = folder / "environments" / "given.toml"
            file.parent.mkdir()
            file.write_text(toml)
            synthesise(
                [load_environment(file)], project_folder=folder, output_folder=folder / "out"
            )
            known[toml] = {
                path.parent.name: Synthesised(json.loads(path.read_text()))
                for path in (folder / "out" / "stacks").glob("*/cdk.tf.json")
            }
        return known[toml]

    return run


@pytest.fixture(scope="session")
def seed(synthesised: Synthesise) -> Stacks:
    """The stacks of environments/prod-e.toml."""
    return synthesised((PROJECT / "environments" / "prod-e.toml").read_text())


@pytest.fixture(scope="session")
def staging(synthesised: Synthesise) -> Stacks:
    """The stacks of environments/staging-e.toml."""
    return synthesised((PROJECT / "environments" / "staging-e.toml").read_text())
