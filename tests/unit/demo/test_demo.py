"""The demo's own parts: its report, its copy of the project, and the versions that it delivers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from prod_e.settings import load_environment
from prod_e_ops.demo.infrastructure import starting
from prod_e_ops.demo.live.live import Live
from prod_e_ops.demo.live.versions import CHANGED_FILE, Version, Versions
from prod_e_ops.demo.project_copy import copy_project
from prod_e_ops.demo.report import DemoStepResult, Report, Requests, show
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Project, Stack
from prod_e_ops.stacks.model import SkippedStack
from prod_e_ops.terminal.json_output import to_json
from prod_e_ops.terminal.processes import Finished
from prod_e_ops.terminal.terminal import Terminal

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def report() -> Report:
    report = Report(environment="prod-e", runtime="process", passed=True)
    report.steps += [
        DemoStepResult(step="Plan", result="93 to create", seconds=12.34),
        DemoStepResult(
            step="Deploy", result="it runs", seconds=8.0, requests=Requests(sent=700, lost=0)
        ),
        DemoStepResult(
            step="Kill a task", result="replaced", seconds=4.0, requests=Requests(sent=300, lost=2)
        ),
    ]
    report.skip("Use it", "nothing to use")
    stack = Stack("prod-e-image", Path())
    report.skipped.append(SkippedStack(stack=stack, reason="no Docker"))
    report.failed[stack] = "it crashed"
    return report


def test_the_table_has_each_step_with_its_time_and_its_requests(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    show(report.result(), Terminal())
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line]
    cells = {first: " ".join(rest.split()) for first, rest in rows}
    assert cells["STEP"] == "TIME SENT LOST RESULT"
    assert cells["Plan"] == "12.3 s 93 to create"
    assert cells["Deploy"] == "8.0 s 700 0 it runs"
    assert cells["Kill"] == "a task 4.0 s 300 2 replaced"
    assert cells["Use"] == "it skipped: nothing to use"
    assert cells["Total"].endswith("1000 2 passed")
    assert cells["prod-e-image"] == "failed: it crashed"


def test_the_json_says_the_same(report: Report) -> None:
    shown = json.loads(to_json(report.result()))
    assert shown["passed"] is True
    assert shown["runtime"] == "process"
    assert shown["requests"] == {"sent": 1000, "lost": 2}
    assert shown["steps"][0]["requests"] is None
    assert shown["steps"][1]["requests"] == {"sent": 700, "lost": 0}
    assert shown["skipped"] == [{"stack": "prod-e-image", "reason": "no Docker"}]
    assert shown["failed"] == [{"stack": "prod-e-image", "reason": "it crashed"}]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a deployed environment's state, and two environments."""
    folder = tmp_path / "project"
    for name in ("environments", "backend/src", "backend/node_modules/pg", "cdktf.out", "lib"):
        (folder / name).mkdir(parents=True)
    for environment in ("prod-e", "staging-e"):
        (folder / "environments" / f"{environment}.toml").write_text(
            f'name = "{environment}"\n[services.backend]\n'
        )
    (folder / "terraform.prod-e.tfstate").write_text("{}")
    (folder / "main.py").write_text("print()")
    (folder / "lib" / "own.py").write_text("")
    (folder / "backend" / "Dockerfile").write_text("FROM scratch")
    (folder / "backend" / ".dockerignore").write_text("node_modules\n")
    (folder / "backend" / CHANGED_FILE).write_text("start();\n")
    return Project(folder, folder / "cdktf.out")


def test_the_copy_of_a_project_can_be_changed_and_has_no_state(
    project: Project, tmp_path: Path
) -> None:
    environment = load_environment(project.folder / "environments" / "prod-e.toml")
    (tmp_path / "copy").mkdir()
    copy = copy_project(project, environment, tmp_path / "copy")
    assert sorted(path.name for path in copy.folder.iterdir()) == [
        "backend",
        "environments",
        "lib",
        "main.py",
    ]
    assert [path.name for path in (copy.folder / "environments").iterdir()] == ["prod-e.toml"]
    for changed in ("main.py", f"backend/{CHANGED_FILE}", "environments/prod-e.toml"):
        (copy.folder / changed).write_text("changed")
        assert (project.folder / changed).read_text() != "changed"
    # What is made from the source, PostgreSQL's programs among it, is shared.
    assert (copy.folder / "backend" / "node_modules" / "pg").is_dir()


