"""Whatever is wrong or comes in between: a clear message, a telling exit status, nothing lost."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import boto3
import pytest

from embedded_aws import EmbeddedAws
from prod_e_ops.terraform.provider_mirror import find_provider_source
from tests.support.project_folder import PROD_E, TINY, make_project, processes_with, prod_e

needs_provider = pytest.mark.skipif(
    shutil.which("terraform") is None
    or (
        find_provider_source(os.environ).origin == "from Terraform's registry"
        and os.environ.get("PROD_E_TEST_WITH_REGISTRY") != "1"
    ),
    reason="Terraform is not installed or no mirror has the AWS provider;"
    " PROD_E_TEST_WITH_REGISTRY=1 asks the registry",
)
needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="Terraform is not installed"
)

# A state that a mistake must not touch.
STATE = '{"version": 4, "serial": 1, "lineage": "l", "outputs": {}, "resources": []}\n'


@pytest.fixture(scope="module")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is well: its output and a state are there."""
    folder = make_project(tmp_path_factory.mktemp("well") / "project", tiny=TINY)
    finished = prod_e(folder, "synth")
    assert finished.returncode == 0, finished.stderr
    (folder / "terraform.tiny-e.tfstate").write_text(STATE)
    return folder


@pytest.fixture
def project(synthesised: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    return shutil.copytree(synthesised, tmp_path / "project", symlinks=True)


def written(project: Path) -> Mapping[str, bytes]:
    """What a mistake must leave as it is: the output and the states, byte for byte."""
    return {
        str(file.relative_to(project)): file.read_bytes()
        for file in sorted(project.rglob("*"))
        if file.is_file()
        and not file.is_symlink()
        and ".terraform" not in file.parts
        and "environments" not in file.parts
        and file.name != ".terraform.lock.hcl"
    }


def refused(
    project: Path,
    *arguments: str,
    status: int,
    variables: Mapping[str, str] | None = None,
) -> str:
    """What a command says that fails; asserts that it leaves everything as it was."""
    before = written(project)
    assert "cdktf.out/stacks/tiny-e/cdk.tf.json" in before
    finished = prod_e(project, *arguments, variables=variables)
    assert finished.returncode == status, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr
    assert finished.stdout == ""
    assert written(project) == before
    assert not list(project.glob(".cdktf.out-*"))
    return finished.stderr


@pytest.mark.parametrize("command", ["synth", "plan", "deploy"])
@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            TINY.replace("build", "bild"),
            "environments/tiny.toml: services.backend.bild: is not a known key; allowed: ",
        ),
        (
            TINY.replace("egress =", 'availability_zones = "2"\negress ='),
            "environments/tiny.toml: network.availability_zones: '2' is not allowed; allowed: ",
        ),
        (
            TINY.replace('egress = "nat"', 'egress = "all"'),
            "environments/tiny.toml: network.egress: 'all' is not allowed; allowed: 'nat' or"
            " 'endpoints'",
        ),
        (
            TINY.replace('"external"', '"external'),
            "environments/tiny.toml: is not valid TOML: ",
        ),
        ("\udcff", "environments/tiny.toml: cannot be read: "),
    ],
    ids=["unknown key", "wrong type", "broken rule", "malformed", "not text"],
)
def test_wrong_settings_are_told_by_file_key_and_what_is_allowed(
    project: Path, command: str, toml: str, message: str
) -> None:
    file = project / "environments" / "tiny.toml"
    file.write_text(toml, "utf-8", errors="surrogateescape")
    assert message in refused(project, command, status=2)


def test_each_of_several_mistakes_has_a_line_of_its_own(project: Path) -> None:
    folder = project / "environments"
    (folder / "tiny.toml").write_text(TINY.replace("build", "bild").replace('"nat"', '"all"'))
    (folder / "other.toml").write_text('name = "Other"\n[services.backend]\nport = 0\n')
    lines = [
        line
        for line in refused(project, "plan", status=2).splitlines()
        if line.startswith("environments/")
    ]
    assert [line.split(": ")[:2] for line in sorted(lines)] == [
        ["environments/other.toml", "name"],
        ["environments/other.toml", "services.backend.port"],
        ["environments/tiny.toml", "network.egress"],
        ["environments/tiny.toml", "services.backend.bild"],
    ]


@pytest.mark.parametrize("command", ["synth", "plan", "deploy", "destroy"])
def test_a_project_without_its_environments_is_not_taken_for_another(
    project: Path, command: str
) -> None:
    shutil.rmtree(project / "environments")
    said = refused(project, command, status=2)
    assert f"{project} has no folder environments/" in said


def test_an_empty_folder_of_environments_says_what_to_add(project: Path) -> None:
    (project / "environments" / "tiny.toml").unlink()
    for command in ("synth", "plan"):
        said = refused(project, command, status=2)
        assert "no environment found; add a file such as prod-e.toml" in said


