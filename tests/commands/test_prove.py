"""`prod-e prove`: a whole life with its report, and what is said of what is left."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from embedded_aws import ACCOUNT_ID, EmbeddedAws
from prod_e_ops.project.project import Project
from prod_e_ops.prove.environment import ProofFolder
from tests.support.aws.aws_clients import client_of
from tests.support.command.forked_command import PROD_E
from tests.support.project.project_folder import ENVIRONMENTS, TINY, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider]

SEED = (ENVIRONMENTS / "prod-e.toml").read_text()


@pytest.mark.timeout(1_800)
def test_a_life_on_the_embedded_aws_is_proved_and_its_report_and_answers_are_nobodys(
    tmp_path: Path,
) -> None:
    folder = make_project(tmp_path / "project", given=SEED)
    finished = prod_e(folder, "prove", "--embedded", "--record", "--json", timeout_seconds=1_800)
    assert finished.returncode == 0, finished.stderr
    result = json.loads(finished.stdout)
    assert (result["passed"], result["embedded"]) == (True, True)
    assert (result["failed"], result["left"]) == ([], [])
    steps = {step["step"]: step["result"] for step in result["steps"]}
    assert steps["Plan again"].startswith("no changes of ")
    assert int(steps["Plan again"].split()[3]) > 90
    assert "written and read" in steps["Ask through the load balancer"]
    assert "rolled back by ECS" in steps["Deploy a version that crashes"]
    assert "was heard after" in steps["Ring an alarm"]
    assert steps["Look for what is left"] == "nothing"
    (kept,) = (folder / ".prove").iterdir()
    assert json.loads((kept / "report.json").read_text()) == result
    assert "prod-e prove passed" in (kept / "report.md").read_text()
    answers = list((kept / "answers").glob("*/*.json"))
    assert len(answers) > 40
    for file in answers:
        fixture = json.loads(file.read_text())
        assert set(fixture) == {"source", "before", "request", "answer"}
        assert kept.name.removeprefix("prove-") not in file.read_text(), file.name
    services = json.loads((kept / "answers" / "ecs" / "DescribeServices-backend.json").read_text())
    assert services["answer"]["services"][0]["serviceName"] == "recorded-e-backend"


def test_without_docker_nothing_is_made_in_an_account(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project", tiny=TINY)
    variables = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    finished = prod_e(folder, "prove", "--yes", variables=variables)
    assert finished.returncode == 2
    assert "are pushed as images" in finished.stderr
    assert not (folder / ".prove").exists()


@pytest.fixture
def left(tmp_path: Path) -> tuple[Path, ProofFolder]:
    """A project with a proof that was interrupted before anything was made."""
    folder = make_project(tmp_path / "project", tiny=TINY)
    project = Project(folder, folder / "cdktf.out")
    kept = ProofFolder.new(project)
    kept.copy(project, project.environment("tiny-e"), account=ACCOUNT_ID, external=True)
    return folder, kept


@pytest.mark.parametrize("forgotten", [None, "role"])
def test_what_a_proof_has_left_is_removed_and_what_nobody_knows_of_is_named(
    left: tuple[Path, ProofFolder], forgotten: str | None
) -> None:
    folder, kept = left
    with EmbeddedAws() as aws:
        if forgotten:
            client_of(aws, "iam").create_role(
                RoleName=f"{kept.name}-alarms", AssumeRolePolicyDocument="{}"
            )
        removed = prod_e(
            folder, "prove", "--remove", kept.name, "--yes", variables=aws.environment()
        )
    if forgotten:
        assert removed.returncode == 1
        assert f"role: {kept.name}-alarms" in removed.stderr
    else:
        assert removed.returncode == 0, removed.stderr
        assert f"{kept.name} is gone." in removed.stderr


def test_ctrl_c_leaves_a_report_and_says_what_removes_the_rest(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project", tiny=TINY)
    with EmbeddedAws() as aws:
        process = subprocess.Popen(
            [PROD_E, "prove", "--yes"],
            cwd=folder,
            env=aws.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        said = ""
        while "\nPlan ..." not in said:
            line = process.stderr.readline()
            if "are pushed as images" in line:
                pytest.skip("no Docker daemon answers")
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        _, more = process.communicate(timeout=120)
    assert process.returncode == 130
    (kept,) = (folder / ".prove").iterdir()
    assert "costs about" in said
    assert f"./prod-e prove --remove {kept.name}" in more
    assert json.loads((kept / "report.json").read_text())["passed"] is False
