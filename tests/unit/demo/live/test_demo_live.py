"""What the demo shows of a service that runs: each step fails where its claim does not hold."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.demo.live import live as live_module
from prod_e_ops.demo.live.front_door import CLIENTS, Answer
from prod_e_ops.demo.live.live import Live
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError
from prod_e_ops.terminal.processes import Finished
from tests.support.project.demo_run import Commands, commands_of, last_step, run_of

DATABASE = "[services.backend]\n[database]\n"
NO_DATABASE = "[services.backend]\n"


class Requests:
    """A load generator whose requests have been answered; `hangs`: none is any more."""

    def __init__(self, lost: int, *, hangs: bool) -> None:
        self.statuses = Counter({200: 100 - lost, 502: lost})
        self.broken = 0
        self.sent, self.lost = 100, lost
        self.calls: list[object] = []
        self._hangs = hangs

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def wait_for(self, count: int) -> None:
        self.calls.append(count)
        if self._hangs:
            raise TimeoutError


class Service:
    """A service behind its load balancer: its door, its delivery and its AWS.

    `version`: what answers. `tasks`: those that run, each time that ECS is asked. `health`: of the
    load balancer's targets, each time. `status`: of each answer of the door. `kept`: what is read
    of the note that is written.
    """

    def __init__(self) -> None:
        self.version = "first"
        self.deploys = True
        self.status = HTTPStatus.OK
        self.written: int = HTTPStatus.CREATED
        self.kept: Mapping[str, str] = {"title": "A note of the demo"}
        self.lost = 0
        self.hangs = False
        self.tasks = [["a", "b"]]
        self.desired = 2
        self.health = [["healthy", "healthy"]]
        self.deployed: list[tuple[str, bool]] = []
        self.killed: list[str] = []
        self.loads: list[tuple[str, Requests]] = []
        self.url = "https://127.0.0.1:1"

    # The door.
    def get(self, path: str) -> Answer:
        if path.startswith("/notes/"):
            return Answer(status=HTTPStatus.OK, body=self.kept)
        return Answer(status=self.status, body={"version": self.version})

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        assert path == "/notes"
        return Answer(status=self.written, body={"id": "0123456789ab", **body})

    def load(self, path: str) -> Requests:
        load = Requests(self.lost, hangs=self.hangs)
        self.loads.append((path, load))
        return load

    # The delivery.
    def told_version(self, version: Any) -> str:
        return str(version.tag)

    async def deploy(self, run: Run, key: str, version: Any, *, fails: bool = False) -> None:
        assert key == "backend"
        self.deployed.append((version.tag, fails))
        if self.deploys and not fails:
            self.version = version.tag

    async def kill(self, run: Run, runtime_id: str) -> None:
        self.killed.append(runtime_id)

    # AWS.
    def __call__(self, _: str) -> "Service":
        return self

    def list_tasks(self, *, cluster: str, serviceName: str) -> Any:  # noqa: N803
        assert (cluster, serviceName) == ("tiny-e-cluster", "tiny-e-backend")
        return {"taskArns": self.tasks[0]}

    def describe_tasks(self, *, cluster: str, tasks: Sequence[str]) -> Any:
        now = self.tasks.pop(0) if len(self.tasks) > 1 else self.tasks[0]
        assert list(tasks) == list(now)
        described = [
            {
                "taskArn": f"arn:task/c/{name}",
                "lastStatus": "PENDING" if name == "new" else "RUNNING",
                "containers": [{"runtimeId": f"container-{name}"}],
            }
            for name in now
        ]
        return {"tasks": described}

    def describe_services(self, *, cluster: str, services: Sequence[str]) -> Any:
        assert (cluster, services) == ("tiny-e-cluster", ["tiny-e-backend"])
        groups = [{"targetGroupArn": "group"}]
        return {
            "services": [
                {
                    "desiredCount": self.desired,
                    "loadBalancers": groups,
                    "deploymentConfiguration": {},
                }
            ]
        }

    def describe_target_health(self, *, TargetGroupArn: str) -> Any:  # noqa: N803
        assert TargetGroupArn == "group"
        now = self.health.pop(0) if len(self.health) > 1 else self.health[0]
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": each}} for each in now]}


Step = Callable[[Live], Awaitable[None]]


@pytest.fixture(autouse=True)
def polls_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "_POLL_SECONDS", 0.001)


@pytest.fixture
def service() -> Service:
    return Service()


def live_with(
    folder: Path,
    service: Any,
    *,
    settings: str = DATABASE,
    commands: Commands | None = None,
) -> Live:
    versions: Any = SimpleNamespace(
        key="backend",
        **{name: SimpleNamespace(tag=name) for name in ("first", "second", "broken", "erring")},
    )
    run = run_of(folder, settings, clients=service, commands=commands)
    return Live(run=run, delivery=service, versions=versions, door=service)


def fails(live: Live, step: Step, told: str) -> OpsError:
    """The error with which a step ends, which the report has, too."""
    with pytest.raises(OpsError, match=told) as error:
        asyncio.run(step(live))  # type: ignore[arg-type]
    assert last_step(live.run).result == "failed"
    return error.value


def test_what_is_written_is_read_back(tmp_path: Path, service: Service) -> None:
    live = live_with(tmp_path, service)
    asyncio.run(live.ask())
    assert last_step(live.run).result == "GET /health 200, note 01234567 written and read"


def test_a_service_without_a_database_is_asked_for_its_health_alone(
    tmp_path: Path, service: Service
) -> None:
    service.written = 404
    live = live_with(tmp_path, service, settings=NO_DATABASE)
    asyncio.run(live.ask())
    assert last_step(live.run).result == "GET /health 200"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"status": 503}, "/health answers 503 with the version first, not 200 with first"),
        ({"version": "other"}, "answers 200 with the version other, not 200 with first"),
        ({"written": 200}, "cannot be written and read: /notes answers 200"),
        ({"kept": {}}, "cannot be written and read: /notes answers 201, and /notes/0123456789ab"),
    ],
)
def test_a_service_that_answers_otherwise_fails_the_first_question(
    tmp_path: Path, service: Service, change: Mapping[str, Any], told: str
) -> None:
    for name, value in change.items():
        setattr(service, name, value)
    fails(live_with(tmp_path, service), Live.ask, told)


def test_a_new_version_runs_and_no_request_is_lost(tmp_path: Path, service: Service) -> None:
    live = live_with(tmp_path, service)
    asyncio.run(live.deploy_second())
    assert service.deployed == [("second", False)]
    step = last_step(live.run)
    assert step.result == "second runs"
    assert step.requests is not None
    assert (step.requests.sent, step.requests.lost) == (100, 0)
    ((path, load),) = service.loads
    assert path == "/notes"
    # Requests are answered before it and after it.
    assert load.calls == ["start", 20, 20, "stop"]


def test_a_service_without_notes_is_under_load_at_its_health(
    tmp_path: Path, service: Service
) -> None:
    asyncio.run(live_with(tmp_path, service, settings=NO_DATABASE).deploy_second())
    assert [path for path, _ in service.loads] == ["/health"]


def test_a_new_version_that_does_not_answer_is_not_deployed(
    tmp_path: Path, service: Service
) -> None:
    service.deploys = False
    live = live_with(tmp_path, service)
    fails(live, Live.deploy_second, "the version first, not 200 with second")
    # What was sent until then is told, and nothing is sent any more.
    assert last_step(live.run).requests is not None
    assert service.loads[0][1].calls[-1] == "stop"


def test_a_lost_request_fails_the_demo_and_its_answer_is_told(
    tmp_path: Path, service: Service
) -> None:
    service.lost = 1
    error = fails(live_with(tmp_path, service), Live.deploy_second, "100 requests, 1 lost, and")
    assert error.details == ("99 with status 200", "1 with status 502")


def test_requests_that_are_not_answered_any_more_take_too_long(
    tmp_path: Path, service: Service
) -> None:
    service.hangs = True
    fails(
        live_with(tmp_path, service),
        Live.deploy_second,
        "It takes too long: Deploy a new version under load",
    )


def status(name: str) -> Commands:
    """What `prod-e status` tells of a deployment that failed."""
    deployment = {"status": name, "reason": "the circuit breaker was triggered."}
    told = json.dumps({"services": [{"deployment": deployment}]})
    return Commands(ends={"status": Finished(1, told, "")})


def test_a_version_that_crashes_is_taken_back_by_ecs(tmp_path: Path, service: Service) -> None:
    service.version = "second"
    live = live_with(tmp_path, service, commands=status("ROLLBACK_SUCCESSFUL"))
    asyncio.run(live.deploy_broken())
    assert service.deployed == [("broken", True)]
    assert commands_of(live.run) == ["prod-e status backend --json"]
    assert last_step(live.run).result == "rolled back by ECS (the circuit breaker was triggered)"


@pytest.mark.parametrize(
    ("version", "commands", "told"),
    [
        ("second", status("ROLLBACK_FAILED"), "ECS did not roll it back: .* ROLLBACK_FAILED"),
        ("broken", status("ROLLBACK_SUCCESSFUL"), "the version broken, not 200 with second"),
        ("second", Commands(), "`prod-e status backend --json` ended with the status 0, not 1"),
    ],
)
def test_a_version_that_crashes_and_stays_fails_the_demo(
    tmp_path: Path, service: Service, version: str, commands: Commands, told: str
) -> None:
    service.version = version
    fails(live_with(tmp_path, service, commands=commands), Live.deploy_broken, told)


def test_a_task_that_is_killed_is_waited_for_until_another_is_healthy_in_its_place(
    tmp_path: Path, service: Service
) -> None:
    service.tasks = [["a", "b"], ["a", "b"], ["b"], ["b", "new"], ["b", "c"], ["b", "c"]]
    service.health = [["healthy", "initial"], ["healthy", "healthy"]]
    # What it was answering is lost.
    service.lost = CLIENTS
    live = live_with(tmp_path, service)
    asyncio.run(live.kill_task())
    assert service.killed == ["container-a"]
    assert service.tasks == [["b", "c"]]
    assert service.health == [["healthy", "healthy"]]
    assert last_step(live.run).result == "a replaced"


def test_more_than_a_killed_task_was_answering_may_not_be_lost(
    tmp_path: Path, service: Service
) -> None:
    service.tasks = [["a", "b"], ["b", "c"]]
    service.lost = CLIENTS + 1
    fails(live_with(tmp_path, service), Live.kill_task, f"5 lost, and {CLIENTS} may be")


@pytest.mark.parametrize("tasks", [[["a", "b"], ["b"]], [["a", "b"], ["a", "b"]]])
def test_a_killed_task_without_another_in_its_place_fails_the_demo(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch, tasks: list[list[str]]
) -> None:
    monkeypatch.setattr(live_module, "_STEADY_TIMEOUT_SECONDS", 0.2)
    service.tasks = tasks
    fails(live_with(tmp_path, service), Live.kill_task, "It takes too long: Kill a task")


def test_the_way_back_is_a_rollback_to_the_first_version(tmp_path: Path, service: Service) -> None:
    live = live_with(tmp_path, service)
    asyncio.run(live.roll_back())
    assert commands_of(live.run) == ["prod-e rollback backend --to first --yes"]
    step = last_step(live.run)
    assert (step.step, step.result) == ("Roll back", "first runs again")


def test_a_rollback_after_which_another_version_answers_fails_the_demo(
    tmp_path: Path, service: Service
) -> None:
    service.version = "second"
    fails(live_with(tmp_path, service), Live.roll_back, "second, not 200 with first")


class Passwords:
    """A database whose passwords are made anew; `rotates`: whether they are others then."""

    def __init__(self, *, rotates: bool = True) -> None:
        self._rotates = rotates

    def begin_to_rotate(self) -> Mapping[str, str]:
        return {"own": "before"}

    def expect_others(self, before: Mapping[str, str]) -> None:
        assert before == {"own": "before"}
        if not self._rotates:
            raise OpsError("The secret own has no other password than before.")


def test_a_rollback_with_a_database_makes_other_passwords(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Live, "_database", Passwords())
    live = live_with(tmp_path, service)
    asyncio.run(live.roll_back(rotates=True))
    step = last_step(live.run)
    assert step.step == "Roll back, with new passwords"
    assert step.result == ("first runs again, the service and the master user have other passwords")


def test_a_rollback_that_keeps_the_passwords_fails_the_demo(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Live, "_database", Passwords(rotates=False))
    fails(
        live_with(tmp_path, service),
        lambda live: live.roll_back(rotates=True),
        "has no other password",
    )


def test_without_a_database_nothing_is_rotated_or_failed_over(
    tmp_path: Path, service: Service
) -> None:
    live = live_with(tmp_path, service, settings=NO_DATABASE)
    asyncio.run(live.roll_back(rotates=True))
    assert last_step(live.run).step == "Roll back"
    asyncio.run(live.fail_over())
    step = last_step(live.run)
    assert (step.step, step.result) == (
        "Fail the database over",
        "skipped: tiny-e-backend has none",
    )


def test_errors_are_not_rolled_back_where_no_alarm_watches_them(
    tmp_path: Path, service: Service
) -> None:
    live = live_with(tmp_path, service)
    asyncio.run(live.deploy_erring())
    step = last_step(live.run)
    assert (step.step, step.result) == (
        "Deploy a version that answers 500",
        "skipped: tiny-e-backend has no alarm on its errors",
    )
    assert service.deployed == []
