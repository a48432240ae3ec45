"""What all sources have in common, read from their own text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.style import Style

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


NOT_FOR_READING = {"_mistakes", "_stopping"}
"""What a section of the settings overrides, and what keeps a task from the garbage collector."""


def private_names(file: Path) -> Iterator[str]:
    """What a module makes for itself: constants, functions, classes, methods, attributes."""
    for node in nodes(file):
        match node:
            case ast.Module(body=made) | ast.ClassDef(body=made):
                for each in made:
                    match each:
                        case (
                            ast.Assign(targets=[ast.Name(id=name)])
                            | ast.AnnAssign(target=ast.Name(id=name))
                            | ast.ClassDef(name=name)
                            # What is decorated is called by whoever the decorator belongs to.
                            | ast.FunctionDef(name=name, decorator_list=[])
                            | ast.AsyncFunctionDef(name=name, decorator_list=[])
                        ) if re.fullmatch(r"_[^_]\w*", name):
                            yield name
            case ast.Attribute(ctx=ast.Store(), value=ast.Name(id="self"), attr=name) if (
                name.startswith("_")
            ):
                yield name


def read_names(file: Path) -> Iterator[str]:
    """What is read by a module, or written there as a type that comes later."""
    for node in nodes(file):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name, ctx=ast.Load()):
                yield name
            case ast.Constant(value=str(name)):
                yield name.partition("[")[0]


def test_what_a_module_keeps_to_itself_is_used() -> None:
    unused = {
        f"{file.relative_to(PROJECT)}: {name}"
        for source in ("constructs", "scripts")
        for file in (PROJECT / source).rglob("*.py")
        for name in set(private_names(file)) - set(read_names(file)) - NOT_FOR_READING
    }
    assert unused == set()


def test_no_loop_waits_without_a_pause() -> None:
    busy = {
        f"{file.relative_to(PROJECT)}:{node.lineno}"
        for source in ("constructs", "scripts")
        for file in (PROJECT / source).rglob("*.py")
        for node in nodes(file)
        if isinstance(node, ast.While) and all(isinstance(each, ast.Pass) for each in node.body)
    }
    assert busy == set()


def test_every_colour_is_one_that_the_terminal_knows() -> None:
    styles = {
        text.value
        for file in (PROJECT / "scripts" / "prod_e_ops").rglob("*.py")
        for node in nodes(file)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("print", "result")
        for keyword in node.keywords
        if keyword.arg == "style"
        for text in ast.walk(keyword.value)
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    }
    assert {"red", "yellow", "bold"} <= styles
    for style in styles:
        Style.parse(style)
