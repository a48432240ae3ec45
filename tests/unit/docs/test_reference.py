"""The reference of the settings is what the settings are, for people and for editors."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from reference import SCHEMA_FILE, pages

PROJECT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = sorted((PROJECT / "environments").glob("*.toml"))


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return dict(pages())


@pytest.fixture(scope="module")
def validator(generated: dict[str, str]) -> Draft7Validator:
    schema = json.loads(generated[SCHEMA_FILE])
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def test_the_generated_pages_are_those_in_the_project(generated: dict[str, str]) -> None:
    for name, text in generated.items():
        assert (PROJECT / name).read_text("utf-8") == text, "run `npm run reference`"


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda file: file.stem)
def test_an_editor_finds_the_schema_and_no_mistake_in_our_environments(
    file: Path, validator: Draft7Validator
) -> None:
    first_line = file.read_text("utf-8").splitlines()[0]
    assert (file.parent / first_line.removeprefix("#:schema ")).resolve() == PROJECT / SCHEMA_FILE
    assert list(validator.iter_errors(tomllib.loads(file.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    ("mistake", "where"),
    [
        ({"region": "nowhere"}, ["region"]),
        ({"services": {"web": {"cpu_units": 300}}}, ["services", "web", "cpu_units"]),
        ({"services": {"web": {"port": "3000"}}}, ["services", "web", "port"]),
        ({"database": {"storage_gib": 1}}, ["database", "storage_gib"]),
        ({"network": {"unknown": 1}}, ["network"]),
    ],
)
def test_an_editor_marks_a_mistake(
    mistake: dict[str, Any], where: list[str], validator: Draft7Validator
) -> None:
    values = {"name": "shop", "services": {"web": {}}} | mistake
    assert [list(error.path) for error in validator.iter_errors(values)] == [where]


def test_every_argument_of_every_public_name_is_described(generated: dict[str, str]) -> None:
    rows = [line for line in generated["docs/constructs.md"].splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []
