"""Ctrl-C at any step: the exit status, nothing left running, nothing lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from embedded_aws import EmbeddedAws
from tests.support.aws_clients import client_of
from tests.support.processes import processes_with
from tests.support.project_folder import PROD_E, TINY, make_project, prod_e
from tests.support.terraform_program import needs_aws_provider, needs_terraform
from tests.support.written_project import written


class Running:
    """A `prod-e` that runs, and can be interrupted at a step of its work."""

    def __init__(self, project: Path, *arguments: str, variables: Mapping[str, str]) -> None:
        self.temporary = project.parent / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self.said: list[str] = []
        self._process = subprocess.Popen(
            [PROD_E, *arguments],
            cwd=project,
            env={**variables, "TMPDIR": str(self.temporary), "VIRTUAL_ENV": sys.prefix},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            self.said.extend(stream)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert self._process.poll() is None, "".join(self.said)
            assert time.monotonic() < deadline, "".join(self.said)
            time.sleep(0.05)

    def wait_for_step(self, title: str) -> None:
        self.wait_for(lambda: any(line.startswith(f"{title} ...") for line in self.said))

    def programs(self) -> list[str]:
        """The command lines of what it runs, itself left out."""
        return [line for line in processes_with(self.temporary) if "prod-e\0" not in line]

    def interrupt(self) -> str:
        """Ctrl-C: what it says until it ends; asserts that it leaves nothing running or lying."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(120)
        self._reader.join()
        assert self._process.returncode == 130, "".join(self.said)
        # What was killed takes a moment to end on a busy machine.
        deadline = time.monotonic() + 60
        while running := processes_with(self.temporary):
            assert time.monotonic() < deadline, running
            time.sleep(0.05)
        assert list(self.temporary.iterdir()) == []
        said = "".join(self.said)
        assert "Traceback" not in said
        assert said.rstrip().endswith("Interrupted.")
        return said


def test_ctrl_c_during_synthesis_leaves_the_output_as_it_was(project: Path) -> None:
    before = written(project)
    (project / "environments" / "tiny.toml").write_text(TINY.replace("single", "per_zone"))
    running = Running(project, "synth", variables=os.environ)
    running.wait_for(lambda: any("main.py" in line for line in running.programs()))
    running.interrupt()
    assert written(project) == before
    assert not list(project.glob(".cdktf.out-*"))
    assert prod_e(project, "synth").returncode == 0
    assert written(project) != before


@needs_terraform
def test_ctrl_c_does_not_wait_for_an_aws_that_does_not_answer(
    project: Path, aws: EmbeddedAws
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = {
            **aws.environment(),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        running = Running(project, "plan", variables=variables)
        connection, _ = silent.accept()
        with connection:
            running.interrupt()


@needs_aws_provider
def test_ctrl_c_during_a_plan_changes_nothing_and_gives_the_lock_back(
    project: Path, aws: EmbeddedAws
) -> None:
    before = written(project)
    running = Running(project, "plan", variables=aws.environment())
    running.wait_for_step("Plan tiny-e-registry, tiny-e")
    running.wait_for(lambda: any("terraform-provider" in line for line in running.programs()))
    running.interrupt()
    left = {name: text for name, text in written(project).items() if "prod-e.tfplan" not in name}
    assert left == before
    assert not list(project.rglob("*.lock.info"))


@needs_aws_provider
def test_ctrl_c_during_a_deployment_keeps_all_that_was_made_and_the_next_plan_goes_on(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path / "project", tiny=TINY)
    with EmbeddedAws() as aws:
        variables = aws.environment()
        logs = client_of(aws, "logs")

        def log_groups() -> set[str]:
            return {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]}

        running = Running(project, "deploy", "--yes", variables=variables)
        running.wait_for_step("Deploy tiny-e")
        running.wait_for(lambda: bool(log_groups()))
        said = running.interrupt()
        assert "Terraform finishes what is under way and saves its state." in said
        assert "changes of tiny-e were made before that, and are in the state." in said

        state = json.loads((project / "terraform.tiny-e.tfstate").read_text())
        kept = {
            instance["attributes"]["name"]
            for resource in state["resources"]
            if resource["type"] == "aws_cloudwatch_log_group"
            for instance in resource["instances"]
        }
        assert kept == log_groups()
        logs.close()
        assert not list(project.rglob("*.lock.info"))

        planned = prod_e(project, "plan", "--json", variables=variables)
        assert planned.returncode == 0, planned.stderr
        stacks = {stack["stack"]: stack for stack in json.loads(planned.stdout)["stacks"]}
        assert stacks["tiny-e-registry"]["created"] == []
        assert stacks["tiny-e"]["created"]
