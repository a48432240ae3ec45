"""What every command works with: the project, the terminal, and the processes that it starts."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import typer

from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Project, find_project
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terminal.terminal import Terminal
from prod_e_ops.terminal.unforeseen import Unforeseen, unforeseen


@dataclass(frozen=True, kw_only=True)
class Context:
    """One run of a command.

    `project`: what it works on. `terminal`: where it shows what it does, and asks. `processes`:
    runs the programs that it needs, which end when it ends.
    """

    project: Project
    terminal: Terminal
    processes: ChildProcesses


def run(work: Callable[[Context], Coroutine[Any, Any, None]]) -> None:
    """Runs a command's work on the project around the working directory.

    What goes wrong is told as a message and an exit status.
    """
    terminal = Terminal()
    processes = ChildProcesses(terminal.say)
    try:
        context = Context(project=find_project(), terminal=terminal, processes=processes)
        processes.run(work(context))
    except OpsError as error:
        terminal.error(error)
        raise typer.Exit(error.exit_status) from None
    except Exception as error:  # noqa: BLE001 - the one place for what nobody foresaw
        terminal.error(unforeseen(error))
        raise typer.Exit(Unforeseen.exit_status) from None
