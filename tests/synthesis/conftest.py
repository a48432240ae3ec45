import json
from collections.abc import Callable, Mapping

import pytest

from prod_e.app.synthesis import synthesise
from prod_e.settings import load_environment
from tests.support.project_folder import PROJECT
from tests.support.synthesised import Synthesised

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
