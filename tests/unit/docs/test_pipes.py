"""What the documentation pipes into another program is the result alone."""

import re
from pathlib import Path

import pytest

from tests.support.project.project_folder import PROJECT

# npm writes a header before what it runs, which is no JSON.
THROUGH_NPM = re.compile(r"npm run (?!--silent)[^`|]*\|\s*\w")

PAGES = sorted(
    [PROJECT / "README.md", PROJECT / "backend" / "README.md", *PROJECT.glob("docs/*.md")]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_no_line_pipes_what_npm_says_of_itself(page: Path) -> None:
    assert THROUGH_NPM.findall(page.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("npm run plan -- staging-e --json | jq .stacks", True),
        ("npm run --silent plan -- staging-e --json | jq .stacks", False),
        ("./prod-e plan staging-e --json | jq .stacks", False),
        ("| `npm run bench` | synthesis |", False),
    ],
)
def test_such_a_line_would_be_found(line: str, *, is_found: bool) -> None:
    assert bool(THROUGH_NPM.search(line)) is is_found
