"""The tables of docs/embedded-aws.md that compare with AWS: each cell names the tests that show it.

Whether a test shows what its cell says is for who reads both; that there is one is looked at here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
PAGE = PROJECT / "docs" / "embedded-aws.md"
STATES = ("Real", "Simulated", "Missing")
TEST = re.compile(r"`(?P<file>[\w/]+\.py)?::(?P<name>test_\w+)`")


@dataclass(frozen=True, kw_only=True)
class Row:
    point: str
    here: str
    tests: str


def _rows() -> Iterator[Row]:
    is_compared = False
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            is_compared = False
        elif cells[1:] == ["Here", "Test"]:
            is_compared = True
        elif is_compared and not line.startswith("|-"):
            point, here, tests = cells
            yield Row(point=point, here=here, tests=tests)


def _tests(row: Row) -> Iterator[tuple[Path, str]]:
    file: Path | None = None
    for found in TEST.finditer(row.tests):
        if named := found["file"]:
            file = (
                PROJECT / named
                if named.startswith("tests/")
                else PROJECT / "tests/embedded" / named
            )
        assert file is not None, f"{row.point}: {found[0]} is in no file"
        yield file, found["name"]


@cache
def _source(file: Path) -> str:
    return file.read_text("utf-8")


ROWS = list(_rows())


def test_the_tables_are_read() -> None:
    assert {row.here.split(" ")[0].rstrip(":,;") for row in ROWS} == set(STATES)
    assert sum(1 for row in ROWS for _ in _tests(row)) > 80


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.point[:40])
def test_a_cell_names_tests_that_exist(row: Row) -> None:
    found = list(_tests(row))
    # Nothing else stands there, such as a test that is misspelt.
    assert TEST.sub("", row.tests).strip() == ""
    assert found or row.here.startswith("Missing")
    for file, name in found:
        assert f"def {name}(" in _source(file)


def test_each_file_of_tests_that_a_page_names_is_there() -> None:
    named = {
        found
        for page in [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
        for found in re.findall(r"tests/[\w/]+\.py", page.read_text("utf-8"))
    }
    assert named
    assert [file for file in sorted(named) if not (PROJECT / file).is_file()] == []
