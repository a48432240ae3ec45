"""A process outlives the data plane that started it for as long as it is patient, and no longer."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from embedded_aws.data_plane import keeper
from embedded_aws.data_plane.kept_process import KeptProcess, Spec

T = TypeVar("T")

IDLE = "while :; do sleep 0.05; done"
WITHIN_SECONDS = 60


def spec_of(folder: Path, script: str | None, **changes: Any) -> Spec:
    heartbeat = folder / "heartbeat"
    heartbeat.touch()
    given: dict[str, Any] = {
        "argv": None if script is None else ["sh", "-c", script],
        "cwd": str(folder),
        "output": str(folder / "output"),
        "heartbeat": str(heartbeat),
        "stop_timeout_seconds": 30,
    }
    return Spec(**given | changes)


def kept(
    folder: Path,
    script: str | None,
    work: Callable[[KeptProcess], Awaitable[T]],
    *,
    environment: dict[str, str] | None = None,
    **changes: Any,
) -> T:
    """What becomes of a process while something is done with it."""

    async def run() -> T:
        process = await KeptProcess.start(
            folder / "kept",
            spec_of(folder, script, **changes),
            environment={"PATH": os.environ["PATH"], **(environment or {})},
        )
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                return await work(process)
        finally:
            (folder / "heartbeat").unlink(missing_ok=True)
            assert process._keeper is not None
            await asyncio.to_thread(process._keeper.wait)

    return asyncio.run(run())


async def until(found: Callable[[], object]) -> None:
    while not found():
        await asyncio.sleep(0.01)


def is_there(pid: int) -> bool:
    try:
        # What has ended and nobody has waited for yet has ended.
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


async def stop_when_ready(process: KeptProcess) -> int:
    """Asks for its end once it has said that it is ready."""
    output = process.folder.parent / "output"
    await until(lambda: "ready" in output.read_text())
    assert process.is_alive
    assert process.exit_status() is None
    process.stop()
    return await process.wait()


def test_it_runs_as_it_is_told_and_its_status_is_kept(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("before\n")
    script = 'pwd; echo "$WORD" >&2; cat; exit 3'
    status = kept(tmp_path, script, KeptProcess.wait, environment={"WORD": "said"})
    assert status == 3
    assert (tmp_path / "output").read_text() == f"before\n{tmp_path}\nsaid\n"
    # Whoever takes it over reads the same.
    assert KeptProcess(tmp_path / "kept").exit_status() == 3


def test_what_an_earlier_one_left_says_nothing_of_the_next(tmp_path: Path) -> None:
    async def run() -> None:
        folder = tmp_path / "tasks" / "1"
        spec = spec_of(tmp_path, IDLE)
        first = await KeptProcess.start(folder, spec, environment={"PATH": os.environ["PATH"]})
        first.kill()
        assert await first.wait() == -signal.SIGKILL
        second = await KeptProcess.start(folder, spec, environment={"PATH": os.environ["PATH"]})
        try:
            assert second.exit_status() is None
            assert second.pid != first._child
            assert second.is_alive
        finally:
            (tmp_path / "heartbeat").unlink()
            await second.wait()

    asyncio.run(asyncio.wait_for(run(), WITHIN_SECONDS))


@pytest.mark.skipif(sys.platform != "linux", reason="it is looked up in /proc")
def test_its_keeper_has_nothing_of_a_terminal(tmp_path: Path) -> None:
    async def look(process: KeptProcess) -> None:
        keeper_pid = process._pids()["keeper"]
        assert keeper_pid is not None
        open_files = [Path(f"/proc/{keeper_pid}/fd/{number}").readlink() for number in range(3)]
        assert open_files == [Path("/dev/null"), *[process.folder / "keeper.log"] * 2]
        # Ctrl-C is for those in the terminal's own session.
        assert os.getsid(keeper_pid) == keeper_pid
        assert os.getsid(process.pid or 0) == process.pid

    reading, writing = os.pipe()
    own = os.dup(0)
    try:
        os.dup2(reading, 0)
        kept(tmp_path, IDLE, look)
    finally:
        os.dup2(own, 0)
        for each in (reading, writing, own):
            os.close(each)


def test_it_is_asked_to_stop_by_the_signal_that_it_understands(tmp_path: Path) -> None:
    script = f"trap 'exit 7' INT; echo ready; {IDLE}"
    assert kept(tmp_path, script, stop_when_ready, stop_signal=signal.SIGINT) == 7


def test_it_is_killed_when_its_time_to_stop_is_up(tmp_path: Path) -> None:
    script = f"trap 'echo asked' TERM; echo ready; {IDLE}"
    began = time.monotonic()
    assert kept(tmp_path, script, stop_when_ready, stop_timeout_seconds=0.3) == -signal.SIGKILL
    assert time.monotonic() - began >= 0.3
    # Asked once, though it is looked at several times.
    assert (tmp_path / "output").read_text() == "ready\nasked\n"


def test_it_is_killed_at_once(tmp_path: Path) -> None:
    async def kill(process: KeptProcess) -> int:
        process.kill()
        status = await process.wait()
        assert process._keeper is not None
        # Nothing of it is left, not even for its parent to look at.
        assert process._keeper.returncode == 0
        return status

    assert kept(tmp_path, IDLE, kill, patience_seconds=600) == -signal.SIGKILL


def test_what_it_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    assert kept(tmp_path, "sleep 600 & echo $! >left; exit 0", KeptProcess.wait) == 0
    left = int((tmp_path / "left").read_text())

    async def wait_for_its_end() -> None:
        async with asyncio.timeout(WITHIN_SECONDS):
            await until(lambda: not is_there(left))

    asyncio.run(wait_for_its_end())


@pytest.mark.parametrize("heart", ["gone", "still"])
def test_nobody_who_looks_after_it_is_its_end(tmp_path: Path, heart: str) -> None:
    cleanup = ["sh", "-c", f"echo clean >{tmp_path}/cleaned"]

    async def wait(process: KeptProcess) -> int:
        if heart == "gone":
            (tmp_path / "heartbeat").unlink()
        return await process.wait()

    status = kept(
        tmp_path, IDLE, wait, patience_seconds=1 if heart == "still" else 600, cleanup=cleanup
    )
    assert status == -signal.SIGKILL
    assert (tmp_path / "cleaned").read_text() == "clean\n"


@pytest.fixture
def signals() -> Iterator[None]:
    """What a keeper does with signals is undone."""
    kept = {
        each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    }
    yield
    signal.set_wakeup_fd(-1)
    for each, handler in kept.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("signals")
def test_a_heart_that_beats_keeps_it_and_a_machine_that_slept_is_no_reason_to_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(tmp_path, None, patience_seconds=3)
    (tmp_path / "spec.json").write_text(json.dumps(asdict(spec)))
    looks = [0.0]

    def look(*waits: object) -> tuple[list[int], ...]:
        assert waits[-1] == 1.0
        looks.append(looks[-1] + (1000 if len(looks) == 3 else 1))
        if len(looks) in (2, 3, 5):
            os.utime(tmp_path / "heartbeat", (len(looks), len(looks)))
        return [], [], []

    monkeypatch.setattr(keeper, "select", SimpleNamespace(select=look))
    monkeypatch.setattr(keeper, "time", SimpleNamespace(monotonic=lambda: looks[-1]))
    monkeypatch.setattr(sys, "argv", ["keeper.py", str(tmp_path)])
    keeper.main()
    # It beat before the first two looks and the fourth.
    assert len(looks) - 1 == 7


@pytest.mark.usefixtures("signals")
def test_a_signal_wakes_a_keeper_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(tmp_path, None)
    (tmp_path / "spec.json").write_text(json.dumps(asdict(spec)))
    woken: list[bool] = []

    def look(waits: list[int], *_: object) -> tuple[list[int], list[int], list[int]]:
        if len(woken) == 1:
            os.kill(os.getpid(), signal.SIGCHLD)
        found = select.select(waits, [], [], 0)[0]
        woken.append(bool(found))
        if len(woken) == 4:
            (tmp_path / "heartbeat").unlink()
        return found, [], []

    monkeypatch.setattr(keeper, "select", SimpleNamespace(select=look))
    monkeypatch.setattr(sys, "argv", ["keeper.py", str(tmp_path)])
    keeper.main()
    assert woken == [False, True, False, False]


def test_a_keeper_that_is_killed_takes_it_along(tmp_path: Path) -> None:
    async def kill_keeper(process: KeptProcess) -> Sequence[int | None]:
        assert process._keeper is not None
        pid = process.pid
        assert pid is not None
        process._keeper.kill()
        if sys.platform == "linux":
            # Even before anybody asks how it ended.
            await until(lambda: not is_there(pid))
        return [await process.wait()]

    assert kept(tmp_path, IDLE, kill_keeper) == [-signal.SIGKILL]


def test_what_it_left_behind_ends_even_with_a_keeper_that_is_killed(tmp_path: Path) -> None:
    async def kill_keeper(process: KeptProcess) -> int:
        left = tmp_path / "left"
        await until(lambda: left.exists() and left.read_text())
        assert process._keeper is not None
        process._keeper.kill()
        status = await process.wait()
        await until(lambda: not is_there(int(left.read_text())))
        return status

    kept(tmp_path, f"sleep 600 & echo $! >left; {IDLE}", kill_keeper)


def test_a_keeper_is_nothing_to_interrupt(tmp_path: Path) -> None:
    async def interrupt(process: KeptProcess) -> int:
        keeper_pid = process._pids()["keeper"]
        assert keeper_pid is not None
        os.kill(keeper_pid, signal.SIGINT)
        await asyncio.sleep(0.1)
        assert process.exit_status() is None
        process.stop()
        return await process.wait()

    # One that dies of it takes its process along by SIGKILL.
    assert kept(tmp_path, IDLE, interrupt) == -signal.SIGTERM


def test_a_keeper_that_is_no_more_has_ended(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "pids.json").write_text(json.dumps({"keeper": ended.pid, "child": None}))
    assert KeptProcess(tmp_path).exit_status() == -signal.SIGKILL


def test_another_takes_it_over_and_stops_it(tmp_path: Path) -> None:
    async def take_over(_: KeptProcess) -> tuple[bool, int, bool]:
        other = KeptProcess(tmp_path / "kept")
        assert other.exit_status() is None
        was_alive = other.is_alive
        other.stop()
        return was_alive, await other.wait(), other.is_alive

    assert kept(tmp_path, IDLE, take_over) == (True, -signal.SIGTERM, False)


def test_a_keeper_without_a_process_cleans_up_when_it_is_stopped(tmp_path: Path) -> None:
    async def stop(process: KeptProcess) -> Sequence[object]:
        known = process.pid, process.is_alive, process.exit_status()
        process.stop()
        return [*known, await process.wait()]

    cleanup = ["sh", "-c", f"echo clean >{tmp_path}/cleaned"]
    assert kept(tmp_path, None, stop, cleanup=cleanup) == [None, False, None, -signal.SIGKILL]
    assert (tmp_path / "cleaned").read_text() == "clean\n"
    assert json.loads((tmp_path / "kept" / "pids.json").read_text())["child"] is None
    assert not (tmp_path / "kept" / "exit.json").exists()


def test_nothing_is_known_of_what_never_ran(tmp_path: Path) -> None:
    process = KeptProcess(tmp_path / "kept")
    assert (process.pid, process.is_alive) == (None, False)
    assert process.exit_status() == -signal.SIGKILL
    process.stop()
    process.kill()