@pytest.mark.parametrize(
    "sources",
    [
        ("backend", "backend/"),
        ("backend", "./backend"),
        ("backend", "backend/src"),
        ("backend/src", "backend"),
        (".",),
        (".", "backend"),
    ],
    ids=" and ".join,
)
def test_the_copy_has_the_sources_wherever_they_are(
    project: Project, tmp_path: Path, sources: tuple[str, ...]
) -> None:
    services = "".join(
        f'[services.s{number}]\nsource = "{source}"\npath = "/{number}"\n'
        for number, source in enumerate(sources)
    )
    settings = project.folder / "environments" / "prod-e.toml"
    settings.write_text(f'name = "prod-e"\n{services}')
    (project.folder / "node_modules").mkdir()
    (tmp_path / "copy").mkdir()
    copy = copy_project(project, load_environment(settings), tmp_path / "copy").folder
    assert [path.name for path in (copy / "environments").iterdir()] == ["prod-e.toml"]
    assert not list(copy.glob("terraform.*"))
    assert not (copy / "cdktf.out").exists()
    for changed in ("main.py", f"backend/{CHANGED_FILE}"):
        (copy / changed).write_text("changed")
        assert (project.folder / changed).read_text() != "changed"
    assert (copy / "lib").is_symlink() == ("." not in sources), "a source is no link"


def test_each_version_is_content_of_its_own(project: Project, tmp_path: Path) -> None:
    environment = load_environment(project.folder / "environments" / "prod-e.toml")
    settings = environment.services["backend"]
    source = project.folder / "backend"
    first = Version.of(source, settings, copy=tmp_path / "first")
    versions = Versions.of("backend", first, settings, tmp_path)
    assert versions is not None
    made = {first.tag, versions.second.tag, versions.broken.tag, versions.erring.tag}
    assert len(made) == 1 + 1 + 1 + 1
    assert "throw" in (versions.broken.folder / CHANGED_FILE).read_text()
    assert "[500, ...all" in (versions.erring.folder / CHANGED_FILE).read_text()
    assert (source / CHANGED_FILE).read_text() == "start();\n"


def test_a_source_without_the_file_that_is_changed_has_no_other_versions(
    project: Project, tmp_path: Path
) -> None:
    environment = load_environment(project.folder / "environments" / "prod-e.toml")
    settings = environment.services["backend"]
    (project.folder / "backend" / CHANGED_FILE).unlink()
    first = Version.of(project.folder / "backend", settings, copy=tmp_path / "first")
    assert Versions.of("backend", first, settings, tmp_path) is None


class NoLog(Exception):
    """There is no stream."""


class StoppedTasks:
    """ECS and CloudWatch Logs of a service whose deployment failed, or is said to go on."""

    exceptions = SimpleNamespace(ClusterNotFoundException=NoLog, ResourceNotFoundException=NoLog)

    def __init__(self, *states: str) -> None:
        self._states = list(states)

    def describe_services(self, **_: object) -> dict[str, Any]:
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        deployment = {"rolloutState": state, "rolloutStateReason": "the circuit breaker"}
        return {"services": [{"deployments": [deployment]}]}

    def list_tasks(self, **_: object) -> dict[str, Any]:
        return {"taskArns": ["arn:task/c/1", "arn:task/c/2"]}

    def describe_tasks(self, *, tasks: list[str], **_: object) -> dict[str, Any]:
        container = {"name": "app", "exitCode": 3}
        described = [
            {"taskArn": arn, "createdAt": number, "stoppedReason": "it ended"}
            for number, arn in enumerate(tasks)
        ]
        return {"tasks": [{**each, "containers": [container]} for each in described]}

    def get_log_events(self, **asked: object) -> dict[str, Any]:
        assert str(asked["logStreamName"]).endswith("/2")
        return {"events": [{"message": "nothing here\n"}]}


