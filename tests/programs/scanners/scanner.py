"""Outsiders' scanners, and the reasons of `docs/security.md` for what they find."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project.project_folder import PROJECT

REASON_LENGTH = 40
"""How many characters a reason has at the least."""


def installed(name: str, version: str) -> Path:
    """The program, in a virtual environment of its own: each holds boto3 at a version of its own.

    Skips the test where it cannot be installed.
    """
    folder = PROJECT / ".cache" / f"{name}-{version}"
    program = folder / "bin" / name
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--no-compile"]
        done = subprocess.run(
            [*pip, f"{name}=={version}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"{name} cannot be installed: {done.stderr[-500:]}")
    return program


def documented(heading: str) -> set[str]:
    """The checks in the table below a heading, each of which has its reason there."""
    page = (PROJECT / "docs" / "security.md").read_text()
    _, _, below = page.partition(f"\n### {heading}\n")
    assert below, heading
    found: set[str] = set()
    for line in below.partition("\n#")[0].splitlines():
        if not line.startswith("| `"):
            continue
        checks, *_, reason = (cell.strip() for cell in line.strip("|").split("|"))
        assert len(reason) >= REASON_LENGTH, f"{checks} has no reason"
        found |= set(re.findall(r"`(\w+)`", checks))
    assert found, heading
    return found
