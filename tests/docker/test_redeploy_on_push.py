"""What an environment's JSON does when ECR reports a push, on the embedded AWS."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import ACCOUNT_ID, EmbeddedAws
from prod_e.app.synthesis import synthesise
from prod_e.settings import load_environment
from tests.embedded.world import eventually
from tests.support.aws.registry import Registry
from tests.support.aws.service_on_aws import ServiceOnAws
from tests.support.docker_engine import DockerEngine, docker_or_skip

EXECUTION_SECONDS = 30
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/any"
FAILS = ("sh", "-c", "exit 3")

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
PUSHED = {
    "version": "0",
    "id": "13cde686-328b-6117-af20-0e5566167482",
    "detail-type": "ECR Image Action",
    "source": "aws.ecr",
    "account": ACCOUNT_ID,
    "time": "2019-11-16T01:54:34Z",
    "region": "us-west-2",
    "resources": [],
}
DETAIL = {
    "result": "SUCCESS",
    "repository-name": "the service's",
    "image-digest": "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234",
    "action-type": "PUSH",
    "image-tag": "latest",
}


@dataclass(frozen=True, kw_only=True)
class Redeploy:
    """The rule and the state machine of a service, as its environment's JSON has them."""

    pattern: str
    definition: str

    @classmethod
    def of(cls, service: ServiceOnAws, folder: Path) -> "Redeploy":
        synthesise(
            [load_environment(service.settings)],
            project_folder=service.folder,
            output_folder=folder,
        )
        file = folder / "stacks" / service.name / "cdk.tf.json"
        resources: dict[str, Any] = json.loads(file.read_text())["resource"]
        (machine,) = resources["aws_sfn_state_machine"].values()
        (target,) = [
            each
            for each in resources["aws_cloudwatch_event_target"].values()
            if each["arn"].startswith("${aws_sfn_state_machine.")
        ]
        (rule,) = [
            each
            for name, each in resources["aws_cloudwatch_event_rule"].items()
            if f".{name}." in target["rule"]
        ]
        definition = re.sub(
            r"\$\{data\.aws_partition\.\w[\w-]*\.partition\}", "aws", machine["definition"]
        )
        assert "${" not in definition + rule["event_pattern"]
        return cls(pattern=rule["event_pattern"], definition=definition)

    def install(self, service: ServiceOnAws) -> str:
        """Makes them; gives the state machine's ARN."""
        machine: str = service.client("stepfunctions").create_state_machine(
            name=f"{service.name}-redeploy", definition=self.definition, roleArn=ROLE
        )["stateMachineArn"]
        events = service.client("events")
        events.put_rule(Name=f"{service.name}-redeploy", EventPattern=self.pattern)
        events.put_targets(
            Rule=f"{service.name}-redeploy",
            Targets=[{"Id": "machine", "Arn": machine, "RoleArn": ROLE}],
        )
        return machine


@pytest.fixture
def service(aws: EmbeddedAws, tmp_path: Path) -> ServiceOnAws:
    service = ServiceOnAws(aws, tmp_path / "project")
    service.push("one", "content-1111111111111111", "latest")
    service.create(service.define("latest"))
    return service


@pytest.fixture
def redeploy(service: ServiceOnAws, tmp_path: Path) -> Redeploy:
    return Redeploy.of(service, tmp_path / "out")


def _executions(service: ServiceOnAws, machine: str, *, count: int) -> list[str]:
    """The statuses of the executions, when that many have ended."""
    client = service.client("stepfunctions")
    deadline = time.monotonic() + EXECUTION_SECONDS
    while True:
        listed = client.list_executions(stateMachineArn=machine)["executions"]
        statuses = [execution["status"] for execution in listed]
        ended = [status for status in statuses if status != "RUNNING"]
        if len(ended) >= count or time.monotonic() > deadline:
            return statuses
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("difference", "matches"),
    [
        ({}, True),
        ({"repository-name": "other"}, False),
        ({"image-tag": "v1.0.0"}, False),
        ({"image-tag": "latest-2"}, False),
        ({"action-type": "DELETE"}, False),
        ({"result": "FAILURE"}, False),
    ],
)
def test_the_rule_is_about_a_successful_push_of_the_followed_tag_and_nothing_else(
    service: ServiceOnAws, redeploy: Redeploy, difference: dict[str, str], matches: bool
) -> None:
    detail = {**DETAIL, "repository-name": service.repository, **difference}
    answer = service.client("events").test_event_pattern(
        EventPattern=redeploy.pattern, Event=json.dumps({**PUSHED, "detail": detail})
    )
    assert answer["Result"] is matches


@pytest.mark.parametrize("difference", [{"source": "aws.ecs"}, {"detail-type": "ECR Image Scan"}])
def test_the_rule_is_about_no_other_event(
    service: ServiceOnAws, redeploy: Redeploy, difference: dict[str, str]
) -> None:
    detail = {**DETAIL, "repository-name": service.repository}
    answer = service.client("events").test_event_pattern(
        EventPattern=redeploy.pattern, Event=json.dumps({**PUSHED, "detail": detail, **difference})
    )
    assert answer["Result"] is False


def test_the_state_machine_is_valid(service: ServiceOnAws, redeploy: Redeploy) -> None:
    answer = service.client("stepfunctions").validate_state_machine_definition(
        definition=redeploy.definition
    )
    assert (answer["result"], answer["diagnostics"]) == ("OK", [])


