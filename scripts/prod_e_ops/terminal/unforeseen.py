"""What nobody foresaw, told as a message, with all that is needed to report it in a file."""

import os
import platform
import sys
import tempfile
import traceback
from importlib.metadata import version
from pathlib import Path

from prod_e_ops.errors import OpsError


class Unforeseen(OpsError):
    """A fault of prod-e's own."""

    exit_status = 70  # EX_SOFTWARE of sysexits.h


def unforeseen(error: Exception) -> Unforeseen:
    """The message about an exception that nothing has handled.

    Its text may hold a value of the settings, so that only the file has it, for the user alone.
    """
    file = _report(error)
    where = traceback.extract_tb(error.__traceback__)
    last = f" in {Path(where[-1].filename).name}, line {where[-1].lineno}" if where else ""
    return Unforeseen(
        f"This is a fault of prod-e's own: {type(error).__name__}{last}.",
        details=[
            "What was done before it stays done; Terraform's state knows of it.",
            *([f"All that is known about it: {file}"] if file else []),
        ],
        next_step="Run the command again, and if it happens again, report it to whoever keeps this"
        " project, with that file; read it before, it may show values of your settings.",
    )


def _report(error: Exception) -> Path | None:
    lines = [
        f"prod-e {version('prod-e')}, Python {platform.python_version()}, {sys.platform}\n",
        f"{' '.join(sys.argv[1:])}\n",
        *traceback.format_exception(error),
    ]
    try:
        # Nobody else may read what this makes.
        descriptor, name = tempfile.mkstemp(prefix="prod-e-fault-", suffix=".txt")
    except OSError:
        return None
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(lines)
    return Path(name)
