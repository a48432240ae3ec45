"""What all sources have in common, read from their own text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project.syntax import nodes

PROJECT = Path(__file__).resolve().parents[3]

CHANGE = {
    "ContainerState", "DemoStep", "Exchange", "Load", "LogLines", "PastWaits", "Proof",
    "Registration", "Report", "Rollout", "Server", "Target", "Task", "Upload", "Watch", "_Results",
    "_Series", "_Times",
}  # fmt: skip
"""The dataclasses that are there to change: another one is named here."""

BY_POSITION = {
    "Box", "Change", "ContainerImage", "Diagnostic", "Doc", "EnvironmentNames", "Failure",
    "Finished", "ImageTag", "PlanSummary", "Project", "ProviderSource", "Repository", "Stack",
    "Synthesised", "Terraform", "VersionConstraint", "_Argument", "_Child", "_Pattern", "_Planning",
}  # fmt: skip
"""Those whose fields are told apart without their names."""


def dataclasses() -> Iterator[tuple[str, str, set[str]]]:
    """Each one's name, file, and what its decorator says."""
    for source in ("constructs", "scripts"):
        for file in sorted((PROJECT / source).rglob("*.py")):
            for node in nodes(file):
                if not isinstance(node, ast.ClassDef):
                    continue
                for decorator in node.decorator_list:
                    text = ast.unparse(decorator)
                    if text.startswith("dataclass"):
                        said = text.removeprefix("dataclass").strip("()").split(", ")
                        yield node.name, str(file.relative_to(PROJECT)), set(said)


FOUND = list(dataclasses())


READ_THE_USERS_SETTINGS = {
    "tests/programs/installation/test_launcher.py",
    "tests/unit/docs/test_reference.py",
    "tests/unit/settings/test_loading.py",
}
"""The tests to which it is no matter what they say, as long as they are right."""


def test_what_a_user_changes_in_the_settings_fails_no_test() -> None:
    reads = re.compile(r"PROJECT / [\"']environments|(?:prod_e\(\s*|folder=)PROJECT\b")
    found = {
        file.relative_to(PROJECT).as_posix()
        for file in (PROJECT / "tests").rglob("*.py")
        if reads.search(file.read_text("utf-8"))
    }
    assert found == READ_THE_USERS_SETTINGS


@pytest.mark.parametrize(
    ("said", "exceptions"), [("frozen=True", CHANGE), ("kw_only=True", BY_POSITION)]
)
def test_a_dataclass_is_frozen_and_made_by_keyword(said: str, exceptions: set[str]) -> None:
    others = {name for name, _, decorator in FOUND if said not in decorator}
    assert others == exceptions


HOLD_SECRETS = re.compile(r"(password|token): str\b|environment: Mapping\b")
"""Fields that hold a secret, or the variables of a process, credentials among them."""


def test_no_repr_shows_a_secret() -> None:
    shown = {
        f"{file.name}: {ast.unparse(field)}"
        for file in (PROJECT / "scripts").rglob("*.py")
        for node in nodes(file)
        if isinstance(node, ast.ClassDef)
        and any("dataclass" in ast.unparse(each) for each in node.decorator_list)
        for field in node.body
        if isinstance(field, ast.AnnAssign)
        and HOLD_SECRETS.match(ast.unparse(field))
        and "repr=False" not in ast.unparse(field)
    }
    assert shown == set()