def test_the_state_machine_deploys_the_service_anew(
    service: ServiceOnAws, redeploy: Redeploy
) -> None:
    machine = redeploy.install(service)
    before, definition = service.running()
    digest = service.push("two", "content-2222222222222222")
    service.client("stepfunctions").start_execution(stateMachineArn=machine, input="{}")
    assert _executions(service, machine, count=1) == ["SUCCEEDED"]
    assert service.deployments() == ["SUCCESSFUL", "SUCCESSFUL"]
    # What `latest` names has not changed, and neither has the task definition.
    assert service.running() == (before, definition)
    assert digest not in before


def test_a_push_of_the_followed_tag_deploys_it(service: ServiceOnAws, redeploy: Redeploy) -> None:
    machine = redeploy.install(service)
    digest = service.push("two", "content-2222222222222222", "v2.0.0", "latest")
    # One for each push of `latest`: not for the other tags.
    assert _executions(service, machine, count=1) == ["SUCCEEDED"]
    assert service.running()[0] == {digest}


def test_a_push_before_there_is_a_service_deploys_nothing_then_or_later(
    aws: EmbeddedAws, tmp_path: Path
) -> None:
    service = ServiceOnAws(aws, tmp_path / "project")
    machine = Redeploy.of(service, tmp_path / "out").install(service)
    service.push("one", "content-1111111111111111", "latest")
    # It has ended, and does not wait for a service that it might deploy a second time.
    assert _executions(service, machine, count=1) == ["SUCCEEDED"]
    service.create(service.define("latest"))
    assert service.deployments() == ["SUCCESSFUL"]


def test_a_push_of_what_latest_names_already_deploys_nothing(
    service: ServiceOnAws, redeploy: Redeploy
) -> None:
    machine = redeploy.install(service)
    with pytest.raises(service.ecr.exceptions.ImageAlreadyExistsException):
        service.push("one", "latest")
    assert _executions(service, machine, count=0) == []
    assert service.deployments() == ["SUCCESSFUL"]


# --- With `prod-e push --wait` ------------------------------------------------------------------


@pytest.fixture(scope="module")
def docker() -> DockerEngine:
    return docker_or_skip()


@pytest.fixture(scope="module")
def slow_aws() -> Iterator[EmbeddedAws]:
    """One on which a deployment takes a while."""
    with EmbeddedAws(deployment_seconds=2) as aws:
        yield aws


@pytest.fixture
def pushable(slow_aws: EmbeddedAws, docker: DockerEngine, tmp_path: Path) -> Iterator[ServiceOnAws]:
    """A service before its first image."""
    service = ServiceOnAws(slow_aws, tmp_path / "project")
    source = service.folder / "backend"
    (source / "Dockerfile").write_text(
        f"FROM scratch\nLABEL service={service.service}\nCOPY file /\n"
    )
    (source / "file").write_text("one")
    yield service
    docker.remove_images(f"{slow_aws.registry_address}/{service.repository}")


def test_push_waits_until_the_deployment_that_it_started_is_steady(
    pushable: ServiceOnAws, tmp_path: Path
) -> None:
    first = pushable.prod_e("push", "backend")
    assert first.returncode == 0, first.stderr
    pushable.create(pushable.define("latest"))
    Redeploy.of(pushable, tmp_path / "out").install(pushable)
    (pushable.folder / "backend" / "file").write_text("two")

    done = pushable.prod_e("push", "backend", "--wait", "--json")

    assert done.returncode == 0, done.stderr
    digest = json.loads(done.stdout)["digest"]
    assert f"Deploy {pushable.service}: 2 of 2 tasks run" in done.stderr
    assert pushable.running()[0] == {digest}
    assert len(pushable.deployments()) == 1 + 1

    again = pushable.prod_e("push", "backend", "--wait")
    assert again.returncode == 0, again.stderr
    assert "`latest` named this image before: nothing is deployed." in again.stderr


def test_push_fails_when_the_deployment_does(pushable: ServiceOnAws, tmp_path: Path) -> None:
    pushable.prod_e("push", "backend")
    pushable.create(pushable.define("latest", command=FAILS))
    Redeploy.of(pushable, tmp_path / "out").install(pushable)
    (pushable.folder / "backend" / "file").write_text("two")
    failed = pushable.prod_e("push", "backend", "--wait", "--json")
    assert failed.returncode == 1
    assert "exited with 3" in failed.stderr
    # The push itself went well, and a script can read what it was.
    assert json.loads(failed.stdout)["digest"] == pushable.tagged()["latest"]


def test_a_plain_docker_push_of_the_followed_tag_deploys_it(
    pushable: ServiceOnAws, docker: DockerEngine, tmp_path: Path
) -> None:
    pushable.prod_e("push", "backend")
    pushable.create(pushable.define("latest"))
    machine = Redeploy.of(pushable, tmp_path / "out").install(pushable)
    source = pushable.folder / "backend"
    (source / "file").write_text("two")
    host = pushable.aws.registry_address
    name = f"{host}/{pushable.repository}:latest"
    user = DockerEngine(
        environment={**docker.environment, "DOCKER_CONFIG": str(tmp_path / "docker")}
    )
    password = Registry(aws=pushable.aws).password()
    user.run("login", "--username=AWS", f"--password={password}", host)
    user.run("build", "--no-cache", "--tag", name, str(source))
    user.run("push", name)
    assert _executions(pushable, machine, count=1) == ["SUCCEEDED"]
    pushed = {pushable.tagged()["latest"]}
    eventually("it is deployed", lambda: pushable.running()[0] == pushed)
