"""An environment that is brought up: when it is said to be up, and what then is printed."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.commands.local import local as local_command
from prod_e_ops.demo.begin import Runtime
from prod_e_ops.demo.life import Life
from prod_e_ops.demo.live.front_door import Answer, FrontDoor
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.local import up
from prod_e_ops.local.up import LocalEnvironment
from prod_e_ops.project.project import Stack
from tests.support.project.demo_run import Screen, run_of

SETTINGS = """\
[services.backend]
health_path = "/ready"
[services.worker]
source = "backend"
path = "/jobs/*"
"""
VARIABLES = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_PROFILE": "a b"}


@dataclass(kw_only=True)
class Coming:
    """An environment that comes up: its AWS, its door and its place.

    `healthy_from`: the look from which on a target is healthy. `answers_from`: the question from
    which on a task answers 200.
    """

    healthy_from: int = 1
    answers_from: int = 1
    looks: int = 0
    questions: list[str] = field(default_factory=list)
    noted: list[Mapping[str, str]] = field(default_factory=list)
    environment: str = "tiny-e"
    page_url: str = "http://127.0.0.1:1/page"
    url: str = "https://127.0.0.1:4443"

    def __call__(self, _: str) -> "Coming":
        return self

    def listeners(self) -> Sequence[Mapping[str, Any]]:
        return [{"load_balancer": "tiny-e-alb", "port": 443, "url": self.url}]

    def variables(self) -> Mapping[str, str]:
        return VARIABLES

    def note(self, variables: Mapping[str, str]) -> None:
        self.noted.append(variables)

    def get(self, path: str) -> Answer:
        self.questions.append(path)
        is_there = len(self.questions) >= self.answers_from
        return Answer(status=200 if is_there else 503, body={})

    def describe_target_groups(self) -> Any:
        names = ("tiny-e-backend", "tiny-e-worker", "another-e-backend")
        return {
            "TargetGroups": [{"TargetGroupName": each, "TargetGroupArn": each} for each in names]
        }

    def describe_target_health(self, *, TargetGroupArn: str) -> Any:  # noqa: N803
        # Who is not asked for its health is not what is waited for.
        assert TargetGroupArn == "tiny-e-backend"
        self.looks += 1
        state = "healthy" if self.looks >= self.healthy_from else "initial"
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": state}}]}


CLOCK = 1000.0


@pytest.fixture(autouse=True)
def interrupted_once_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(_: object) -> None:
        await asyncio.sleep(0.05)

    monkeypatch.setattr(up, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(up, "until_interrupted", interrupted)
    monkeypatch.setattr(FrontDoor, "of", lambda aws, _: aws)
    # Its clock, by which it is told how long it took, stands still.
    monkeypatch.setattr(up, "time", SimpleNamespace(monotonic=lambda: CLOCK))


def brought_up(
    folder: Path,
    coming: Coming,
    *,
    settings: str = SETTINGS,
    deploy: Callable[[], Any] | None = None,
    watches: bool = False,
    shows_logs: bool = False,
    prints_json: bool = False,
) -> Screen:
    """What the terminal shows of an environment that is brought up."""
    source = folder / "project" / "backend"
    (source / "src").mkdir(parents=True)
    (source / "Dockerfile").write_text("FROM scratch\n")
    run = run_of(folder / "project", settings, clients=coming, embedded=coming)

    async def for_ever(*_: object) -> None:
        if deploy:
            deploy()
        else:
            await asyncio.Event().wait()

    anything: Any = None
    life: Any = SimpleNamespace(
        run=run, delivery=anything, scratch=folder / "scratch", deploy=for_ever
    )
    place: Any = coming
    local = LocalEnvironment(
        life=life,
        place=place,
        began_at=CLOCK - 12.34,
        watches=watches,
        shows_logs=shows_logs,
        prints_json=prints_json,
    )
    asyncio.run(asyncio.wait_for(local.live(), 60))
    screen: Any = run.context.terminal
    assert isinstance(screen, Screen)
    return screen


def test_it_is_up_once_a_healthy_task_answers_though_terraform_still_waits(tmp_path: Path) -> None:
    coming = Coming(healthy_from=3, answers_from=2)
    lines = brought_up(tmp_path, coming).lines
    # Before a target is healthy, the load balancer asks also those that are not ready.
    assert coming.looks == 4
    assert coming.questions == ["/ready", "/ready"]
    assert coming.noted == [VARIABLES]
    assert lines == [
        "✓ tiny-e answers at https://127.0.0.1:4443 after 12 s",
        "",
        "tiny-e is up:",
        "  tiny-e-alb:443 is at https://127.0.0.1:4443",
        "  a page that shows what happens: http://127.0.0.1:1/page",
        "In another terminal, commands work on it with --local:",
        "  ./prod-e status -e tiny-e --local",
        "and AWS's own tools with",
        "  export AWS_ENDPOINT_URL=http://127.0.0.1:1",
        "  export AWS_PROFILE='a b'",
        "Ctrl-C ends it.",
    ]


def test_its_json_says_the_same(tmp_path: Path) -> None:
    (result,) = brought_up(tmp_path, Coming(), prints_json=True).results
    told = json.loads(result)
    assert 12 <= told.pop("seconds") < 60
    assert told == {
        "environment": "tiny-e",
        "page": "http://127.0.0.1:1/page",
        "listeners": [
            {"load_balancer": "tiny-e-alb", "port": 443, "url": "https://127.0.0.1:4443"}
        ],
        "variables": VARIABLES,
    }


def test_without_json_there_is_no_result(tmp_path: Path) -> None:
    assert brought_up(tmp_path, Coming()).results == []


def test_an_environment_that_nobody_asks_is_up_once_it_is_deployed(tmp_path: Path) -> None:
    coming = Coming(answers_from=1_000_000)
    settings = '[services.backend]\npath = "/jobs/*"\n'
    lines = brought_up(tmp_path, coming, settings=settings, deploy=lambda: None).lines
    assert coming.questions == []
    assert lines[:2] == ["", "tiny-e is up:"]


def test_a_deployment_that_fails_before_anybody_answers_ends_it(tmp_path: Path) -> None:
    def fails() -> None:
        raise OpsError("no disk")

    with pytest.raises(OpsError, match="no disk"):
        brought_up(tmp_path, Coming(answers_from=1_000_000), deploy=fails)


def test_a_load_balancer_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def of(aws: Any, environment: str) -> Any:
        looked.append(environment)
        if len(looked) < 3:
            raise OpsError("listens nowhere")
        return aws

    monkeypatch.setattr(FrontDoor, "of", of)
    assert "tiny-e is up:" in brought_up(tmp_path, Coming()).lines
    assert looked == ["tiny-e"] * 3


def test_a_stack_that_was_left_out_is_no_environment_that_is_up(tmp_path: Path) -> None:
    run = run_of(tmp_path, SETTINGS)

    async def deploy(*_: object) -> None:
        run.report.failed[Stack("tiny-e", Path())] = "its provider crashed"

    life: Any = SimpleNamespace(run=run, deploy=deploy)
    place: Any = None
    local = LocalEnvironment(
        life=life, place=place, began_at=0.0, watches=False, shows_logs=False, prints_json=False
    )
    with pytest.raises(OpsError, match="tiny-e is not up") as error:
        asyncio.run(local._deploy({}))
    assert error.value.details == ("tiny-e: its provider crashed",)


@pytest.mark.parametrize("asked", [True, False])
def test_logs_and_changes_are_followed_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    followed: list[str] = []

    class Following:
        def __init__(self, **given: Any) -> None:
            self._of = "changes" if "delivered" in given else "logs"

        async def follow(self, *_: object) -> None:
            followed.append(self._of)
            await asyncio.Event().wait()

    monkeypatch.setattr(up, "LogLines", Following)
    monkeypatch.setattr(up, "Watch", Following)
    lines = brought_up(tmp_path, Coming(), watches=asked, shows_logs=asked).lines
    assert followed == (["logs", "changes"] if asked else [])
    assert ("A change of a source is built and rolled out." in lines) is asked


@pytest.mark.parametrize("keeps", [True, False])
def test_the_command_takes_the_place_and_keeps_data_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeps: bool
) -> None:
    run = run_of(tmp_path, SETTINGS)
    begun: list[dict[str, Any]] = []
    lived: list[LocalEnvironment] = []

    @dataclass(frozen=True, kw_only=True)
    class AnyInfrastructure:
        at_once: bool = False

    class Begun:
        async def __aenter__(self) -> Life:
            anything: Any = None
            infrastructure: Any = AnyInfrastructure()
            return Life(run=run, delivery=anything, infrastructure=infrastructure, scratch=tmp_path)

        async def __aexit__(self, *_: object) -> None:
            pass

    def starts(*_: object, **options: Any) -> Begun:
        begun.append(options)
        return Begun()

    async def live(self: LocalEnvironment) -> None:
        with pytest.raises(UserMistake, match="runs locally already"), self.place.taken():
            pass
        lived.append(self)

    monkeypatch.setattr(local_command, "begin", starts)
    monkeypatch.setattr(LocalEnvironment, "live", live)
    context: Any = SimpleNamespace(project=run.project)
    asyncio.run(
        local_command.run_local(
            context,
            "tiny-e",
            watch=keeps,
            keep_data=keeps,
            logs=not keeps,
            runtime=Runtime.PROCESS,
            as_json=keeps,
        )
    )
    (options,) = begun
    data = tmp_path / ".cache" / "local" / "tiny-e-databases"
    assert options["databases_folder"] == (data if keeps else None)
    assert options["runtime"] == Runtime.PROCESS
    (local,) = lived
    assert (local.watches, local.shows_logs, local.prints_json) == (keeps, not keeps, keeps)
    # Nobody waits here for what the provider waits for.
    assert local.life.infrastructure.at_once