@pytest.fixture
def fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(starting, "_FAILED_SECONDS", 0.05)


def start_of(project: Project, aws: StoppedTasks) -> None:
    """Follows the start of the project's service for a while."""
    environment = load_environment(project.folder / "environments" / "prod-e.toml")
    run: Any = SimpleNamespace(environment=environment, clients=lambda _: aws)

    async def follow() -> None:
        delivered = asyncio.Event()
        following = asyncio.ensure_future(starting.until_one_fails(run, delivered))
        await asyncio.sleep(0.1)
        # What fails before its image is there is deployed again.
        assert not following.done()
        delivered.set()
        await asyncio.wait_for(following, 1)

    asyncio.run(follow())


def test_a_service_that_cannot_start_is_told_with_why_its_tasks_stopped(
    project: Project, fails_at_once: None
) -> None:
    with pytest.raises(OpsError) as error:
        start_of(project, StoppedTasks("FAILED"))
    assert error.value.message == "prod-e-backend does not start: the circuit breaker"
    assert list(error.value.details) == ["2 x it ended; app exited with 3", "  nothing here"]


def test_a_deployment_that_another_follows_is_no_service_that_cannot_start(
    project: Project, fails_at_once: None
) -> None:
    with pytest.raises(TimeoutError):
        start_of(project, StoppedTasks("FAILED", "IN_PROGRESS"))


@pytest.mark.parametrize(
    ("has_database", "outcome"),
    [(True, "GET /health 200, note 7 written and read"), (False, "GET /health 200")],
)
def test_a_note_is_written_where_the_service_has_the_database(
    monkeypatch: pytest.MonkeyPatch, has_database: bool, outcome: str
) -> None:
    monkeypatch.setattr(Live, "_expect_version", AsyncMock())
    monkeypatch.setattr(Live, "_write_and_read", lambda _: 7)
    step = SimpleNamespace(outcome="")
    environment = SimpleNamespace(
        services={"api": SimpleNamespace(health_path="/health")},
        uses_database=lambda _: has_database,
    )
    run: Any = SimpleNamespace(environment=environment, step=lambda _: nullcontext(step))
    others: Any = SimpleNamespace(key="api", first=None)
    asyncio.run(Live(run=run, delivery=others, versions=others, door=others).ask())
    assert step.outcome == outcome


def run_with(
    call: Callable[..., Awaitable[Finished]], say: Callable[[str], None], *, is_stopping: bool
) -> Run:
    context: Any = SimpleNamespace(
        processes=SimpleNamespace(call=call, is_stopping=is_stopping),
        terminal=SimpleNamespace(say=say),
    )
    anything: Any = SimpleNamespace(folder=Path("copy"))
    return Run(
        environment=anything,
        project=anything,
        context=context,
        report=Report(environment="prod-e"),
        clients=anything,
        variables={"PROD_E_PROJECT": "the user's"},
    )


@pytest.mark.parametrize("is_stopping", [False, True])
def test_what_a_command_says_is_shown_unless_ctrl_c_has_come(is_stopping: bool) -> None:
    said: list[str] = []

    async def call(*_: object, on_stderr: Callable[[str], object], **__: object) -> Finished:
        on_stderr("KeyboardInterrupt")
        return Finished(0, "", "")

    asyncio.run(run_with(call, said.append, is_stopping=is_stopping).prod_e("push"))
    assert said == ["  $ prod-e push", *([] if is_stopping else ["  KeyboardInterrupt"])]


def test_a_command_of_the_demo_is_of_its_copy_however_the_demo_was_started() -> None:
    given: list[tuple[object, object]] = []

    async def call(
        *_: object, folder: Path, environment: Mapping[str, str], **__: object
    ) -> Finished:
        given.append((folder, environment["PROD_E_PROJECT"]))
        return Finished(0, "", "")

    asyncio.run(run_with(call, print, is_stopping=False).prod_e("push"))
    assert given == [(Path("copy"), "copy")]
