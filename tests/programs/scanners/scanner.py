"""Outsiders' scanners, and the reasons of `docs/security.md` for what they find."""

import re
from pathlib import Path

import pytest

from tests.support.command.pypi_program import NotInstallableError, installed_from_pypi
from tests.support.project.project_folder import PROJECT

INSTALL_SECONDS = 1_800

REASON_LENGTH = 40
"""How many characters a reason has at the least."""


def installed(name: str, version: str) -> Path:
    """The program, in a virtual environment of its own: each holds boto3 at a version of its own.

    Skips the test where it cannot be installed.
    """
    folder = PROJECT / ".cache" / f"{name}-{version}"
    try:
        return installed_from_pypi(
            folder, f"{name}=={version}", program=name, timeout_seconds=INSTALL_SECONDS
        )
    except NotInstallableError as error:
        pytest.skip(str(error))


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
