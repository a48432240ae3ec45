"""Runs one process, and ends it when nobody looks after it any more.

A script of its own that needs nothing but Python: `python keeper.py <folder>`, where the folder
holds `spec.json` (see `kept_process.Spec`). It outlives the data plane that started it, so that
another one can take its process over; when the heartbeat file has not changed for as many seconds
as the specification says, or is gone, it ends its process and itself. SIGTERM: it asks its process
to stop, and kills it when its time is up. How the process ended is written to `exit.json`.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_KILL_POLL_SECONDS = 0.2


def main() -> None:
    """Runs the process of the specification to its end."""
    folder = Path(sys.argv[1])
    spec = json.loads((folder / "spec.json").read_text("utf-8"))
    received, sender = os.pipe()
    os.set_blocking(sender, False)
    signal.set_wakeup_fd(sender)
    asked: list[float] = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(time.monotonic()))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = _start(spec) if spec["argv"] else None
    _write(folder / "pids.json", {"keeper": os.getpid(), "child": child.pid if child else None})
    beat, still_seconds, checked = "", 0, time.monotonic()
    kill_at: float | None = None
    while child is None or child.poll() is None:
        if select.select([received], [], [], _KILL_POLL_SECONDS if kill_at else 1.0)[0]:
            os.read(received, 1024)
        now = time.monotonic()
        if now - checked >= 1:
            # Seconds in which this process ran: a machine that slept is no reason to end anything.
            checked = now
            last, beat = beat, _beat(spec["heartbeat"])
            still_seconds = still_seconds + 1 if beat == last else 0
        if not Path(spec["heartbeat"]).exists():
            break
        if still_seconds >= spec["patience_seconds"]:
            break
        if asked and child is None:
            break
        if asked and kill_at is None and child is not None:
            kill_at = asked[0] + spec["stop_timeout_seconds"]
            child.send_signal(spec["stop_signal"])
        if kill_at is not None and now >= kill_at:
            break
    if spec["cleanup"]:
        subprocess.run(spec["cleanup"], check=False, stdin=subprocess.DEVNULL)
    if child is not None:
        _end_group(child)
        _write(folder / "exit.json", {"status": child.wait()})


def _start(spec: dict[str, Any]) -> "subprocess.Popen[bytes]":
    def before() -> None:
        # A keeper ignores Ctrl-C, which a shell or Python would take over and not stop by it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # On Linux the process does not even outlive a keeper that is killed.
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    user = spec["user"]
    with Path(spec["output"]).open("ab") as output:
        return subprocess.Popen(
            spec["argv"],
            cwd=spec["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=before,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )


def _beat(path: str) -> str:
    try:
        return str(Path(path).stat().st_mtime_ns)
    except OSError:
        return ""


def _end_group(child: "subprocess.Popen[bytes]") -> None:
    # What a container's first process leaves behind ends with it.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _write(path: Path, value: object) -> None:
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(value), "utf-8")
    partial.replace(path)


if __name__ == "__main__":
    main()
