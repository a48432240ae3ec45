"""The AWS CLI: version 1 is on PyPI, version 2 is not."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.command.pypi_program import NotInstallableError, installed_from_pypi

INSTALL_SECONDS = 300


class AwsCliUnavailableError(Exception):
    """The message says why."""


def version_1_from_pypi(folder: Path) -> str:
    """Version 1, installed into a virtual environment of its own."""
    try:
        return str(
            installed_from_pypi(folder, "awscli", program="aws", timeout_seconds=INSTALL_SECONDS)
        )
    except NotInstallableError as error:
        raise AwsCliUnavailableError(str(error)) from None


def of_this_machine() -> str:
    """Version 2, wherever it is on the search path."""
    for folder in os.get_exec_path():
        program = Path(folder) / "aws"
        if not os.access(program, os.X_OK) or Path(sys.prefix) in program.parents:
            continue
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False
        ).stdout
        if told.startswith("aws-cli/2"):
            return str(program)
    raise AwsCliUnavailableError("There is no AWS CLI 2 here; Debian's package awscli is one.")
