"""What `pip install .` brings is what the code imports."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.project.project_folder import PROJECT
from tests.support.project.syntax import nodes

PACKAGE = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
PIPFILE = tomllib.loads((PROJECT / "Pipfile").read_text("utf-8"))["packages"]
OURS = {"prod_e", "prod_e_ops", "embedded_aws"}
WITH_OTHERS = {
    *("botocore", "constructs", "cryptography", "jsii"),
    *("multidict", "pydantic_core", "requests", "werkzeug"),
}
"""The distributions that come with those that are asked for."""


def required(*requirements: list[str]) -> dict[str, str]:
    """The ranges, by the distributions' names."""
    found = {}
    for requirement in (each for some in requirements for each in some):
        match = re.fullmatch(r"([\w-]+)(?:\[[\w,]+\])?(.+)", requirement)
        assert match is not None, requirement
        found[match[1]] = match[2]
    return found


@cache
def distributions_of_packages() -> Mapping[str, list[str]]:
    return packages_distributions()


def imported(folder: Path) -> Iterator[str]:
    """The distributions that the modules of a folder import when they run."""
    distributions = distributions_of_packages()
    for file in folder.rglob("*.py"):
        for node in nodes(file):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for top in (name.partition(".")[0] for name in names):
                if top in sys.stdlib_module_names or top in OURS or top.startswith("mypy_"):
                    continue
                yield distributions[top][0].lower()


@pytest.mark.parametrize(
    ("folder", "extra"),
    [("constructs/prod_e", None), ("scripts/prod_e_ops", None), ("scripts/embedded_aws", "demo")],
)
def test_what_is_imported_is_installed(folder: str, extra: str | None) -> None:
    extras = [PACKAGE["optional-dependencies"][extra]] if extra else []
    installed = {*required(PACKAGE["dependencies"], *extras)} | WITH_OTHERS
    assert set(imported(PROJECT / folder)) - installed == set()


def test_the_ranges_are_those_of_the_pipfile() -> None:
    ranges = {
        name: value if isinstance(value, str) else value.get("version", "")
        for name, value in PIPFILE.items()
        if name != "prod-e"
    }
    assert required(PACKAGE["dependencies"], PACKAGE["optional-dependencies"]["demo"]) == ranges
