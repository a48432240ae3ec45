"""Child processes that end when the command ends, save one that has to outlive a kill."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO, ParamSpec, TypeVar

from prod_e_ops.errors import Interrupted

_P = ParamSpec("_P")
_T = TypeVar("_T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# One Ctrl-C can arrive twice: from the terminal, and passed on by npm.
_SAME_KEY_PRESS_SECONDS = 0.5

# How long a child that was told twice to stop may take. Terraform waits 5 s of that for what is
# under way, then saves the state as far as it knows it and gives its lock back.
_LAST_GRACE_SECONDS = 8.0

# What a process of another group may go on writing into a child's output after its end.
_LAST_OUTPUT_TIMEOUT_SECONDS = 5.0

# How often files that a child writes its output to are read, and whether it is stuck is asked.
_POLL_SECONDS = 0.1

# How long a child that is stuck may take to end once it is told to.
_STUCK_GRACE_SECONDS = 60.0


@dataclass(frozen=True)
class _Child:
    """A running child: how it is told to stop, and what it does before it does."""

    process: asyncio.SubprocessTransport
    finishes: str

    def interrupt(self) -> None:
        """Does what Ctrl-C on a terminal of its own would do to it."""
        if self.process.get_returncode() is None:
            self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Kills what is left of the process group that it leads."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.get_pid(), signal.SIGKILL)


_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def without_colour(text: str) -> str:
    """What a child wrote, without the sequences that colour it on a terminal."""
    return _COLOUR.sub("", text)


@dataclass(frozen=True)
class Finished:
    """A child process that has ended, and what it wrote.

    `was_stuck`: it was told to stop, because nothing came of it any more.
    """

    status: int
    stdout: str
    stderr: str
    was_stuck: bool = False


@dataclass(frozen=True, kw_only=True)
class Outlives:
    """What lets a child go on where this program is killed: it writes to files.

    `folder`: gets the files `stdout` and `stderr`, for the user alone. `on_started`: told its
    process id.
    """

    folder: Path
    on_started: Callable[[int], object]

    @contextmanager
    def files(self) -> Iterator[tuple[Mapping[int, BinaryIO], Mapping[int, BinaryIO]]]:
        """New files for the file descriptors 1 and 2, opened for the child and for this program."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as stack:
            for_child, read = {}, {}
            for descriptor, name in ((1, "stdout"), (2, "stderr")):
                file = self.folder / name
                file.unlink(missing_ok=True)
                opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
                for_child[descriptor] = stack.enter_context(os.fdopen(opened, "ab", buffering=0))
                read[descriptor] = stack.enter_context(file.open("rb", buffering=0))
            yield for_child, read


