"""Which processes run, for tests of what is left of them."""

import contextlib
from pathlib import Path

import psutil


def is_running(pid: int) -> bool:
    """Whether it runs: one that has ended, but that nobody has waited for, does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def processes_with(folder: Path) -> list[str]:
    """The command lines of the processes whose temporary files belong in `folder`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.environ().get("TMPDIR", "/")).is_relative_to(folder):
                found.append(" ".join(process.cmdline()))
    return found
