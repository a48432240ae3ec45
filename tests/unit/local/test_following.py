"""What `prod-e local` shows while it runs, what it rolls out, and how it ends."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e.settings import Environment
from prod_e_ops.demo.beside import beside
from prod_e_ops.demo.life import until_interrupted
from prod_e_ops.demo.live.versions import Version
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError
from prod_e_ops.local import watch
from prod_e_ops.local.log_lines import LogLines
from prod_e_ops.local.watch import Watch
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.processes import ChildProcesses


class Logs:
    """CloudWatch Logs with these events, which it filters by time alone."""

    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def write(self, message: str, *, at: int) -> None:
        self.events.append(
            {
                "eventId": str(len(self.events)),
                "timestamp": at,
                "message": message,
                "logStreamName": "ecs/app/0123456789abcdef",
            }
        )

    def get_paginator(self, _: str) -> "Logs":
        return self

    def paginate(self, *, logGroupName: str, startTime: int) -> list[dict[str, Any]]:  # noqa: N803
        assert logGroupName == "/ecs/tiny-e-backend"
        return [{"events": [e for e in self.events if e["timestamp"] >= startTime]}]


def test_each_line_is_shown_once_and_printable(environment: Environment) -> None:
    logs = Logs()
    lines = LogLines(environment=environment, clients=lambda _: logs, _since=1_000)
    logs.write("before", at=999)
    logs.write("one\n", at=1_000)
    logs.write("\x1b[31mtwo", at=2_000)
    first = lines.new()
    assert first[0] == "backend 01234567 | one"
    assert "two" in first[1]
    assert "\x1b" not in first[1]
    logs.write("at the same time", at=2_000)
    logs.write("three", at=3_000)
    assert [line.rpartition("| ")[2] for line in lines.new()] == ["at the same time", "three"]
    assert lines.new() == []


class Delivered:
    """A delivery that notes what it is given; `fails`: how it ends."""

    runtime = "process"

    def __init__(self) -> None:
        self.versions: list[Version] = []
        self.fails: Exception | None = None

    async def prepare(self, run: Run, key: str, version: Version) -> None:
        pass

    async def deploy(self, run: Run, key: str, version: Version, *, fails: bool = False) -> None:
        self.versions.append(version)
        if self.fails:
            raise self.fails


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def error(self, error: OpsError) -> None:
        self.lines.append(f"error: {error}")


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_change_is_rolled_out_once_and_so_is_one_that_fails(
    project: Project, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_POLL_SECONDS", 0.02)
    delivery, told = Delivered(), Told()
    (project.folder / "app" / "removed.ts").write_text("")
    copy = tmp_path / "copy"
    shutil.copytree(project.folder, copy)
    (copy / "app" / "made.js").write_text("")
    run: Any = SimpleNamespace(
        environment=environment,
        project=Project(copy, copy / "cdktf.out"),
        context=SimpleNamespace(project=project, terminal=told),
    )
    first = Version.of(
        project.folder / "app", environment.services["backend"], copy=tmp_path / "first"
    )
    watching = Watch(
        run=run,
        delivery=delivery,  # type: ignore[arg-type]
        scratch=tmp_path / "versions",
        delivered={"backend": first},
    )
    main = project.folder / "app" / "src" / "main.ts"

    async def scenario() -> None:
        following = asyncio.ensure_future(watching.follow())
        await asyncio.sleep(0.3)
        assert delivery.versions == []
        (project.folder / "app" / "removed.ts").unlink()
        main.write_text("second();\n")
        await _until(lambda: any(line.endswith(" runs.") for line in told.lines))
        delivery.fails = OpsError("It was rolled back.")
        main.write_text("third();\n")
        await _until(lambda: "error: It was rolled back." in told.lines)
        await asyncio.sleep(0.3)
        (project.folder / "app" / "Dockerfile").unlink()
        await _until(lambda: any("Dockerfile" in line for line in told.lines))
        following.cancel()

    asyncio.run(scenario())
    written = [(v.folder / "src" / "main.ts").read_text() for v in delivery.versions]
    assert written == ["second();\n", "third();\n"]
    # From the copy goes what has gone from the source, and nothing else.
    assert not (copy / "app" / "removed.ts").exists()
    assert (copy / "app" / "made.js").exists()


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_ctrl_c_is_how_it_ends_whether_or_not_terraform_has_ended(seconds: float) -> None:
    ended: list[str] = []

    async def live() -> None:
        async with beside(asyncio.sleep(seconds)) as deploying:
            asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
            await until_interrupted(deploying)
        ended.append("in order")

    ChildProcesses(print).run(live())
    assert ended == ["in order"]
