"""A command's child processes end with it, in the way that each of them needs."""

import asyncio
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prod_e_ops.errors import Interrupted
from prod_e_ops.terminal import processes
from prod_e_ops.terminal.processes import ChildProcesses, Finished
from tests.support.command.processes import is_running

END_SECONDS = 120

# Writes its process id, then runs until it is told to stop.
PATIENT = """
import os, pathlib, signal, sys, time
def finish(*_):
    pathlib.Path("finished").write_text("its work")
    sys.exit(0)
signal.signal(signal.SIGINT, finish)
pathlib.Path("pid").write_text(str(os.getpid()))
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""

# Does not stop for a signal that it can ignore.
STUBBORN = """
import os, pathlib, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
pathlib.Path("pid").write_text(str(os.getpid()))
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


class Told:
    """What the user is told, and what a running command waits for."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.processes = ChildProcesses(self.said.append)

    def run(self, folder: Path, program: str, **options: object) -> Finished:
        return self.processes.run(self.call(folder, program, **options))

    async def call(self, folder: Path, program: str, **options: object) -> Finished:
        return await self.processes.call(
            [sys.executable, "-c", program],
            folder=folder,
            environment=os.environ,
            **options,  # type: ignore[arg-type]
        )


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """Whatever a test does: what it started runs no longer at its end."""
    yield
    # What was killed takes a moment to end on a busy machine.
    deadline = time.monotonic() + END_SECONDS
    for file in tmp_path.glob("*pid"):
        while is_running(int(file.read_text())):
            assert time.monotonic() < deadline, f"{file.name} still runs"
            time.sleep(0.05)


@pytest.fixture(autouse=True)
def signals_are_taken() -> Iterator[None]:
    """Also in tests that `nohup` runs, which ignore SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def press(number: int = signal.SIGINT) -> Callable[[str], None]:
    """Sends this process a signal as soon as the child says that it is ready."""

    def on_line(line: str) -> None:
        if line == "ready":
            os.kill(os.getpid(), number)

    return on_line


def test_a_command_gives_its_exit_status_and_both_of_its_outputs(
    told: Told, tmp_path: Path
) -> None:
    finished = told.run(
        tmp_path, "import sys; print('ö'); print('b', file=sys.stderr); sys.exit(7)"
    )
    assert finished == Finished(status=7, stdout="ö\n", stderr="b\n")


def test_lines_are_handed_on_as_they_come_and_bytes_that_are_no_text_do_no_harm(
    told: Told, tmp_path: Path
) -> None:
    lines: list[str] = []
    program = r"import sys; sys.stdout.buffer.write(b'one\r\ntwo \xff\nthree')"
    finished = told.run(tmp_path, program, on_stdout=lines.append)
    assert lines == ["one", "two �", "three"]
    assert finished.stdout == "one\r\ntwo �\nthree"


def test_a_line_of_many_megabytes_is_read_whole(told: Told, tmp_path: Path) -> None:
    finished = told.run(tmp_path, "print('x' * 5_000_000)")
    assert len(finished.stdout) == 5_000_001


def test_a_command_runs_in_its_folder_with_its_environment_and_without_input(
    told: Told, tmp_path: Path
) -> None:
    program = "import os, sys; print(os.getcwd(), sorted(os.environ), sys.stdin.read())"

    async def work() -> Finished:
        return await told.processes.call(
            [sys.executable, "-I", "-c", program],
            folder=tmp_path,
            environment={"LC_ALL": "C", "GIVEN": "yes"},
        )

    assert told.processes.run(work()).stdout.startswith(f"{tmp_path.resolve()} ['GIVEN', 'LC_ALL")


def test_what_a_command_is_to_read_reaches_it_whole(told: Told, tmp_path: Path) -> None:
    finished = told.run(
        tmp_path, "import sys; print(len(sys.stdin.read()))", stdin="secret" * 100_000
    )
    assert finished.stdout == "600000\n"


def test_a_command_need_not_read_what_it_is_given(told: Told, tmp_path: Path) -> None:
    assert told.run(tmp_path, "print('done')", stdin="x" * 1_000_000) == Finished(0, "done\n", "")


