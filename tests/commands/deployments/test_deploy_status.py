"""`prod-e status` against the embedded AWS: what it says of each kind of deployment."""

import asyncio
import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import EmbeddedAws
from prod_e.settings import load_environment
from prod_e_ops.errors import DeploymentNotBegun, DeploymentTooSlow
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.follow import follow_deployment
from prod_e_ops.service.model import Deployment, Task
from prod_e_ops.terminal.terminal import Terminal
from tests.support.aws.service_on_aws import ServiceOnAws
from tests.support.command.forked_command import PROD_E

FAILS = ("sh", "-c", "exit 3")


@pytest.fixture
def service(aws: EmbeddedAws, tmp_path: Path) -> ServiceOnAws:
    service = ServiceOnAws(aws, tmp_path / "project")
    service.push("one", "content-1111111111111111", "v1.0.0", "latest")
    service.create(service.define("latest"))
    return service


def test_a_deployment_that_succeeded_is_shown_with_its_image(service: ServiceOnAws) -> None:
    done = service.prod_e("status", "backend")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"backend ({service.service}): succeeded"
    shown = {line[:14].strip(): line[14:] for line in lines[1:]}
    assert shown["tasks"] == "2 running, 0 pending, 2 desired"
    assert shown["targets"] == "2 healthy"
    assert shown["image"] == f"{service.repository}:latest (content-1111111111111111, v1.0.0)"
    assert shown["digest"] == service.tagged()["latest"]
    assert shown["definition"] == f"{service.family}:1"
    assert "has reached a steady state." in done.stdout


