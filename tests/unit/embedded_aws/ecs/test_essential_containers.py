"""Which containers a task ends with."""

from typing import Any

import pytest

from embedded_aws.data_plane.tasks.tasks import ContainerState


@pytest.mark.parametrize(
    ("said", "is_essential"),
    [({}, True), ({"essential": True}, True), ({"essential": False}, False)],
)
def test_a_container_is_essential_unless_its_definition_says_otherwise(
    said: dict[str, bool], is_essential: bool
) -> None:
    definition: Any = {"name": "app", **said}
    assert ContainerState(definition=definition).is_essential is is_essential
