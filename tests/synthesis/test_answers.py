"""Of each type of resource it is known what AWS answers."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from tests.support.project.project_folder import PROJECT
from tests.support.project.variants import VARIANTS, filled_in
from tests.synthesis.security.test_data_protection import EVERYTHING

FIXTURES = sorted((PROJECT / "tests" / "embedded" / "answers").glob("*/*.json"))

_BY_DOCKER = "Docker's daemon and a registry answer it, and tests/docker has both"
NEEDS_NO_FIXTURE: Mapping[str, str] = {
    "docker_image": _BY_DOCKER,
    "docker_registry_image": _BY_DOCKER,
    "docker_tag": _BY_DOCKER,
}
"""Types without a fixture of what AWS answers, each with the reason why none is needed."""


def types_of(stacks: Iterable[Any]) -> set[str]:
    return {type_name for stack in stacks for type_name in stack.values.get("resource", {})}


def types_with_a_fixture() -> Iterator[str]:
    for file in FIXTURES:
        yield from json.loads(file.read_text(encoding="utf-8"))["resources"]


def unknown(stacks: Iterable[Any]) -> set[str]:
    """The types of which nobody has said what AWS answers."""
    return types_of(stacks) - set(types_with_a_fixture()) - set(NEEDS_NO_FIXTURE)


@pytest.fixture(scope="module")
def stacks(seed: Any, synthesised: Any) -> list[Any]:
    texts = [EVERYTHING, *map(filled_in, VARIANTS)]
    return [*seed.values(), *(stack for text in texts for stack in synthesised(text).values())]


def test_each_type_of_resource_has_a_fixture_or_a_reason(stacks: list[Any]) -> None:
    assert unknown(stacks) == set()
    assert set(NEEDS_NO_FIXTURE) <= types_of(stacks)
    assert not set(NEEDS_NO_FIXTURE) & set(types_with_a_fixture())


def test_a_type_without_either_would_be_found(seed: Any) -> None:
    stack = seed["prod-e"]
    more = type(stack)({"resource": {**stack.values["resource"], "aws_dynamodb_table": {"a": {}}}})
    assert unknown([more]) == {"aws_dynamodb_table"}
