"""Processes that outlive the data plane for a few seconds, so that another can take them over."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

PATIENCE_SECONDS = 10
"""For how long processes go on without a data plane."""

_KEEPER = Path(__file__).with_name("keeper.py")
_POLL_SECONDS = 0.05
_START_POLL_SECONDS = 0.005


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a keeper is told. Its process gets the keeper's own environment.

    `argv`: None for a keeper that only watches. `output`: the file that stdout and stderr go to.
    `user`: the number of the user and group to run as; None: as this process does. `cleanup`: a
    program to run in the end.
    """

    argv: Sequence[str] | None
    cwd: str
    output: str
    heartbeat: str
    stop_timeout_seconds: float
    user: int | None = None
    stop_signal: int = signal.SIGTERM
    patience_seconds: int = PATIENCE_SECONDS
    cleanup: Sequence[str] | None = None


class KeptProcess:
    """A process and its keeper, by the folder in which the keeper writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._keeper: subprocess.Popen[bytes] | None = None
        self._child: int | None = None

    @classmethod
    async def start(
        cls, folder: Path, spec: Spec, *, environment: Mapping[str, str]
    ) -> "KeptProcess":
        """Starts a keeper, and it the process; raises `OSError` if the keeper cannot be."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("exit.json", "pids.json"):
            (folder / name).unlink(missing_ok=True)
        (folder / "spec.json").write_text(json.dumps(asdict(spec)), "utf-8")
        kept = cls(folder)
        with (folder / "keeper.log").open("ab") as log:
            kept._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_KEEPER), str(folder)],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not (folder / "pids.json").exists() and kept._keeper.poll() is None:
            await asyncio.sleep(_START_POLL_SECONDS)
        return kept

    @property
    def pid(self) -> int | None:
        """The process's number; None if there is none."""
        return self._pids().get("child")

    @property
    def is_alive(self) -> bool:
        """Whether the process is there, even if its keeper has not told yet that it is not."""
        if self._child is None:
            self._child = self.pid
        if self._child is None:
            return False
        try:
            os.kill(self._child, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def exit_status(self) -> int | None:
        """As `subprocess.Popen.returncode` has it; None while the process runs."""
        with suppress(FileNotFoundError):
            return int(json.loads((self.folder / "exit.json").read_text("utf-8"))["status"])
        if not self._keeper_runs():
            # Killed, and the process with it.
            if pid := self.pid:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            return -signal.SIGKILL
        return None

    async def wait(self) -> int:
        """Waits for the end of the process."""
        while (status := self.exit_status()) is None:
            await asyncio.sleep(_POLL_SECONDS)
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.wait)
        return status

    def stop(self) -> None:
        """Asks for the end of the process; its keeper kills it when its time is up."""
        if pid := self._pids().get("keeper"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """Ends the process now."""
        if pid := self.pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _pids(self) -> dict[str, int | None]:
        try:
            pids: dict[str, int | None] = json.loads((self.folder / "pids.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return pids

    def _keeper_runs(self) -> bool:
        if self._keeper is not None:
            return self._keeper.poll() is None
        pid = self._pids().get("keeper")
        if not pid:
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        command = Path(f"/proc/{pid}/cmdline")
        # The number may have been given to another process meanwhile.
        return not command.exists() or str(self.folder).encode() in command.read_bytes()
