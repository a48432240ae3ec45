"""A hint is advice: in what state things are stands in an error's message or its details."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from prod_e_ops import errors
from tests.support.project.syntax import nodes

OPS = Path(__file__).resolve().parents[3] / "scripts" / "prod_e_ops"
STATE = re.compile(
    r"\b(nothing|no (tag|image)s?) (\w+ )?(was|were|moved)\b|\bas (it|they) (was|were)\b",
    re.IGNORECASE,
)


def hints(file: Path) -> Iterator[str]:
    """The texts in what a module gives as `next_step`."""
    for node in nodes(file):
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


SAYS_ALL_ITSELF = [
    ("aws/clients.py", "CredentialsMissing"),
    ("commands/infrastructure/diagram.py", "UserMistake"),
    ("commands/infrastructure/prove.py", "DockerUnavailable"),
    ("demo/begin.py", "DockerUnavailable"),
    ("demo/live/versions.py", "UserMistake"),
    ("project/project.py", "SettingsMistake"),
    ("project/project.py", "UserMistake"),
    ("project/settings_edit.py", "SettingsMistake"),
    ("prove/life.py", "UserMistake"),
    ("service/rollback/target.py", "InvalidOption"),
    ("service/rollback/target.py", "TaskDefinitionMissing"),
    ("terraform/output/diagnostics.py", "CredentialsMissing"),
    ("terraform/providers/dependency_lock.py", "UserMistake"),
]
"""The mistakes, by their files, whose message or details say all that is to be done."""


def mistakes(file: Path) -> Iterator[tuple[str, bool]]:
    """The class of each mistake of the user's that a module tells, and whether it has a hint."""
    for node in nodes(file):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found = getattr(errors, node.func.id, None)
            if isinstance(found, type) and issubclass(found, errors.UserMistake):
                yield node.func.id, any(keyword.arg == "next_step" for keyword in node.keywords)


def test_a_mistake_comes_with_what_to_do_about_it() -> None:
    without = sorted(
        (file.relative_to(OPS).as_posix(), name)
        for file in OPS.rglob("*.py")
        for name, has_hint in mistakes(file)
        if not has_hint
    )
    assert without == SAYS_ALL_ITSELF
