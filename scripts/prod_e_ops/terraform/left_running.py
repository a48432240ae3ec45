"""A Terraform that goes on applying a plan although the command that started it was killed."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from prod_e_ops.project.project import Stack

_POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class AppliedIn:
    """Where a stack's Terraform writes while it applies, and which process it is."""

    stack: Stack

    @property
    def folder(self) -> Path:
        """Its output lies there, so that it needs nobody to read it."""
        return self.stack.folder / ".terraform" / "prod-e-apply"

    @property
    def _file(self) -> Path:
        return self.folder / "process.json"

    def begin(self, process_id: int) -> None:
        """Notes the process; the time of its start tells it from a later one of that number."""
        try:
            started = psutil.Process(process_id).create_time()
        except psutil.Error:
            return  # It has ended already.
        noted = {"process_id": process_id, "started": started, "command": os.getpid()}
        self._file.write_text(json.dumps(noted), "utf-8")

    def end(self) -> None:
        """Forgets the process, which has ended."""
        self._file.unlink(missing_ok=True)

    @property
    def left_running(self) -> int | None:
        """The process id of the one that still applies, while its command is no more."""
        try:
            noted = json.loads(self._file.read_text("utf-8"))
            process = psutil.Process(noted["process_id"])
            is_it = abs(process.create_time() - noted["started"]) < 1
            is_left = process.ppid() != noted["command"]
            is_at_work = process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, KeyError, TypeError, psutil.Error):
            return None
        return process.pid if is_it and is_left and is_at_work else None

    async def wait(self, on_wait: Callable[[int], object]) -> None:
        """Returns once it has ended; `on_wait`: told its process id, now and then."""
        while (process_id := self.left_running) is not None:
            on_wait(process_id)
            await asyncio.sleep(_POLL_SECONDS)
