"""Runs the CDKTF app, as `cdktf synth` and `python main.py` do."""

import os
import sys

from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terminal.terminal import Terminal

SETTINGS_MISTAKE = 2
"""The exit status of main.py for settings that are wrong."""


async def synthesise(project: Project, processes: ChildProcesses, terminal: Terminal) -> None:
    """Writes every environment's stacks to `cdktf.out`, or leaves it as it was and raises.

    What the app has to say about a synthesis that succeeds is shown on the terminal.
    """
    environment = {**os.environ, "CDKTF_OUTDIR": str(project.output_folder)}
    finished = await processes.call(
        [sys.executable, "main.py"], folder=project.folder, environment=environment, patience=3
    )
    if finished.status == SETTINGS_MISTAKE:
        raise UserMistake(
            finished.stderr.strip(),
            next_step="Nothing was written: correct the settings and run the command again.",
        )
    if finished.status:
        raise OpsError(
            "Synthesis failed; cdktf.out is as it was before.",
            details=finished.stderr.strip().splitlines()[-15:],
            next_step="`.venv/bin/python main.py` shows all of it.",
        )
    for line in finished.stderr.splitlines():
        terminal.say(line)
