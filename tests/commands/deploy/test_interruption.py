"""Ctrl-C at any step: the exit status, nothing left running, nothing lost."""

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.faults.proxy import answered_after, faulty_aws, one_of_a_kind
from tests.support.aws.aws_clients import client_of
from tests.support.command.running_command import running
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.project.written_project import written
from tests.support.terraform.terraform_program import needs_aws_provider, needs_terraform


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder for a command's temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def test_ctrl_c_during_synthesis_leaves_the_output_as_it_was(
    project: Path, temporary: Path
) -> None:
    before = written(project)
    (project / "environments" / "tiny.toml").write_text(TINY.replace("single", "per_zone"))
    with running(project, "synth", variables=os.environ, temporary=temporary) as command:
        command.wait_for(lambda: any("main.py" in line for line in command.programs()))
        command.interrupt()
    assert written(project) == before
    assert not list(project.glob(".cdktf.out-*"))
    assert prod_e(project, "synth").returncode == 0
    assert written(project) != before


def test_ctrl_c_leaves_nothing_of_an_app_that_does_not_stop(project: Path, temporary: Path) -> None:
    main = project / "main.py"
    main.write_text(
        main.read_text().replace(
            "def main() -> int:",
            """\
def extend(stacks: "prod_e.EnvironmentStacks") -> None:
    import signal, time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path("stuck").touch()
    time.sleep(600)


def main() -> int:""",
        )
    )
    with running(project, "synth", variables=os.environ, temporary=temporary) as command:
        command.wait_for((project / "stuck").exists)
        command.interrupt()


@needs_terraform
def test_ctrl_c_does_not_wait_for_an_aws_that_does_not_answer(
    project: Path, temporary: Path, aws: EmbeddedAws
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = {
            **aws.environment(),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        with running(project, "plan", variables=variables, temporary=temporary) as command:
            connection, _ = silent.accept()
            with connection:
                command.interrupt()


@needs_aws_provider
def test_ctrl_c_during_a_plan_changes_nothing_and_gives_the_lock_back(
    project: Path, temporary: Path, aws: EmbeddedAws
) -> None:
    before = written(project)
    with running(project, "plan", variables=aws.environment(), temporary=temporary) as command:
        command.wait_for_step("Plan tiny-e-registry, tiny-e")
        command.wait_for(lambda: any("terraform-provider" in line for line in command.programs()))
        command.interrupt()
    left = {name: text for name, text in written(project).items() if "prod-e.tfplan" not in name}
    assert left == before
    assert not list(project.rglob("*.lock.info"))


@pytest.mark.slow
@needs_aws_provider
def test_ctrl_c_during_a_deployment_keeps_or_names_all_that_was_made_and_the_next_plan_goes_on(
    tmp_path: Path, temporary: Path
) -> None:
    project = make_project(tmp_path / "project", tiny=TINY)
    interrupted = threading.Event()
    with EmbeddedAws() as aws, faulty_aws(aws.endpoint_url) as slow:
        # AWS makes the first log group, and its answer is still on its way when Ctrl-C comes.
        slow.fault = one_of_a_kind("CreateLogGroup", answered_after(interrupted))
        variables = {**aws.environment(), "AWS_ENDPOINT_URL": slow.url}
        logs = client_of(aws, "logs")

        def log_groups() -> set[str]:
            return {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]}

        with running(
            project, "deploy", "--yes", variables=variables, temporary=temporary
        ) as command:
            command.wait_for_step("Deploy tiny-e")
            command.wait_for(lambda: bool(log_groups()))
            command.interrupt()
        interrupted.set()
        said = "".join(command.said)
        assert "Terraform finishes what is under way and saves its state." in said
        assert "changes of tiny-e were made before that, and are in the state." in said

        stack = json.loads(
            (project / "cdktf.out" / "stacks" / "tiny-e" / "cdk.tf.json").read_text()
        )
        names = {
            f"aws_cloudwatch_log_group.{id}": group["name"]
            for id, group in stack["resource"]["aws_cloudwatch_log_group"].items()
        }
        title = "Under way when it was stopped, so that AWS may have it and the state does not:"
        assert title in said
        under_way = {names[line.strip()] for line in said.splitlines() if line.strip() in names}
        state = json.loads((project / "terraform.tiny-e.tfstate").read_text())
        kept = {
            instance["attributes"]["name"]
            for resource in state["resources"]
            if resource["type"] == "aws_cloudwatch_log_group"
            for instance in resource["instances"]
        }
        assert under_way, "the one whose answer was on its way"
        assert not under_way & kept, "named, though the state has it"
        assert kept <= log_groups() <= kept | under_way
        logs.close()
        assert not list(project.rglob("*.lock.info"))

        planned = prod_e(project, "plan", "--json", variables=variables)
        assert planned.returncode == 0, planned.stderr
        stacks = {stack["stack"]: stack for stack in json.loads(planned.stdout)["stacks"]}
        assert stacks["tiny-e-registry"]["created"] == []
        assert stacks["tiny-e"]["created"]
