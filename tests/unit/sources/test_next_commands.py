"""What messages tell people to type next is what the command takes."""

import ast
import inspect
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import typer

from prod_e_ops import next_commands
from prod_e_ops.cli import app
from tests.support.project.syntax import nodes

PROJECT = Path(__file__).resolve().parents[3]
OPS = PROJECT / "scripts" / "prod_e_ops"
SAMPLES: Mapping[str, Sequence[object]] = {
    "arguments": ["plan staging-e"],
    "options": ["--json"],
    "allow_data_loss": [["aws_ecr_repository.api", "aws_s3_bucket.logs[0]"]],
    "environment": ["staging-e"],
    "name": ["prove-0a1b2c"],
    "service": ["backend"],
    "take_over": [False, True],
    "wait": [False, True],
    "yes": [False, True],
}


def made() -> Iterator[str]:
    """Every kind of command that can be told."""
    for name, function in inspect.getmembers(next_commands, inspect.isfunction):
        if name.startswith("_"):
            continue
        calls: list[dict[str, object]] = [{}]
        for parameter in inspect.signature(function).parameters.values():
            values: list[object] = [*SAMPLES[parameter.name]]
            if parameter.default is None:
                values.append(None)
            calls = [{**call, parameter.name: value} for call in calls for value in values]
        for call in calls:
            options = [call.pop("options")] if "options" in call else []
            yield function(*call.values(), *options) if options else function(**call)


@pytest.mark.parametrize("command", list(made()))
def test_a_command_that_is_told_can_be_typed(command: str) -> None:
    launcher, *words = shlex.split(command)
    assert launcher == "./prod-e"
    parsed: typer.Context | None = None
    group = typer.main.get_command(app)
    while words:
        # It raises for a command, an option or an argument that does not exist.
        found = group.get_command(parsed, words[0])  # type: ignore[attr-defined]
        assert found is not None, f"there is no command {words[0]}"
        if hasattr(found, "get_command"):
            group, words = found, words[1:]
            continue
        found.make_context(words[0], words[1:])
        return
    raise AssertionError("no command is named")


def texts(file: Path) -> Iterator[str]:
    """The texts of a module that are no documentation."""
    documentation = {
        id(node.value)
        for node in nodes(file)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in nodes(file):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
        ):
            yield node.value


@pytest.mark.parametrize(
    "file",
    [file for file in sorted(OPS.rglob("*.py")) if file.name != "next_commands.py"],
    ids=lambda file: str(file.relative_to(OPS)),
)
def test_no_other_module_spells_a_command_itself(file: Path) -> None:
    spelt = re.compile(
        r"npm run (plan|deploy|destroy|prove|prod-e)\b"
        r"|\bprod-e (plan|deploy|destroy|push|rollback|images|status|providers)\b"
    )
    assert [text for text in texts(file) if spelt.search(text)] == []
