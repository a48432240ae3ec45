"""Runs the CDKTF app, as `cdktf synth` and `python main.py` do."""

import os
import sys
from collections.abc import Sequence

from prod_e_ops.errors import OpsError, SettingsMistake
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.processes import ChildProcesses

_SETTINGS_MISTAKE = 2  # the exit status of main.py for settings that are wrong


async def synthesise(project: Project, processes: ChildProcesses) -> Sequence[str]:
    """Writes every environment's stacks to `cdktf.out`, or leaves it as it was and raises.

    Gives the lines that the app writes to stderr, such as its warnings.

    Raises `SettingsMistake` for wrong settings, `OpsError` if the app fails.
    """
    environment = {**os.environ, "CDKTF_OUTDIR": str(project.output_folder)}
    finished = await processes.call(
        [sys.executable, "main.py"],
        folder=project.folder,
        environment=environment,
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
            details=finished.stderr.strip().splitlines()[-15:],
            next_step="`.venv/bin/python main.py` shows all of it.",
        )
    return finished.stderr.splitlines()