def test_json_tells_a_script_the_same(service: ServiceOnAws) -> None:
    done = service.prod_e("status", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["environment"] == service.name
    (status,) = answer["services"]
    assert status["key"] == "backend"
    assert status["tasks"] == {"desired": 2, "running": 2, "pending": 0, "old": 0}
    assert status["targets"] == {"healthy": 2}
    assert status["running_digests"] == [service.tagged()["latest"]]
    assert status["deployment"]["status"] == "SUCCESSFUL"
    assert status["deployment"]["task_definition"] == f"{service.family}:1"
    assert status["deployment"]["digest"] == service.tagged()["latest"]
    assert "v1.0.0" in status["deployment"]["tags"]
    assert re.fullmatch(r"\d{4}-.*T.*\+00:00", status["deployment"]["created_at"])
    assert status["events"]


@pytest.mark.parametrize("options", [(), ("--wait",)])
def test_one_that_ecs_rolled_back_is_told_with_the_reason(
    service: ServiceOnAws, options: tuple[str, ...]
) -> None:
    service.deploy(service.define("latest", command=FAILS))
    done = service.prod_e("status", "backend", *options)
    assert done.returncode == 1
    assert done.stdout.startswith(f"backend ({service.service}): rolled back")
    assert "ECS deployment circuit breaker: tasks failed to start." in done.stderr
    assert f"container {service.service} exited with 3" in done.stderr
    assert "the tag latest still names what failed" in done.stderr
    assert f"now runs    {service.family}:1, {service.tagged()['latest']}" in done.stdout


def test_one_whose_image_is_not_there_names_the_image(service: ServiceOnAws) -> None:
    service.deploy(service.define("v9.9.9"))
    done = service.prod_e("status", "backend", "--json")
    assert done.returncode == 1
    deployment = json.loads(done.stdout)["services"][0]["deployment"]
    assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
    assert deployment["task_definition"] == f"{service.family}:2"
    assert "2 tasks failed: CannotPullContainerError" in done.stderr
    assert f"{service.repository}:v9.9.9" in done.stderr


def test_the_reasons_told_are_those_of_the_last_deployment(service: ServiceOnAws) -> None:
    service.deploy(service.define("latest", command=FAILS))
    service.deploy(service.define("latest", command=("sh", "-c", "exit 4")))
    done = service.prod_e("status", "backend")
    assert "exited with 4" in done.stderr
    assert "exited with 3" not in done.stderr


def test_a_task_that_scaling_stopped_has_not_failed(
    service: ServiceOnAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in service.aws.variables().items():
        monkeypatch.setenv(name, value)
    deployments = Deployments(load_environment(service.settings), "backend")
    service.ecs.update_service(cluster=service.cluster, service=service.service, desiredCount=1)

    async def stopped() -> tuple[int, Sequence[Task]]:
        newest = (await deployments.status()).deployment
        return len(await deployments.tasks(stopped=True)), await deployments.failed_tasks(newest)

    assert asyncio.run(stopped()) == (1, [])


def test_the_next_deployment_that_succeeds_ends_the_bad_news(service: ServiceOnAws) -> None:
    service.deploy(service.define("v9.9.9"))
    service.deploy(f"{service.family}:1")
    assert service.prod_e("status", "backend").returncode == 0


def test_a_first_deployment_that_fails_says_that_nothing_may_run(
    aws: EmbeddedAws, tmp_path: Path
) -> None:
    service = ServiceOnAws(aws, tmp_path / "project")
    service.push("one", "latest")
    service.create(service.define("latest", command=FAILS))
    done = service.prod_e("status", "backend")
    assert done.returncode == 1
    assert "0 running, 0 pending, 2 desired" in done.stdout
    assert "nothing may be running" in done.stderr
    assert f"push backend -e {service.name} --wait" in done.stderr


def test_an_unknown_service_is_refused_with_those_there_are(service: ServiceOnAws) -> None:
    done = service.prod_e("status", "frontend")
    assert done.returncode == 2
    assert "Name one of backend" in done.stderr


def test_a_service_that_is_not_deployed_is_told_with_the_way_there(
    aws: EmbeddedAws, tmp_path: Path
) -> None:
    service = ServiceOnAws(aws, tmp_path / "project")
    done = service.prod_e("status")
    assert done.returncode == 2
    assert f"./prod-e deploy {service.name}" in done.stderr


@dataclass(kw_only=True)
class Following:
    """`status backend`, while it follows a deployment, and what it wrote so far."""

    process: "subprocess.Popen[str]"
    stdout: str = ""
    stderr: str = ""

    @property
    def status(self) -> int | None:
        return self.process.returncode

    def read_until(self, text: str) -> None:
        """Reads what it tells, up to a line with that text."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.stderr += line
            if text in line:
                return
        pytest.fail(f"It ended without telling {text!r}:\n{self.stderr}")

    def end(self) -> None:
        """Reads the rest."""
        self.stdout, rest = self.process.communicate()
        self.stderr += rest


@contextmanager
def following(service: ServiceOnAws, *options: str) -> Iterator[Following]:
    process = subprocess.Popen(
        [PROD_E, "status", "backend", *options],
        cwd=service.folder,
        env=service.aws.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Following(process=process)
    finally:
        process.kill()
        process.communicate()


class TestUnderWay:
    @pytest.fixture
    def service(self, slow_aws: EmbeddedAws, tmp_path: Path) -> ServiceOnAws:
        """One whose first deployment has begun."""
        service = ServiceOnAws(slow_aws, tmp_path / "project")
        service.push("one", "latest")
        service.create(service.define("latest"))
        return service

    def test_it_is_shown_and_then_followed_to_its_end(self, service: ServiceOnAws) -> None:
        now = service.prod_e("status", "backend")
        assert now.returncode == 0, now.stderr
        assert "under way" in now.stdout
        assert "A deployment is under way." in now.stderr
        assert "hint: ./prod-e status backend" in now.stderr
        assert "--wait" in now.stderr
        with following(service, "--wait", "--json") as command:
            command.read_until("has started 2 tasks.")
            service.aws.take_deployment_steps(2)
            command.end()
        assert command.status == 0, command.stderr
        (status,) = json.loads(command.stdout)["services"]
        assert status["deployment"]["status"] == "SUCCESSFUL"
        assert "deployment completed." in command.stderr

    def test_the_old_tasks_run_until_ecs_has_rolled_back(self, service: ServiceOnAws) -> None:
        service.aws.take_deployment_steps(2)
        assert service.deployments() == ["SUCCESSFUL"]
        service.deploy(service.define("v9.9.9"))
        now = service.prod_e("status", "backend")
        assert "2 of the running are old" in now.stdout
        with following(service, "--follow") as command:
            command.read_until("has started 2 tasks.")
            service.aws.take_deployment_steps()
            command.read_until("rolling back to deployment")
            service.aws.take_deployment_steps()
            command.end()
        assert command.status == 1
        assert "rolled back" in command.stdout
        assert "2 tasks failed: CannotPullContainerError" in command.stderr

    def test_one_that_another_replaces_is_told_so(self, service: ServiceOnAws) -> None:
        service.deploy()
        assert service.deployments() == ["IN_PROGRESS", "STOPPED"]
        now = service.prod_e("status", "backend")
        assert now.returncode == 0
        assert "under way" in now.stdout

    def test_ctrl_c_leaves_the_deployment_to_ecs_and_says_so(self, service: ServiceOnAws) -> None:
        with following(service, "--wait") as command:
            command.read_until("has started 2 tasks.")
            command.process.send_signal(signal.SIGINT)
            command.end()
        assert command.status == 128 + signal.SIGINT
        assert "ECS goes on with the deployment" in command.stderr
        assert "--wait" in command.stderr
        assert "Traceback" not in command.stderr


class TestFollowing:
    """`follow_deployment`, whose patience no option of a command sets."""

    @pytest.fixture
    def followed(
        self, service: ServiceOnAws, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., Deployment]:
        for name, value in service.aws.variables().items():
            monkeypatch.setenv(name, value)
        environment = load_environment(service.settings)

        def follow(**options: Any) -> Deployment:
            return asyncio.run(
                follow_deployment(environment, "backend", terminal=Terminal(), **options)
            )

        return follow

    def test_what_began_since_then_is_followed(
        self, service: ServiceOnAws, followed: Callable[..., Deployment]
    ) -> None:
        before = followed(since=None)
        service.release("two", "v2.0.0")
        after = followed(since=before.created_at)
        assert after.id != before.id
        assert after.succeeded
        assert after.revision.digest == service.tagged()["v2.0.0"]

    def test_where_none_begins_that_is_told(
        self, service: ServiceOnAws, followed: Callable[..., Deployment]
    ) -> None:
        before = followed(since=None)
        with pytest.raises(DeploymentNotBegun):
            followed(since=before.created_at, begins_within=0)

    def test_one_that_takes_too_long_is_told_with_what_fails(
        self, aws: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = ServiceOnAws(aws, tmp_path / "stuck")
        service.push("one", "latest")
        service.create(service.define("latest", command=FAILS), circuit_breaker=False)
        for name, value in aws.variables().items():
            monkeypatch.setenv(name, value)
        with pytest.raises(DeploymentTooSlow) as failure:
            asyncio.run(
                follow_deployment(
                    load_environment(service.settings),
                    "backend",
                    since=None,
                    terminal=Terminal(),
                    patience=0,
                )
            )
        assert any("exited with 3" in line for line in failure.value.details)
        assert failure.value.next_step is not None
        assert "status backend" in failure.value.next_step
