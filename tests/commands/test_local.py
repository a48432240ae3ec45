"""`prod-e local`: an environment that stays up and follows its sources."""

import json
import os
import shutil
import signal
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from prod_e_ops.demo.live.versions import CHANGED_FILE
from prod_e_ops.demo.project_copy import copy_source
from tests.support.command.processes import processes_with
from tests.support.command.running_command import STEP_SECONDS, RunningCommand, running
from tests.support.docker_engine import docker_or_skip
from tests.support.project.project_folder import PROJECT, TINY, WITH_DATABASE, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for `TMPDIR`, which PostgreSQL, where it runs as somebody else, may go through."""
    with tempfile.TemporaryDirectory(prefix="local-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose service's source is its own."""
    folder = make_project(tmp_path / "project", tiny=WITH_DATABASE)
    (folder / "backend").unlink()
    copy_source(PROJECT / "backend", folder / "backend")
    (folder / "backend" / "node_modules").symlink_to(PROJECT / "backend" / "node_modules")
    return folder


SECOND = TINY.replace('name = "tiny-e"', 'name = "second-e"')


def _said(command: RunningCommand, words: str) -> str | None:
    return next((line for line in list(command.said) if words in line), None)


def _url(command: RunningCommand) -> str:
    command.wait_for(lambda: _said(command, "is up:") is not None)
    line = _said(command, " answers at ")
    assert line is not None
    return line.split(" answers at ")[1].split()[0]


def _ask(url: str, body: dict[str, str] | None = None) -> dict[str, str]:
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode() if body else None,
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, str] = json.load(answer)
    return found


def _variables(command: RunningCommand) -> dict[str, str]:
    """The environment of a program that the printed variables lead there."""
    exports = (line.split("export ", 1)[1].strip() for line in command.said if "export " in line)
    return {**os.environ, **dict(export.split("=", 1) for export in exports)}


def _registry(variables: Mapping[str, str]) -> str:
    """The host and port of ECR's registry."""
    ecr = boto3.client(
        "ecr",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    (repository,) = ecr.describe_repositories()["repositories"]
    return str(repository["repositoryUri"]).partition("/")[0]


def _status(project: Path, environment: str) -> dict[str, Any]:
    status = prod_e(project, "status", "-e", environment, "--local", "--json")
    assert status.returncode == 0, status.stderr
    (service,) = json.loads(status.stdout)["services"]
    found: dict[str, Any] = service
    return found


def _end(command: RunningCommand) -> None:
    """Ctrl-C, which is how it is meant to end."""
    command.process.send_signal(signal.SIGINT)
    assert command.process.wait(STEP_SECONDS) == 0, "".join(command.said)
    _until(lambda: not processes_with(command.temporary))
    assert list(command.temporary.iterdir()) == []


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STEP_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_it_follows_its_sources_serves_other_commands_and_keeps_its_data(
    project: Path, temporary: Path
) -> None:
    options = ("local", "--watch", "--keep-data", "--runtime", "process")
    with running(
        project, *options, variables=os.environ, temporary=temporary, ends_by_itself=True
    ) as command:
        url = _url(command)
        first = _ask(f"{url}/health")["version"]
        note = _ask(f"{url}/notes", {"title": "kept"})["id"]

        with (project / "backend" / CHANGED_FILE).open("a") as file:
            file.write("console.log('This is a change.');\n")
        command.wait_for(lambda: _said(command, " runs.\n") is not None)
        assert _ask(f"{url}/health")["version"] != first
        # From the log of the container.
        command.wait_for(lambda: _said(command, "| This is a change.") is not None)

        assert _status(project, "tiny-e")["deployment"]["status"] == "SUCCESSFUL"
        again = prod_e(project, "local")
        assert again.returncode == 2
        assert "tiny-e runs locally already." in again.stderr

        # However often Terraform was told not to wait, all is as it is described.
        command.wait_for(lambda: _said(command, "resources created") is not None)
        (copy,) = command.temporary.glob("prod-e-demo-*/project")
        plan = prod_e(copy, "plan", "--json", variables=_variables(command))
        assert plan.returncode == 0, plan.stderr
        for stack in json.loads(plan.stdout)["stacks"]:
            assert not any(stack[fate] for fate in ("created", "changed", "replaced", "destroyed"))
        _end(command)
    assert list(project.glob("terraform.*")) == []
    assert [path.name for path in (project / ".cache" / "local").iterdir()] == ["tiny-e-databases"]
    refused = prod_e(project, "status", "--local")
    assert refused.returncode == 2
    assert "tiny-e does not run locally." in refused.stderr

    with running(
        project, *options, variables=os.environ, temporary=temporary, ends_by_itself=True
    ) as command:
        assert _ask(f"{_url(command)}/notes/{note}")["title"] == "kept"
        _end(command)
    shutil.rmtree(project / ".cache")


def test_with_docker_a_push_deploys_and_a_roll_back_returns(project: Path, temporary: Path) -> None:
    docker = docker_or_skip("node:16-slim")
    (project / "environments" / "tiny.toml").write_text(TINY)
    with running(
        project,
        *("local", "--runtime", "docker"),
        variables=os.environ,
        temporary=temporary,
        ends_by_itself=True,
    ) as command:
        url = _url(command)
        first = _ask(f"{url}/health")["version"]
        with (project / "backend" / CHANGED_FILE).open("a") as file:
            file.write("console.log('This is a change.');\n")
        pushed = prod_e(project, "push", "backend", "--local", "--yes", "--wait")
        assert pushed.returncode == 0, pushed.stderr
        second = _ask(f"{url}/health")["version"]
        assert second != first
        command.wait_for(lambda: _said(command, "| This is a change.") is not None)
        assert _status(project, "tiny-e")["deployment"]["status"] == "SUCCESSFUL"

        back = prod_e(project, "rollback", "backend", "--local", "--yes")
        assert back.returncode == 0, back.stderr
        assert _ask(f"{url}/health")["version"] == first
        registry = _registry(_variables(command))
        assert docker.run("image", "ls", "--quiet", f"{registry}/*")
        _end(command)
    assert not docker.run("image", "ls", "--quiet", f"{registry}/*")


def test_two_environments_run_side_by_side(project: Path, temporary: Path) -> None:
    (project / "environments" / "tiny.toml").write_text(TINY)
    (project / "environments" / "second.toml").write_text(SECOND)
    folders = [temporary / name for name in ("tiny-e", "second-e")]
    for folder in folders:
        folder.mkdir()
    one, other = (
        running(
            project,
            *("local", folder.name, "--runtime", "process"),
            variables=os.environ,
            temporary=folder,
            ends_by_itself=True,
        )
        for folder in folders
    )
    with one as tiny, other as second:
        urls = {_url(tiny), _url(second)}
        assert len(urls) == 2
        for url in urls:
            assert _ask(f"{url}/health")["status"] == "ok"
        names = [_status(project, folder.name)["service"] for folder in folders]
        assert names == ["tiny-e-backend", "second-e-backend"]
        _end(tiny)
        assert _ask(f"{_url(second)}/health")["status"] == "ok"
        _end(second)


def test_ctrl_c_in_the_midst_of_it_leaves_nothing_behind(project: Path, temporary: Path) -> None:
    with running(
        project, "local", "--runtime", "process", variables=os.environ, temporary=temporary
    ) as command:
        command.wait_for_step("Apply tiny-e")
        time.sleep(1)  # In the midst of it.
        command.interrupt()
    assert not list((project / ".cache" / "local").iterdir())
