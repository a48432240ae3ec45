"""Programs from PyPI that are no dependency of the project."""

import subprocess
import venv
from pathlib import Path


class NotInstallableError(Exception):
    """The message says why."""


def installed_from_pypi(
    folder: Path, requirement: str, *, program: str, timeout_seconds: float
) -> Path:
    """The program, in a virtual environment of its own in that folder, where it may be already.

    `requirement`: as pip takes it, such as `checkov==3.3.30`. Raises `NotInstallableError`.
    """
    found = folder / "bin" / program
    if found.exists():
        return found
    venv.create(folder, with_pip=True)
    try:
        subprocess.run(
            # Most of what large programs bring is never imported.
            [folder / "bin" / "pip", "install", "--quiet", "--no-compile", requirement],
            check=True,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        told = str(error.stderr or error).strip()[-500:]
        raise NotInstallableError(f"pip cannot install {requirement}: {told}") from None
    return found
