"""The embedded AWS is a package of its own, for other projects too."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import embedded_aws

PACKAGE = Path(embedded_aws.__file__).parent
FORBIDDEN = {"prod_e", "prod_e_ops", "cdktf", "constructs"}


def test_it_imports_nothing_of_this_project() -> None:
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    assert "moto" in found
    assert not found & FORBIDDEN


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "app"], "'app' is not NAME=VALUE"),
        (["--source", "app=nowhere"], "nowhere has no package.json"),
        (["--runtime", "podman"], "invalid choice: 'podman'"),
    ],
)
def test_its_command_refuses_what_it_cannot_do(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "embedded_aws", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "500"},
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
