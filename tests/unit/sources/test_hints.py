"""A hint is advice: in what state things are stands in an error's message or its details."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

OPS = Path(__file__).resolve().parents[3] / "scripts" / "prod_e_ops"
STATE = re.compile(
    r"\b(nothing|no (tag|image)s?) (\w+ )?(was|were|moved)\b|\bas (it|they) (was|were)\b",
    re.IGNORECASE,
)


def hints(file: Path) -> Iterator[str]:
    """The texts in what a module gives as `next_step`."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "next_step":
            for inside in ast.walk(node.value):
                if isinstance(inside, ast.Constant) and isinstance(inside.value, str):
                    yield inside.value


@pytest.mark.parametrize(
    "file", sorted(OPS.rglob("*.py")), ids=lambda file: str(file.relative_to(OPS))
)
def test_no_hint_tells_a_state(file: Path) -> None:
    assert [hint for hint in hints(file) if STATE.search(hint)] == []


def test_hints_are_found() -> None:
    assert sum(len(list(hints(file))) for file in OPS.rglob("*.py")) > 50
    assert STATE.search("Run it again; nothing was changed.")
