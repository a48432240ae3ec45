"""Lets a fault strike the requests of a deployment, or the processes that make them."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil

from tests.faults.drawn import Fault, Kind
from tests.faults.proxy import (
    Answer,
    Ask,
    FaultyAws,
    Request,
    garbage,
    lost,
    throttled,
    unwell,
    web_page,
)
from tests.faults.proxy import Fault as BadAnswer

_BAD_ANSWERS: Mapping[Kind, BadAnswer] = {
    Kind.ANSWER_LOST: lost,
    Kind.THROTTLED: throttled,
    Kind.UNWELL: unwell(503),
    Kind.GARBAGE: garbage,
    Kind.WEB_PAGE: web_page,
}
_TERRAFORM = ("terraform", "tofu")

_MOST_BAD_SECONDS = 60
"""How long AWS answers badly at most: a provider that asks for one thing only waits up to five
minutes before it asks again, and twenty bad answers would take it half an hour."""


class Strike:
    """A fault that waits for its request.

    `request`: the one it struck, such as `CreateVpc`; empty as long as it has not.
    """

    def __init__(self, fault: Fault, aws: FaultyAws) -> None:
        self.fault = fault
        self.request = ""
        self.process: subprocess.Popen[bytes] | None = None
        """The command, once it runs."""
        self._aws = aws
        self._lock = threading.Lock()
        self._seen = 0
        self._left = fault.request_count
        self._until = 0.0
        self._refusing: threading.Thread | None = None

    def __call__(self, request: Request, ask: Ask) -> Answer | None:
        """What becomes of a request."""
        with self._lock:
            if is_it := not self.request and self._is_the_one(request):
                self.request = request.action
                self._until = time.monotonic() + _MOST_BAD_SECONDS
            is_bad = self._left > 0 and time.monotonic() < self._until
            self._left -= is_bad
        kind = self.fault.kind
        if kind in _BAD_ANSWERS:
            return _BAD_ANSWERS[kind](request, ask) if is_bad else ask()
        if kind is Kind.REFUSED:
            if is_it:
                self._refusing = threading.Thread(target=self._refuse)
                self._refusing.start()
            return None if self._refusing and self._refusing.is_alive() else ask()
        if not is_it:
            return ask()
        return self._strike_processes(ask)

    def _is_the_one(self, request: Request) -> bool:
        self._seen += request.changes or not self.fault.of_changes
        return self._seen == self.fault.strikes_at

    def wait(self) -> None:
        """Returns once AWS is as it was."""
        if self._refusing:
            self._refusing.join()

    def _refuse(self) -> None:
        self._aws.refuse()
        time.sleep(self.fault.seconds)
        self._aws.listen()

    def _strike_processes(self, ask: Ask) -> Answer | None:
        answer = ask() if self.fault.is_carried_out else None
        assert self.process is not None
        if self.fault.kind is Kind.INTERRUPTED:
            self.process.send_signal(signal.SIGINT)
            return answer or ask()
        if self.fault.kind is Kind.COMMAND_KILLED:
            self.process.kill()
            return answer or ask()
        kill_all_of(
            self.process.pid,
            lambda process: (
                self.fault.kind is Kind.MACHINE_DIED or process.name().startswith(_TERRAFORM)
            ),
        )
        return None


def kill_all_of(pid: int, condition: Callable[[psutil.Process], bool]) -> None:
    """Kills with -9, in one go, a process and what it has started, as far as `condition` holds."""
    doomed = []
    with suppress(psutil.NoSuchProcess):
        command = psutil.Process(pid)
        for process in (command, *command.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                if condition(process):
                    doomed.append(process.pid)
    for each in doomed:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
