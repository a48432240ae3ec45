"""Child processes that end when the command ends, however it ends."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from prod_e_ops.errors import Interrupted

_T = TypeVar("_T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# One Ctrl-C can arrive twice: from the terminal, and passed on by npm.
_SAME_KEY_PRESS_SECONDS = 0.5

# How long a child that was told twice to stop may take.
_LAST_GRACE_SECONDS = 3.0

_LONGEST_LINE = 64 * 1024 * 1024


@dataclass(frozen=True)
class Finished:
    """A child process that has ended, and what it wrote."""

    status: int
    stdout: str
    stderr: str


class Supervisor:
    """Runs asynchronous work whose child processes never outlive it.

    Every child gets a process group of its own, so that Ctrl-C on the terminal reaches this
    program alone, which then passes it on to each child once: Terraform takes one as "finish what
    is under way and save the state" and two as "stop at once". A second Ctrl-C passes on a
    second; what still runs a moment later is killed.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say`: told, in a sentence, what Ctrl-C is doing."""
        self._say = say
        self._children: dict[asyncio.subprocess.Process, str] = {}
        self._signals: list[float] = []

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs `work` to its end; raises `Interrupted` if a signal ended it."""
        received: list[int] = []
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            task = loop.create_task(work)
            for number in _SIGNALS:
                loop.add_signal_handler(number, self._on_signal, number, received, task)
            try:
                return loop.run_until_complete(task)
            except asyncio.CancelledError:
                raise Interrupted(received[0] if received else signal.SIGINT) from None

    async def call(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str],
        on_stdout: Callable[[str], None] | None = None,
        on_stderr: Callable[[str], None] | None = None,
        patience: float | None = None,
        finishes: str = "",
    ) -> Finished:
        """Runs one command, handing on its lines as they come.

        `patience`: seconds that it may take to end after Ctrl-C; absent: as long as it needs.
        `finishes`: what it does meanwhile, for the user who waits.
        """
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        self._children[process] = finishes
        assert process.stdout and process.stderr
        reading = asyncio.gather(
            _read(process.stdout, on_stdout), _read(process.stderr, on_stderr)
        )
        try:
            await asyncio.wait({asyncio.ensure_future(process.wait())})
            _kill_group(process)  # Helpers that it left behind, and that hold its output open.
            stdout, stderr = await reading
        except asyncio.CancelledError:
            await self._stop(process, patience)
            reading.cancel()
            raise
        finally:
            _kill_group(process)
            del self._children[process]
        return Finished(process.returncode or 0, stdout, stderr)

    async def _stop(self, process: asyncio.subprocess.Process, patience: float | None) -> None:
        _send(process, signal.SIGINT)
        ended = asyncio.ensure_future(process.wait())
        await asyncio.wait({ended}, timeout=patience)
        if not ended.done():
            _kill_group(process)
            await ended

    def _on_signal(self, number: int, received: list[int], task: asyncio.Task[Any]) -> None:
        now = time.monotonic()
        if self._signals and now - self._signals[-1] < _SAME_KEY_PRESS_SECONDS:
            return
        self._signals.append(now)
        received.append(number)
        if len(received) == 1:
            finishing = next((text for text in self._children.values() if text), None)
            if finishing:
                self._say(f"Stopping: {finishing} Ctrl-C again stops it at once.")
            task.cancel()
            return
        for process in list(self._children):
            _send(process, signal.SIGINT)
            asyncio.get_running_loop().call_later(_LAST_GRACE_SECONDS, _kill_group, process)


async def _read(stream: asyncio.StreamReader, on_line: Callable[[str], None] | None) -> str:
    lines = []
    while line := await stream.readline():
        text = line.decode("utf-8", "replace")
        lines.append(text)
        if on_line:
            on_line(text.rstrip("\r\n"))
    return "".join(lines)


def _send(process: asyncio.subprocess.Process, number: int) -> None:
    if process.returncode is None:
        process.send_signal(number)


def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Kills what is left of the process group that the child leads."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
