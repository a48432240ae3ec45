"""A `prod-e` that runs, and can be interrupted at a step of its work."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.command.forked_command import PROD_E
from tests.support.command.processes import processes_with

STEP_SECONDS = 300
"""What a step may take to begin, and an interrupted command to end, on a busy machine."""


@dataclass(kw_only=True)
class RunningCommand:
    """`temporary`: the folder for its temporary files. `said`: the lines of its standard error."""

    process: subprocess.Popen[str]
    temporary: Path
    said: list[str] = field(default_factory=list)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STEP_SECONDS
        while not condition():
            assert self.process.poll() is None, "".join(self.said)
            assert time.monotonic() < deadline, "".join(self.said)
            time.sleep(0.05)

    def wait_for_step(self, title: str) -> None:
        self.wait_for(lambda: any(line.startswith(f"{title} ...") for line in self.said))

    def programs(self) -> list[str]:
        """The command lines of what it runs, itself left out."""
        return [line for line in processes_with(self.temporary) if "prod-e\0" not in line]

    def interrupt(self) -> None:
        """Ctrl-C; asserts that it leaves nothing running or lying."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(STEP_SECONDS) == 130, "".join(self.said)
        # What was killed takes a moment to end on a busy machine.
        deadline = time.monotonic() + STEP_SECONDS
        while running := processes_with(self.temporary):
            assert time.monotonic() < deadline, running
            time.sleep(0.05)
        assert list(self.temporary.iterdir()) == []


@contextmanager
def running(
    project: Path,
    *arguments: str,
    variables: Mapping[str, str],
    temporary: Path,
    ends_by_itself: bool = False,
) -> Iterator[RunningCommand]:
    """Starts a command, which ends with the block if it has not been interrupted in it.

    `ends_by_itself`: whether its end is no interruption, even after Ctrl-C.
    """
    process = subprocess.Popen(
        [PROD_E, *arguments],
        cwd=project,
        env={**variables, "TMPDIR": str(temporary), "VIRTUAL_ENV": sys.prefix},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    stderr = process.stderr
    assert stderr is not None
    command = RunningCommand(process=process, temporary=temporary)
    reader = threading.Thread(target=lambda: command.said.extend(stderr))
    reader.start()
    try:
        yield command
    finally:
        process.kill()
        process.wait()
        reader.join()
        stderr.close()
    said = "".join(command.said)
    assert "Traceback" not in said, said
    assert said.rstrip().endswith("Interrupted.") != ends_by_itself, said