@pytest.mark.parametrize("command", ["plan", "deploy", "destroy"])
def test_an_unknown_environment_is_answered_with_the_known_ones(
    project: Path, command: str
) -> None:
    said = refused(project, command, "prd-e", status=2)
    assert "There is no environment 'prd-e'" in said
    assert "Name one of tiny-e, or add environments/prd-e.toml." in said


def test_a_source_folder_that_is_missing_is_told(project: Path) -> None:
    file = project / "environments" / "tiny.toml"
    file.write_text(TINY.replace('build = "external"', 'source = "frontend"'))
    said = refused(project, "synth", status=2)
    assert "environments/tiny.toml: services.backend.source: 'frontend'" in said


def test_an_option_that_does_not_exist_is_refused(project: Path) -> None:
    assert "No such option: --now" in refused(project, "plan", "--now", status=2)


def test_a_missing_terraform_is_told(project: Path) -> None:
    said = refused(project, "plan", status=2, variables={**os.environ, "PATH": "/nonexistent"})
    assert "Terraform is not installed: there is no `terraform` on PATH." in said
    assert "Install Terraform 1.10 or newer" in said


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        ('{"terraform_version": "1.9.8"}', 2, "is too old: prod-e needs 1.10 or newer."),
        ('{"terraform_version": "0.15.0"}', 2, "Terraform 0.15.0 ("),
        ("Hello!", 1, "does not answer `version` as Terraform does."),
    ],
    ids=["old", "very old", "something else"],
)
def test_a_terraform_that_will_not_do_is_told(
    project: Path, tmp_path: Path, answer: str, status: int, message: str
) -> None:
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    variables = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    said = refused(project, "plan", status=status, variables=variables)
    assert message in said
    assert str(program) in said


def test_a_mirror_that_is_none_is_told(project: Path, tmp_path: Path) -> None:
    variables = {**os.environ, "TF_CLI_CONFIG_FILE": "", "TF_PLUGIN_MIRROR_DIR": str(tmp_path)}
    variables["HOME"] = str(tmp_path)
    said = refused(project, "plan", status=2, variables=variables)
    assert f"TF_PLUGIN_MIRROR_DIR is {tmp_path}, which is not a mirror" in said


@needs_terraform
def test_a_missing_provider_is_told(project: Path, tmp_path: Path, aws: EmbeddedAws) -> None:
    (tmp_path / "empty").mkdir()
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{tmp_path}/empty" }} }}\n'
    )
    variables = {**aws.environment(), "TF_CLI_CONFIG_FILE": str(configuration)}
    for command in (("plan",), ("deploy", "--yes")):
        said = refused(project, *command, status=1, variables=variables)
        assert "the provider hashicorp/aws cannot be had" in said
        assert "TF_PLUGIN_MIRROR_DIR" in said


@needs_terraform
@pytest.mark.parametrize("command", [("plan",), ("deploy", "--yes"), ("destroy", "--yes")])
def test_credentials_of_another_account_stop_everything(
    project: Path, command: tuple[str, ...], aws: EmbeddedAws
) -> None:
    with_account = f'account = "999999999999"\n{TINY}'
    (project / "environments" / "tiny.toml").write_text(with_account)
    assert prod_e(project, "synth").returncode == 0
    said = refused(project, *command, status=2, variables=aws.environment())
    assert "belong to the AWS account 123456789012" in said
    assert 'the settings of tiny-e say account = "999999999999"' in said
    assert "AWS_PROFILE" in said


@needs_terraform
@pytest.mark.parametrize("command", [("plan",), ("deploy", "--yes")])
def test_an_aws_that_cannot_be_reached_is_told(
    project: Path, command: tuple[str, ...], aws: EmbeddedAws
) -> None:
    variables = {**aws.environment(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    said = refused(project, *command, status=1, variables=variables)
    assert "AWS cannot be reached" in said
    assert "AWS_ENDPOINT_URL" in said


@needs_terraform
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "there are no AWS credentials"),
        ({"AWS_ACCESS_KEY_ID": "only"}, "there are no AWS credentials"),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
    ],
    ids=["none", "half of them", "unknown profile"],
)
def test_missing_credentials_are_told(
    project: Path, tmp_path: Path, given: Mapping[str, str], message: str
) -> None:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    variables |= {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        **given,
    }
    said = refused(project, "plan", status=2, variables=variables)
    assert message in said
    assert "AWS_PROFILE" in said


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


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="what still runs is read from /proc"
)


@needs_proc
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


@needs_proc
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


@needs_proc
@needs_provider
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


@needs_proc
@needs_provider
def test_ctrl_c_during_a_deployment_keeps_all_that_was_made_and_the_next_plan_goes_on(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path / "project", tiny=TINY)
    with EmbeddedAws() as aws:
        variables = aws.environment()
        keys = aws.variables()
        logs = boto3.client(
            "logs",
            endpoint_url=aws.endpoint_url,
            region_name=aws.region,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        )

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