def test_a_helper_that_a_command_leaves_behind_is_ended_with_it(told: Told, tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import pathlib, subprocess, sys
        helper = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}])
        while not pathlib.Path("pid").exists() or not pathlib.Path("pid").read_text():
            pass
        print("done")
        """
    )
    assert "done" in told.run(tmp_path, program).stdout
    assert (tmp_path / "pid").exists()


def test_output_that_a_stranger_keeps_open_does_not_keep_the_command(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prod_e_ops.terminal.processes._LAST_OUTPUT_TIMEOUT_SECONDS", 0.1)
    program = textwrap.dedent(
        f"""
        import pathlib, subprocess, sys
        subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], start_new_session=True)
        while not pathlib.Path("pid").exists() or not pathlib.Path("pid").read_text():
            pass
        print("done")
        """
    )
    try:
        assert "done" in told.run(tmp_path, program).stdout
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_an_error_while_reading_a_commands_lines_ends_the_command(
    told: Told, tmp_path: Path
) -> None:
    def on_line(_: str) -> None:
        raise LookupError("no such line")

    with pytest.raises(LookupError):
        told.run(tmp_path, STUBBORN, on_stdout=on_line)


def test_one_failure_among_several_commands_ends_the_others(told: Told, tmp_path: Path) -> None:
    async def work() -> None:
        async with asyncio.TaskGroup() as group:

            async def fail() -> None:
                while not (tmp_path / "pid").exists():
                    await asyncio.sleep(0.01)
                raise LookupError

            group.create_task(told.call(tmp_path, STUBBORN, stop_timeout_seconds=0.1))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup):
        told.processes.run(work())


def test_ctrl_c_lets_a_command_finish_what_is_under_way(told: Told, tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as interrupted:
        told.run(tmp_path, PATIENT, on_stdout=press(), finishes="It saves its state.")
    assert interrupted.value.exit_status == 130
    assert (tmp_path / "finished").read_text() == "its work"
    assert told.said == ["Stopping: It saves its state. Ctrl-C again stops it at once."]
    assert not told.processes.stopped_at_once


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_exit_status_tells_which_signal_ended_the_command(
    told: Told, tmp_path: Path, number: int, status: int
) -> None:
    with pytest.raises(Interrupted) as interrupted:
        told.run(tmp_path, PATIENT, on_stdout=press(number))
    assert interrupted.value.exit_status == status
    assert (tmp_path / "finished").exists()


def test_a_command_with_nothing_to_save_is_given_little_time_to_stop(
    told: Told, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        told.run(tmp_path, STUBBORN, on_stdout=press(), stop_timeout_seconds=0.1)
    assert told.said == []


def test_a_second_ctrl_c_ends_a_command_that_does_not_stop(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prod_e_ops.terminal.processes._SAME_KEY_PRESS_SECONDS", 0)
    monkeypatch.setattr("prod_e_ops.terminal.processes._LAST_GRACE_SECONDS", 0.1)

    async def work() -> None:
        pressed = asyncio.create_task(twice())
        try:
            await told.call(tmp_path, STUBBORN, on_stdout=press())
        finally:
            await pressed

    async def twice() -> None:
        while not told.processes._signals:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as interrupted:
        told.processes.run(work())
    assert interrupted.value.exit_status == 130
    assert told.processes.stopped_at_once


def test_one_key_press_that_arrives_twice_counts_once(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may take longer than half a second to bring the second.
    monkeypatch.setattr("prod_e_ops.terminal.processes._SAME_KEY_PRESS_SECONDS", END_SECONDS)

    def on_line(line: str) -> None:
        press()(line)
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)

    slow = PATIENT.replace("sys.exit(0)", "time.sleep(0.3)\n    sys.exit(0)")
    with pytest.raises(Interrupted):
        told.run(tmp_path, slow, on_stdout=on_line)
    assert not told.processes.stopped_at_once
    assert (tmp_path / "finished").exists()


@pytest.mark.parametrize("is_told", [False, True])
def test_a_program_of_which_nothing_comes_is_stopped_even_where_it_was_told_to(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    monkeypatch.setattr(processes, "_STUCK_GRACE_SECONDS", 0.5)

    async def work() -> Finished:
        ready, never = asyncio.Event(), asyncio.Event()
        return await told.call(
            tmp_path,
            STUBBORN,
            on_stdout=lambda _: ready.set(),
            stop=ready if is_told else never,
            is_stuck=ready.is_set,
        )

    finished = told.processes.run(work())
    assert finished.was_stuck
    assert finished.status == -signal.SIGKILL


def test_nothing_goes_on_waiting_to_stop_a_program_that_has_ended(
    told: Told, tmp_path: Path
) -> None:
    async def work() -> None:
        await told.call(tmp_path, "", stop=asyncio.Event())
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    told.processes.run(work())


def test_work_without_a_command_can_be_interrupted_too(told: Told) -> None:
    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    with pytest.raises(Interrupted) as interrupted:
        told.processes.run(work())
    assert interrupted.value.exit_status == 130


@pytest.mark.timeout(30)
def test_ctrl_c_does_not_wait_for_a_thread_that_is_stuck(told: Told) -> None:
    answered = threading.Event()

    async def work() -> None:
        stuck = asyncio.create_task(asyncio.to_thread(answered.wait))
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGINT)
        await stuck

    with pytest.raises(Interrupted):
        told.processes.run(work())
    assert not answered.is_set()
    answered.set()


def test_what_a_thread_gives_or_raises_arrives(told: Told) -> None:
    async def work() -> None:
        assert await asyncio.to_thread(int, "7") == 7
        await asyncio.to_thread(int, "seven")

    with pytest.raises(ValueError, match="seven"):
        told.processes.run(work())


def test_a_command_started_with_nohup_outlives_its_terminal(told: Told) -> None:
    async def work() -> str:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        return "done"

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert told.processes.run(work()) == "done"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_signals_are_as_before_once_the_work_is_done(told: Told, tmp_path: Path) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    told.run(tmp_path, "pass")
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_program_that_does_not_exist_is_told_and_leaves_nothing(
    told: Told, tmp_path: Path
) -> None:
    async def work() -> Finished:
        return await told.processes.call(
            [tmp_path / "missing"], folder=tmp_path, environment=os.environ
        )

    with pytest.raises(FileNotFoundError):
        told.processes.run(work())
