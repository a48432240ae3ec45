"""Lets faults strike an environment on an embedded AWS, and has `prod-e deploy` get over them."""

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Self

import psutil

from embedded_aws import EmbeddedAws
from tests.faults.drawn import Fault, Life, Target
from tests.faults.inventory import named_in_states, pages, what_aws_has
from tests.faults.proxy import FaultyAws
from tests.faults.strike import Strike, kill_all_of
from tests.support.aws.aws_clients import client_of
from tests.support.aws.put_images import put_images
from tests.support.command.forked_command import PROD_E
from tests.support.command.processes import processes_with
from tests.support.project.project_folder import make_project

MOST_COMMANDS = 3
"""How many deployments may follow a fault until all is as it is to be."""

COMMAND_SECONDS = 1_800
"""What one command may take on a busy machine."""

_DEPLOY = ("deploy", "--yes")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a fault.

    `struck`: the request that it struck, such as `CreateVpc`; empty: none. `status`: the exit
    status of the deployment that it struck. `commands`: how many more were run. `seconds`: how long
    it took until all was as it is to be, the plans that show it included. `deleted`: the commands
    that the last deployment named for what it left, and that were run. `orphans`: what AWS then has
    and no state names. `problems`: what is not as it is to be, a line each. `folder`: of the
    project, whose logs tell more.
    """

    fault: Fault
    struck: str
    status: int
    commands: int
    seconds: float
    deleted: Sequence[str]
    orphans: Sequence[str]
    problems: Sequence[str]
    folder: Path

    @property
    def converged(self) -> bool:
        """Whether all is as if there had been no fault."""
        return not self.problems and not self.orphans


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The life of one environment, in a folder of its own.

    `proxy`: stands before `aws`. `cli`: gives the AWS CLI's program.
    """

    aws: EmbeddedAws
    proxy: FaultyAws
    cli: Callable[[], str]
    folder: Path
    name: str
    _ran: list[Path] = field(default_factory=list)

    def live(self, life: Life) -> Iterator[Outcome]:
        """Strikes with one fault after another; the last is one that was not got over."""
        make_project(self._project)
        self._temporary.mkdir()
        at_first = what_aws_has(self.aws)
        if before := life[0].before:
            self._set(before)
            assert self._run(*_DEPLOY) == 0, self._ran[-1].read_text()
        for fault in life:
            self._set(fault.target)
            outcome = self._try(fault, at_first)
            yield outcome
            if not outcome.converged:
                return

    def _set(self, target: Target) -> None:
        settings = self._project / "environments" / f"{self.name}.toml"
        settings.write_text(target.toml(self.name))

    def _try(self, fault: Fault, at_first: frozenset[tuple[str, str]]) -> Outcome:
        strike = Strike(fault, self.proxy)
        self.proxy.fault = strike
        status = self._run(*_DEPLOY, strike=strike)
        strike.wait()
        self.proxy.fault = None
        problems = [] if strike.request else ["the fault struck nothing"]
        commands, begun = 0, time.monotonic()
        left = self._what_is_left(status)
        while left and commands < MOST_COMMANDS:
            left = self._what_is_left(self._run(*_DEPLOY, "--take-over"))
            commands += 1
        seconds = time.monotonic() - begun
        deleted = [] if left else self._named_commands()
        for command in deleted:
            problems += self._run_named(command)
        problems += self._what_is_left(0) if deleted else left
        problems += self._what_is_told_wrong()
        there = what_aws_has(self.aws) - at_first
        named = named_in_states(self._project)
        return Outcome(
            fault=fault,
            struck=strike.request,
            status=status,
            commands=commands,
            seconds=seconds,
            deleted=deleted,
            orphans=sorted(" ".join(each) for each in there if each[1] not in named),
            problems=problems,
            folder=self.folder,
        )

    def _named_commands(self) -> Sequence[str]:
        """What the last deployment says that deletes what it left."""
        log = [file for file in self._ran if file.stem.endswith("deploy")][-1]
        lines = log.read_text(errors="replace").splitlines()
        return [line.strip() for line in lines if line.startswith("    aws ")]

    def _run_named(self, command: str) -> Iterator[str]:
        """Runs it as somebody would who has read it; what is wrong with it."""
        _, *arguments = shlex.split(command)
        done = subprocess.run(
            [self.cli(), *arguments],
            env=self.aws.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            yield f"{command} failed: {done.stderr.strip()}"

    def _push_images(self) -> None:
        """What a person does once there are repositories: a service does not start without."""
        ecr = client_of(self.aws, "ecr")
        for repository in pages(ecr, "describe_repositories", "repositories"):
            name = repository["repositoryName"]
            is_its = name.startswith(f"{self.name}-")
            if is_its and not ecr.list_images(repositoryName=name)["imageIds"]:
                put_images(self.aws, name)
        ecr.close()

    def _run(self, *arguments: str, strike: Strike | None = None) -> int:
        """Runs the command to its end, and keeps what it writes; returns its exit status."""
        self._push_images()
        number = len(self._ran)
        log = self.folder / f"{number:02}-{arguments[0]}.log"
        self._ran.append(log)
        if strike:
            log.write_text(f"{strike.fault}\n")
        with log.open("ab") as stderr, log.with_suffix(".out").open("wb") as stdout:
            process = subprocess.Popen(
                [PROD_E, *arguments, "--environment", self.name],
                cwd=self._project,
                env={
                    **self.aws.environment(),
                    "AWS_ENDPOINT_URL": self.proxy.url,
                    "TMPDIR": str(self._temporary),
                    "VIRTUAL_ENV": sys.prefix,
                },
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
            if strike:
                strike.process = process
            try:
                return process.wait(COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                kill_all_of(process.pid, lambda _: True)
                process.wait()
                return -signal.SIGKILL

    def _what_is_left(self, status: int) -> Sequence[str]:
        """What is to be done after a deployment with that exit status; nothing, as it is to be."""
        if status != 0:
            return [f"deploy ended with {status}"]
        if (planned := self._run("plan", "--json")) != 0:
            return [f"plan ended with {planned}"]
        answer = json.loads(self._ran[-1].with_suffix(".out").read_text())
        return [
            f"planned once more: {what} {each}"
            for stack in answer["stacks"]
            for what in ("created", "changed", "replaced", "destroyed", "imported", "forgotten")
            for each in stack[what]
        ]

    def _what_is_told_wrong(self) -> Iterator[str]:
        """What commands have written and left behind and never may."""
        for log in self._ran:
            for file in (log, log.with_suffix(".out")):
                if "Traceback" in file.read_text(errors="replace"):
                    yield f"a traceback in {file.name}"
        for file in chain(*map(readable_by_others, (self._project, self._temporary))):
            if self.aws.account_id.encode() in file.read_bytes():
                yield f"others may read values in {file.relative_to(self.folder)}"
        for line in processes_with(self._temporary):
            yield f"still runs: {line}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what still runs, which is a fault of its own."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("TMPDIR") == str(self._temporary):
                    process.kill()

    @property
    def _project(self) -> Path:
        return self.folder / "project"

    @property
    def _temporary(self) -> Path:
        return self.folder / "temporary"


def readable_by_others(folder: Path) -> Iterator[Path]:
    """The files that others than their owner can read, in folders that they can go into."""
    for path, folders, files in os.walk(folder):
        # The settings and what is synthesised from them are for whoever may see the project.
        folders[:] = [
            name
            for name in folders
            if name != "providers" and (Path(path) / name).lstat().st_mode & 0o077
        ]
        for name in files:
            mode = (Path(path) / name).lstat().st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                yield Path(path) / name
