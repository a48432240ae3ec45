"""What every command works with: the project, the terminal, and the processes that it starts."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import typer

from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Project, find_project
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terminal.terminal import Terminal


@dataclass(frozen=True)
class Context:
    """One run of a command.

    `terminal`: where it shows what it does, and asks. `processes`: runs the programs that it needs,
    which end when it ends.
    """

    terminal: Terminal
    processes: ChildProcesses

    @cached_property
    def project(self) -> Project:
        """The project around the working directory; raises `UserMistake` if there is none."""
        return find_project()


def run(work: Callable[[Context], Coroutine[Any, Any, None]]) -> None:
    """Runs a command's work and tells what goes wrong as a message and an exit status."""
    terminal = Terminal()
    processes = ChildProcesses(terminal.say)
    try:
        processes.run(work(Context(terminal, processes)))
    except OpsError as error:
        terminal.error(error)
        raise typer.Exit(error.exit_status) from None
