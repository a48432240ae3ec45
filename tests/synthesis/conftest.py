from collections.abc import Callable, Mapping

import pytest

from prod_e.testing import synthesise_settings
from tests.support.project.project_folder import ENVIRONMENTS
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
            stacks = synthesise_settings(file, project_folder=folder)
            known[toml] = {name: Synthesised(stack.values) for name, stack in stacks.items()}
        return known[toml]

    return run


@pytest.fixture(scope="session")
def seed(synthesised: Synthesise) -> Stacks:
    """The stacks of the seed system."""
    return synthesised((ENVIRONMENTS / "prod-e.toml").read_text())


@pytest.fixture(scope="session")
def staging(synthesised: Synthesise) -> Stacks:
    """The stacks of its variant."""
    return synthesised((ENVIRONMENTS / "staging-e.toml").read_text())
