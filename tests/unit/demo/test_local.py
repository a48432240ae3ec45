"""What `prod-e local` is made of: where it is noted, logs, changes, and the provider's waits."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from prod_e.settings import Environment, load_environment
from prod_e_ops.cli import app
from prod_e_ops.commands.local_option import with_local
from prod_e_ops.demo.beside import beside
from prod_e_ops.demo.life import until_interrupted
from prod_e_ops.demo.past_waits import PastWaits
from prod_e_ops.demo.run import Run
from prod_e_ops.demo.versions import Version
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.local import watch
from prod_e_ops.local.log_lines import LogLines
from prod_e_ops.local.running import Place, lead_to
from prod_e_ops.local.watch import Watch
from prod_e_ops.project.project import Project, Stack
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terraform.events import Event
from prod_e_ops.terraform.state import StateResource

VARIABLES = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "us-west-2"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    (folder / "environments").mkdir(parents=True)
    (folder / "environments" / "tiny-e.toml").write_text(
        'name = "tiny-e"\n[services.backend]\nsource = "app"\n'
    )
    (folder / "app" / "src").mkdir(parents=True)
    (folder / "app" / "Dockerfile").write_text("FROM scratch")
    (folder / "app" / "src" / "main.ts").write_text("first();\n")
    (folder / "cdktf.json").write_text("{}")
    return Project(folder, folder / "cdktf.out")


@pytest.fixture
def environment(project: Project) -> Environment:
    return load_environment(project.folder / "environments" / "tiny-e.toml")


def test_commands_find_an_environment_while_it_runs(project: Project) -> None:
    place = Place.of(project, "tiny-e")
    with place.taken():
        with pytest.raises(UserMistake, match="does not run locally"):
            place.variables()
        place.note(VARIABLES)
        assert Place.of(project, "tiny-e").variables() == VARIABLES
    with pytest.raises(UserMistake, match="does not run locally"):
        place.variables()
    assert list(place.folder.iterdir()) == []


def test_an_environment_runs_once_and_others_beside_it(project: Project) -> None:
    with Place.of(project, "tiny-e").taken():
        with (
            pytest.raises(UserMistake, match="runs locally already"),
            Place.of(project, "tiny-e").taken(),
        ):
            pass
        with Place.of(project, "other-e").taken():
            pass


def test_what_a_killed_process_noted_leads_nowhere(project: Project) -> None:
    place = Place.of(project, "tiny-e")
    place.folder.mkdir(parents=True)
    (place.folder / "tiny-e.json").write_text(json.dumps(VARIABLES))
    with pytest.raises(UserMistake, match="does not run locally"):
        place.variables()
    with place.taken(), pytest.raises(UserMistake):
        place.variables()


def test_a_command_that_is_led_there_reaches_no_other_aws(project: Project) -> None:
    place = Place.of(project, "tiny-e")
    mine = {"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "mine", "PATH": "/bin"}
    with place.taken():
        place.note(VARIABLES)
        lead_to(place, mine)
    assert mine == {**VARIABLES, "PATH": "/bin"}


def test_the_option_leads_a_command_there_before_it_begins(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROD_E_PROJECT", str(project.folder))
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "before")
    begun: list[tuple[str, str | None]] = []

    def command(service: str, environment: str | None = None) -> None:
        begun.append((service, os.environ["AWS_ENDPOINT_URL"]))

    alone = typer.Typer()
    alone.command()(with_local(command))
    runner = CliRunner()
    assert runner.invoke(alone, ["api", "--environment", "tiny-e"]).exit_code == 0
    refused = runner.invoke(alone, ["api", "--local"])
    assert refused.exit_code == 2
    assert "tiny-e does not run locally" in refused.stderr
    place = Place.of(project, "tiny-e")
    with place.taken():
        place.note(VARIABLES)
        # Its environment is put back by the test's end.
        with monkeypatch.context() as changed:
            changed.setattr(os, "environ", dict(os.environ))
            assert runner.invoke(alone, ["api", "--local"]).exit_code == 0
    assert begun == [("api", "before"), ("api", VARIABLES["AWS_ENDPOINT_URL"])]


def test_commands_that_keep_state_in_the_project_do_not_have_the_option() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    context = typer.Context(group)
    found = set()
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if any("--local" in parameter.opts for parameter in command.params):
            found.add(name)
    assert found == {"push", "redeploy", "rollback", "images", "status"}


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


LOAD_BALANCER = "aws_lb.alb"
STACK = {
    "aws_lb": {
        "alb": {
            "name": "tiny-e-alb",
            "idle_timeout": 75,
            "enable_deletion_protection": True,
            "access_logs": {"enabled": True, "bucket": "${aws_s3_bucket.logs.bucket}"},
        }
    },
    "aws_s3_bucket": {
        "logs": {"bucket": "tiny-e-logs-${data.aws_caller_identity.caller.account_id}-us-west-2"}
    },
    "aws_ecs_cluster": {"cluster": {"name": "tiny-e-cluster"}},
    "aws_ecs_cluster_capacity_providers": {
        "providers": {
            "cluster_name": "${aws_ecs_cluster.cluster.name}",
            "capacity_providers": ["FARGATE", "FARGATE_SPOT"],
        }
    },
}
CAPACITY_PROVIDERS = "aws_ecs_cluster_capacity_providers.providers"


class WaitingTerraform:
    """Its first application waits until it is stopped; `breaks`: it fails."""

    logs = None

    def __init__(self, *, breaks: bool = False) -> None:
        self.breaks = breaks
        self.done: list[str] = []

    async def apply_at_once(
        self,
        stack: Stack,
        *,
        variables: Mapping[str, str],
        on_event: Callable[[Event], None],
        stop: asyncio.Event | None = None,
    ) -> None:
        assert variables == {"network": "host"}
        if stop is None:
            self.done.append("applied")
            return
        for address in (LOAD_BALANCER, CAPACITY_PROVIDERS):
            on_event(
                Event(
                    stack=stack.name,
                    kind="apply_start",
                    address=address,
                    message="",
                    action="create",
                )
            )
        if not self.breaks:
            async with asyncio.timeout(60):
                await stop.wait()
            self.done.append("stopped")
        raise OpsError("Terraform failed.")

    async def resources(self, stack: Stack) -> list[StateResource]:
        return [
            StateResource(address=LOAD_BALANCER, values={}, is_tainted=True),
            StateResource(address=CAPACITY_PROVIDERS, values={}, is_tainted=False),
            # By a mistake of its own: it is to be made anew.
            StateResource(address="aws_sns_topic.alarms", values={}, is_tainted=True),
        ]

    async def untaint(self, stack: Stack, address: str) -> None:
        self.done.append(f"untainted {address}")


class Made:
    """An AWS that has the load balancer from the second time it is asked on."""

    exceptions = SimpleNamespace(LoadBalancerNotFoundException=KeyError)

    def __init__(self) -> None:
        self.asked = 0
        self.attributes: dict[str, str] = {}

    def describe_load_balancers(self, *, Names: list[str]) -> dict[str, Any]:  # noqa: N803
        self.asked += 1
        if self.asked == 1 or Names != ["tiny-e-alb"]:
            raise KeyError(Names)
        return {"LoadBalancers": [{"LoadBalancerArn": "arn:alb"}]}

    def modify_load_balancer_attributes(
        self,
        *,
        LoadBalancerArn: str,  # noqa: N803
        Attributes: list[dict[str, str]],  # noqa: N803
    ) -> None:
        assert LoadBalancerArn == "arn:alb"
        self.attributes |= {each["Key"]: each["Value"] for each in Attributes}

    def describe_clusters(self, *, clusters: list[str]) -> dict[str, Any]:
        assert clusters == ["tiny-e-cluster"]
        return {"clusters": [{"capacityProviders": ["FARGATE_SPOT", "FARGATE"]}]}

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": "other-logs"}, {"Name": "tiny-e-logs-123-us-west-2"}]}


def _apply_past_waits(folder: Path, terraform: WaitingTerraform, aws: Made) -> list[Event]:
    stack = Stack("tiny-e", folder)
    stack.json_file.write_text(json.dumps({"resource": STACK}))
    past = PastWaits(
        terraform=terraform,  # type: ignore[arg-type]
        stack=stack,
        variables={"network": "host"},
        clients=lambda _: aws,
    )
    events: list[Event] = []
    asyncio.run(past.apply(events.append))
    return events


def test_terraform_goes_on_once_what_it_waits_for_is_there(tmp_path: Path) -> None:
    terraform, aws = WaitingTerraform(), Made()
    events = _apply_past_waits(tmp_path, terraform, aws)
    assert terraform.done == ["stopped", f"untainted {LOAD_BALANCER}", "applied"]
    assert aws.asked > 1
    assert aws.attributes == {
        "deletion_protection.enabled": "true",
        "idle_timeout.timeout_seconds": "75",
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": "tiny-e-logs-123-us-west-2",
    }
    assert [event.address for event in events] == [LOAD_BALANCER, CAPACITY_PROVIDERS]


def test_a_terraform_that_fails_by_itself_is_not_run_again(tmp_path: Path) -> None:
    terraform = WaitingTerraform(breaks=True)
    with pytest.raises(OpsError, match="Terraform failed"):
        _apply_past_waits(tmp_path, terraform, Made())
    assert terraform.done == []


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
