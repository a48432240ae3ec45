"""What is synthesised for the project's environments changes only where somebody means it to."""

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.support.snapshots import JsonFile
from tests.synthesis.conftest import Stacks


@pytest.mark.parametrize("environment", ["seed", "staging"])
def test_the_synthesised_json_is_as_it_was(
    environment: str, request: pytest.FixtureRequest, snapshot: SnapshotAssertion
) -> None:
    stacks: Stacks = request.getfixturevalue(environment)
    for name, stack in stacks.items():
        assert stack.values == snapshot(name=name, extension_class=JsonFile)