class ChildProcesses:
    """Runs asynchronous work whose child processes never outlive it, except where it is killed.

    Every child gets a process group of its own, so that Ctrl-C on the terminal reaches this
    program alone, which then passes it on to each child once: Terraform takes one as "finish what
    is under way and save the state" and two as "stop at once". A second Ctrl-C passes on a
    second; what still runs a moment later is killed.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say`: told, in a sentence, what Ctrl-C is doing."""
        self._say = say
        self._children: list[_Child] = []
        self._signals: list[float] = []

    @property
    def is_stopping(self) -> bool:
        """Whether Ctrl-C has told the children to stop."""
        return bool(self._signals)

    @property
    def stopped_at_once(self) -> bool:
        """Whether a second Ctrl-C stopped the children in the middle of what was under way."""
        return len(self._signals) > 1

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs `work` to its end; raises `Interrupted` if a signal ended it."""
        received: list[int] = []
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            loop.set_default_executor(_Threads())
            task = loop.create_task(work)
            for number in _SIGNALS:
                if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                    continue  # Started with nohup, to go on without its terminal.
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
        stdin: str | None = None,
        on_stdout: Callable[[str], object] | None = None,
        on_stderr: Callable[[str], object] | None = None,
        stop_timeout_seconds: float | None = None,
        finishes: str = "",
        private: bool = False,
        stop: asyncio.Event | None = None,
        outlives: Outlives | None = None,
        is_stuck: Callable[[], bool] | None = None,
    ) -> Finished:
        """Runs one command, handing on its lines as they come.

        `stdin`: what it can read, such as a password; absent: nothing.
        `stop_timeout_seconds`: what it may take to end after Ctrl-C; absent: as long as it needs.
        `finishes`: what it does meanwhile, for the user who waits. `private`: nobody else may read
        the files that it makes. `stop`: once it is set, the command is told to stop as Ctrl-C would
        tell it, and its end is waited for. `outlives`: it goes on to its end where this program is
        killed. `is_stuck`: asked now and then; if so, it is told to stop, and killed if it does not
        within a minute.
        """
        with ExitStack() as files:
            for_child, written = files.enter_context(outlives.files()) if outlives else ({}, {})
            process, output = await asyncio.get_running_loop().subprocess_exec(
                lambda: _Output({1: on_stdout, 2: on_stderr}, written),
                *map(str, command),
                cwd=folder,
                env=dict(environment),
                stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
                stdout=for_child.get(1, asyncio.subprocess.PIPE),
                stderr=for_child.get(2, asyncio.subprocess.PIPE),
                start_new_session=True,
                umask=0o077 if private else -1,
            )
            child = _Child(process, finishes)
            self._children.append(child)
            stopping = asyncio.ensure_future(stop.wait()) if stop else None
            is_told = False
            try:
                if outlives:
                    outlives.on_started(process.get_pid())
                if stdin is not None:
                    pipe = process.get_pipe_transport(0)
                    assert isinstance(pipe, asyncio.WriteTransport)
                    pipe.write(stdin.encode())
                    pipe.write_eof()
                ends = {output.exited, output.broken}
                was_stuck = await output.follow(
                    {*ends, *([stopping] if stopping else ())}, is_stuck=is_stuck
                )
                if was_stuck or (stop and stop.is_set()):
                    is_told = True
                    child.interrupt()
                    was_stuck = was_stuck or await output.follow(ends, is_stuck=is_stuck)
                    if was_stuck:
                        await output.follow(ends, timeout_seconds=_STUCK_GRACE_SECONDS)
                if output.broken.done():
                    await output.broken
                child.kill()  # Helpers that it left behind, and that hold its output open.
                await output.follow({output.closed}, timeout_seconds=_LAST_OUTPUT_TIMEOUT_SECONDS)
                output.end_files()
                status = process.get_returncode() or 0
                return Finished(status, output.text(1), output.text(2), was_stuck=was_stuck)
            except asyncio.CancelledError:
                # Told twice, Terraform does not save its state.
                if not is_told:
                    child.interrupt()
                await output.follow({output.exited}, timeout_seconds=stop_timeout_seconds)
                raise
            finally:
                if stopping:
                    stopping.cancel()
                child.kill()
                await asyncio.wait({output.exited})
                process.close()
                self._children.remove(child)

    def _on_signal(self, number: int, received: list[int], task: asyncio.Task[Any]) -> None:
        now = time.monotonic()
        if self._signals and now - self._signals[-1] < _SAME_KEY_PRESS_SECONDS:
            return
        self._signals.append(now)
        received.append(number)
        if len(received) == 1:
            finishing = next((child.finishes for child in self._children if child.finishes), None)
            if finishing:
                self._say(f"Stopping: {finishing} Ctrl-C again stops it at once.")
            task.cancel()
            return
        for child in list(self._children):
            child.interrupt()
            asyncio.get_running_loop().call_later(_LAST_GRACE_SECONDS, child.kill)


class _Threads(ThreadPoolExecutor):
    """Threads that nobody waits for: Ctrl-C must not wait for an AWS that does not answer."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Runs a function in a thread of its own, which the program's end ends."""
        future: Future[_T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                future.set_exception(error)
            else:
                future.set_result(result)

        Thread(target=run, daemon=True).start()
        return future


class _Output(asyncio.SubprocessProtocol):
    """Collects what a child writes, line by line, and knows when it has ended.

    `exited`: done when the process has ended. `closed`: done when nobody holds its output open any
    more, which can be later, or never. `broken`: what was raised by whom a line was handed to.
    """

    def __init__(
        self,
        on_line: Mapping[int, Callable[[str], object] | None],
        files: Mapping[int, BinaryIO],
    ) -> None:
        """See the class.

        `on_line`: what is called with each line of the file descriptors 1 and 2. `files`: what it
        writes to in place of pipes, opened to be read.
        """
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.broken: asyncio.Future[None] = loop.create_future()
        self._on_line = on_line
        self._files = files
        self._lines: dict[int, list[bytes]] = {1: [], 2: []}
        self._begun = {1: bytearray(), 2: bytearray()}

    def text(self, descriptor: int) -> str:
        """All that it has written to a file descriptor."""
        return b"".join((*self._lines[descriptor], self._begun[descriptor])).decode(
            "utf-8", "replace"
        )

    async def follow(
        self,
        until: Collection[asyncio.Future[Any]],
        *,
        timeout_seconds: float | None = None,
        is_stuck: Callable[[], bool] | None = None,
    ) -> bool:
        """Hands on what it writes until one of these is done, or the time is up.

        Whether it is stuck, which ends the wait too.
        """
        pause = _POLL_SECONDS if self._files or is_stuck else inf
        end = inf if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            wait = min(pause, max(end - time.monotonic(), 0))
            done, _ = await asyncio.wait(
                until,
                timeout=None if wait == inf else wait,
                return_when=asyncio.FIRST_COMPLETED,
            )
            self._read_files()
            if done or time.monotonic() >= end:
                return False
            if is_stuck and is_stuck():
                return True

    def end_files(self) -> None:
        """Takes the last of what it has written to files."""
        self._read_files()
        for descriptor in self._files:
            self.pipe_connection_lost(descriptor, None)

    def _read_files(self) -> None:
        for descriptor, file in self._files.items():
            if data := file.read():
                self.pipe_data_received(descriptor, data)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        begun = self._begun[fd]
        *ended, rest = data.split(b"\n")
        for line in ended:
            self._end_line(fd, bytes(begun) + line + b"\n")
            begun.clear()
        begun += rest

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if self._begun.get(fd):
            self._end_line(fd, bytes(self._begun[fd]))
            self._begun[fd].clear()

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)

    def _end_line(self, fd: int, line: bytes) -> None:
        self._lines[fd].append(line)
        on_line = self._on_line[fd]
        if on_line is None:
            return
        try:
            on_line(line.decode("utf-8", "replace").rstrip("\r\n"))
        except Exception as error:  # noqa: BLE001 - it is raised where the child is waited for
            if not self.broken.done():
                self.broken.set_exception(error)
