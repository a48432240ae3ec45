"""A deployment that ECS did not keep: what commands say of it, and how they end."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from prod_e.settings import Environment, load_environment
from prod_e_ops.errors import DeploymentFailed, DeploymentNotBegun
from prod_e_ops.service.follow import newest_deployment, verify_service, verify_services
from prod_e_ops.terminal.terminal import Terminal
from tests.support.aws.service_on_aws import ServiceOnAws

FAILS = ("sh", "-c", "exit 3")


@pytest.fixture
def service(aws: EmbeddedAws, tmp_path: Path) -> ServiceOnAws:
    service = ServiceOnAws(aws, tmp_path / "project")
    service.push("one", "latest", "v1.0.0")
    service.create(service.define("latest"))
    return service


@pytest.fixture
def environment(service: ServiceOnAws, monkeypatch: pytest.MonkeyPatch) -> Environment:
    for name, value in service.aws.variables().items():
        monkeypatch.setenv(name, value)
    return load_environment(service.settings)


def write_log(service: ServiceOnAws, task: str, *lines: str) -> None:
    """Writes what the container of a task would have written."""
    logs = service.client("logs")
    group = f"/ecs/{service.service}"
    stream = f"ecs/{service.service}/{task}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": now + n, "message": line} for n, line in enumerate(lines)],
    )


def newest_failed_task(service: ServiceOnAws) -> str:
    arns = service.ecs.list_tasks(
        cluster=service.cluster, serviceName=service.service, desiredStatus="STOPPED"
    )["taskArns"]
    tasks = service.ecs.describe_tasks(cluster=service.cluster, tasks=arns)["tasks"]
    newest: str = max(
        (task for task in tasks if task["containers"][0].get("exitCode")),
        key=lambda task: task["stoppedAt"],
    )["taskArn"]
    return newest.rpartition("/")[2]


def test_the_last_ten_lines_of_the_container_that_failed_are_shown(service: ServiceOnAws) -> None:
    service.deploy(service.define("latest", command=FAILS))
    lines = [f"line {number}" for number in range(12)]
    write_log(service, newest_failed_task(service), *lines, "\x1b[31mno database\x1b[0m")
    done = service.prod_e("status", "backend")
    assert done.returncode == 1
    shown = [line.strip() for line in done.stderr.splitlines()]
    first = shown.index("line 3")
    assert shown[first : first + 10] == [*lines[3:], r"\x1b[31mno database\x1b[0m"]
    assert "line 2" not in shown
    assert f"/ecs/{service.service}" in done.stderr


def test_a_container_that_wrote_nothing_is_told_as_that(service: ServiceOnAws) -> None:
    service.deploy(service.define("latest", command=FAILS))
    done = service.prod_e("status", "backend")
    assert f"task {newest_failed_task(service)} wrote nothing" in done.stderr


class TestVerification:
    """What `deploy` and `push --wait` end with."""

    def test_a_deployment_under_way_is_followed_to_its_failure(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with EmbeddedAws(deployment_seconds=1) as slow:
            service = ServiceOnAws(slow, tmp_path / "slow")
            service.push("one", "latest")
            service.create(service.define("latest", command=FAILS))
            for name, value in slow.variables().items():
                monkeypatch.setenv(name, value)
            assert service.deployments() == ["IN_PROGRESS"]
            with pytest.raises(DeploymentFailed) as failed:
                asyncio.run(verify_services(load_environment(service.settings), Terminal()))
        assert any("exited with 3" in line for line in failed.value.details)

    def test_of_a_pushed_service_the_deployment_before_is_no_success(
        self, service: ServiceOnAws, environment: Environment
    ) -> None:
        before = asyncio.run(newest_deployment(environment, "backend"))
        assert before.succeeded
        with pytest.raises(DeploymentNotBegun) as missed:
            asyncio.run(
                verify_services(
                    environment,
                    Terminal(),
                    pushed={"backend": before.created_at},
                    begins_within=0,
                )
            )
        assert f"prod-e redeploy backend -e {service.name}" in str(missed.value.next_step)

    def test_of_a_pushed_service_the_deployment_after_is_followed(
        self, service: ServiceOnAws, environment: Environment
    ) -> None:
        before = asyncio.run(newest_deployment(environment, "backend"))
        pushed = {"backend": before.created_at}
        service.release("two")
        asyncio.run(verify_services(environment, Terminal(), pushed=pushed))
        service.deploy(service.define("latest", command=FAILS))
        with pytest.raises(DeploymentFailed):
            asyncio.run(verify_services(environment, Terminal(), pushed=pushed))

    def test_an_image_whose_last_deployment_failed_is_no_success(
        self, service: ServiceOnAws, environment: Environment
    ) -> None:
        service.deploy(service.define("latest", command=FAILS))
        digest = service.tagged()["latest"]
        with pytest.raises(DeploymentFailed):
            asyncio.run(
                verify_service(environment, "backend", digests=[digest], terminal=Terminal())
            )

    def test_an_image_that_no_deployment_took_is_no_success(
        self, service: ServiceOnAws, environment: Environment
    ) -> None:
        digest = service.push("two", "latest")
        with pytest.raises(DeploymentNotBegun) as missed:
            asyncio.run(
                verify_service(environment, "backend", digests=[digest], terminal=Terminal())
            )
        assert f"redeploy backend -e {service.name}" in str(missed.value.next_step)

    def test_an_image_that_runs_is_a_success(
        self, service: ServiceOnAws, environment: Environment
    ) -> None:
        digest = service.tagged()["latest"]
        asyncio.run(verify_service(environment, "backend", digests=[digest], terminal=Terminal()))


class TestRedeploy:
    def test_what_the_tag_names_now_is_deployed(self, service: ServiceOnAws) -> None:
        digest = service.push("two", "latest")
        done = service.prod_e("redeploy", "backend", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["deployment"]["digest"] == digest
        assert service.running() == ({digest}, f"{service.family}:1")

    def test_people_get_one_line_of_what_runs_now(self, service: ServiceOnAws) -> None:
        digest = service.push("two", "latest")
        done = service.prod_e("redeploy", "backend")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{service.registry}/{service.repository}:latest {digest}\n"
        # The line of the step is the only other one that says how it ended.
        ended = [line for line in done.stderr.splitlines() if "of 2 tasks" in line]
        assert len(ended) == 1, done.stderr
        assert digest not in done.stderr

    def test_one_that_ecs_does_not_keep_fails(self, service: ServiceOnAws) -> None:
        service.ecr.batch_delete_image(
            repositoryName=service.repository, imageIds=[{"imageTag": "latest"}]
        )
        done = service.prod_e("redeploy", "backend")
        assert done.returncode == 1
        assert "CannotPullContainerError" in done.stderr

    def test_a_service_that_is_not_deployed_is_refused(
        self, aws: EmbeddedAws, tmp_path: Path
    ) -> None:
        service = ServiceOnAws(aws, tmp_path / "none")
        assert service.prod_e("redeploy", "backend").returncode == 2
