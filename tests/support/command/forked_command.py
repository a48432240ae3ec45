"""The `prod-e` command without its start: processes that have everything imported already.

Python takes most of the time of a short command to read what it imports. Here one process does so
for all tests of a worker, and forks itself for each command, which has a working directory, an
environment and streams of its own as any process has.
"""

import atexit
import gc
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from json import dump, load
from pathlib import Path

PROD_E = Path(sys.executable).with_name("prod-e")


def run_prod_e(
    *arguments: str, folder: Path, variables: Mapping[str, str], timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, without a terminal.

    `folder`: its working directory. `variables`: all of its environment.

    Raises `subprocess.TimeoutExpired`.
    """
    # Coverage knows by a process's start whose it is.
    if "COVERAGE_PROCESS_START" in os.environ:
        return subprocess.run(
            [PROD_E, *arguments],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
    with (
        tempfile.TemporaryFile("w+") as request,
        tempfile.TemporaryFile("w+", encoding="utf-8") as stdout,
        tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
    ):
        dump((arguments, str(folder), dict(variables)), request)
        request.flush()
        connection = _connection()
        connection.settimeout(None)
        socket.send_fds(connection, [b"."], [each.fileno() for each in (request, stdout, stderr)])
        pid = _receive(connection)
        connection.settimeout(timeout_seconds)
        try:
            status = _receive(connection)
        except TimeoutError:
            os.kill(pid, 9)
            connection.settimeout(None)
            _receive(connection)
            raise subprocess.TimeoutExpired(["prod-e", *arguments], timeout_seconds) from None
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(
            [PROD_E, *arguments], status, stdout.read(), stderr.read()
        )


@cache
def _connection() -> socket.socket:
    """To the process that forks, which ends when this one does."""
    ours, its = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, __file__, str(its.fileno())],
        stdin=subprocess.DEVNULL,
        pass_fds=[its.fileno()],
        start_new_session=True,
    )
    its.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _send(connection: socket.socket, number: int) -> None:
    connection.sendall(number.to_bytes(4, "big", signed=True))


def _receive(connection: socket.socket) -> int:
    received = connection.recv(4)
    assert received, "the process that forks has ended"
    return int.from_bytes(received, "big", signed=True)


def _fork_when_asked(connection: socket.socket) -> Sequence[int]:
    """Returns in each process that it forks, with the files that the process is given."""
    while True:
        _, files, _, _ = socket.recv_fds(connection, 1, 3)
        if not files:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            connection.close()
            return files
        for file in files:
            os.close(file)
        _send(connection, pid)
        _, status = os.waitpid(pid, 0)
        _send(connection, os.waitstatus_to_exitcode(status))


def _become(request: int, stdout: int, stderr: int) -> None:
    """Makes this process the one that was asked for."""
    os.lseek(request, 0, os.SEEK_SET)
    with open(request) as file:
        arguments, folder, variables = load(file)
    for given, standard in ((stdout, 1), (stderr, 2)):
        os.dup2(given, standard)
        os.close(given)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = [str(PROD_E), *arguments]


def _main() -> None:
    from prod_e_ops.__main__ import main
    from prod_e_ops.cli import COMMANDS

    for module in {command.module for command in COMMANDS.values()}:
        import_module(f"prod_e_ops.commands.{module}")
    # What is here already is nobody's to collect.
    gc.freeze()
    _become(*_fork_when_asked(socket.socket(fileno=int(sys.argv[1]))))
    main()


if __name__ == "__main__":
    _main()
