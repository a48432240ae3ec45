"""Runs the CDKTF app, as `cdktf synth` and `python main.py` do."""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence

from prod_e_ops.errors import OpsError, SettingsMistake, UserMistake
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.processes import ChildProcesses

_SETTINGS_MISTAKE = 2  # the exit status of main.py for settings that are wrong


async def synthesise(
    project: Project, processes: ChildProcesses, *, environment: str | None = None
) -> Sequence[str]:
    """Writes stacks to `cdktf.out`, or leaves it as it was and raises.

    `environment`: the one whose stacks are written, whatever is wrong with the files of others;
    default: all. Gives the lines that the app writes to stderr, such as its warnings.

    Raises `SettingsMistake` for wrong settings, `OpsError` if the app fails.
    """
    if shutil.which("node") is None:
        raise UserMistake(
            "Node.js is not installed: there is no `node` on PATH, and CDKTF needs it.",
            details=["Nothing was written."],
            next_step="Install Node.js 22 or newer: https://nodejs.org",
        )
    # An app that is killed leaves jsii's programs in the folder for temporary files.
    with tempfile.TemporaryDirectory(prefix="prod-e-synth-", ignore_cleanup_errors=True) as scratch:
        finished = await processes.call(
            [sys.executable, "main.py", *([environment] if environment else ())],
            folder=project.folder,
            environment={
                # What CDKTF's Node.js says of itself is nothing that the app says.
                "NODE_NO_WARNINGS": "1",
                **os.environ,
                "CDKTF_OUTDIR": str(project.output_folder),
                "TMPDIR": scratch,
            },
            stop_timeout_seconds=3,
        )
    if finished.status == _SETTINGS_MISTAKE:
        raise SettingsMistake(
            finished.stderr.strip(),
            details=["Nothing was written."],
            next_step="Correct the settings and run the command again.",
        )
    if finished.status:
        raise OpsError(
            "Synthesis failed; cdktf.out is as it was before.",
            details=_reason(finished.stderr),
            next_step="`.venv/bin/python main.py` shows all of it.",
        )
    return finished.stderr.splitlines()


def _reason(stderr: str) -> Sequence[str]:
    """What an app wrote that failed: of Python's traceback only the exception."""
    lines = stderr.strip().splitlines()
    traced = [number for number, line in enumerate(lines) if line.startswith("  ")]
    if "Traceback (most recent call last):" in lines and traced:
        lines = lines[max(traced) + 1 :] or lines[-1:]
    return lines[-15:]
