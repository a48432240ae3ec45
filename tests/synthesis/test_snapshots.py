"""What is synthesised for the seed changes only where somebody means it to."""

from syrupy.assertion import SnapshotAssertion

from tests.support.snapshots import JsonFile
from tests.synthesis.conftest import Stacks


def test_the_synthesised_json_is_as_it_was(seed: Stacks, snapshot: SnapshotAssertion) -> None:
    for name, stack in seed.items():
        assert stack.values == snapshot(name=name, extension_class=JsonFile)
