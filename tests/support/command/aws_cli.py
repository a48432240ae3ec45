"""The AWS CLI: version 1 is on PyPI, version 2 is not."""

import os
import subprocess
import sys
import venv
from pathlib import Path

INSTALL_SECONDS = 300


class AwsCliUnavailableError(Exception):
    """The message says why."""


def installed_from_pypi(folder: Path) -> str:
    """Version 1, installed into a virtual environment of its own."""
    venv.create(folder, with_pip=True)
    try:
        subprocess.run(
            [folder / "bin" / "pip", "install", "--quiet", "awscli"],
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        told = (error.stderr or "").strip().splitlines()[-1:]
        raise AwsCliUnavailableError(f"pip cannot install awscli: {told}") from None
    return str(folder / "bin" / "aws")


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
