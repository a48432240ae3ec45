"""A deployment killed with -9: what was under way ends, is saved, and is waited for."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.faults.proxy import answered_after, faulty_aws, one_of_a_kind
from tests.support.aws.aws_clients import client_of
from tests.support.command.forked_command import PROD_E
from tests.support.command.running_command import STEP_SECONDS
from tests.support.project.project_folder import TINY, make_project
from tests.support.terraform.terraform_program import needs_aws_provider


@pytest.mark.slow
@needs_aws_provider
def test_the_command_after_a_killed_deployment_waits_and_finds_in_the_state_what_aws_has(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path / "project", tiny=TINY)
    killed, said = threading.Event(), tmp_path / "said"
    with EmbeddedAws() as aws, faulty_aws(aws.endpoint_url) as slow, said.open("wb") as stderr:
        # AWS has made the repository, and its answer is still on its way at the kill.
        slow.fault = one_of_a_kind("CreateRepository", answered_after(killed))
        variables = {
            **aws.environment(),
            "AWS_ENDPOINT_URL": slow.url,
            "VIRTUAL_ENV": sys.prefix,
        }
        ecr = client_of(aws, "ecr")

        @contextmanager
        def running(*arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
            with subprocess.Popen(
                [PROD_E, *arguments],
                cwd=project,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            ) as process:
                try:
                    yield process
                finally:
                    process.kill()

        deadline = time.monotonic() + STEP_SECONDS
        # It is killed with -9 at the end of the block.
        with running("deploy", "--yes") as command:
            while not ecr.describe_repositories()["repositories"]:
                assert command.poll() is None and time.monotonic() < deadline, said.read_text()
                time.sleep(0.05)
        ecr.close()

        deadline = time.monotonic() + STEP_SECONDS
        with running("plan", "--json") as command:
            while "Wait for the Terraform of tiny-e-registry" not in said.read_text():
                assert command.poll() is None and time.monotonic() < deadline, said.read_text()
                time.sleep(0.05)
            killed.set()
            planned, _ = command.communicate(timeout=STEP_SECONDS)
        assert command.returncode == 0, said.read_text()
    stacks = {stack["stack"]: stack for stack in json.loads(planned)["stacks"]}
    assert stacks["tiny-e-registry"]["created"] == []
    assert not list(project.rglob("*.lock.info"))
