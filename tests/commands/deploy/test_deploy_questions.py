"""What is asked about is what is done: real Terraform and AWS provider, on the embedded AWS."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.aws_clients import client_of
from tests.support.aws.put_images import put_images
from tests.support.command.asked import Asked
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider, pytest.mark.timeout(1_800)]

WORKER = '[services.worker]\nsource = "backend"\npath = "/jobs/*"\nbuild = "external"\n'


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as server:
        yield server


def repositories(aws: EmbeddedAws) -> set[str]:
    ecr = client_of(aws, "ecr")
    found = {r["repositoryName"] for r in ecr.describe_repositories()["repositories"]}
    ecr.close()
    return found


def active_services(aws: EmbeddedAws) -> set[str]:
    ecs = client_of(aws, "ecs")
    names = ["tiny-e-backend", "tiny-e-worker"]
    found = ecs.describe_services(cluster="tiny-e-cluster", services=names)["services"]
    ecs.close()
    # A service that was deleted can still be described for a while.
    return {service["serviceName"] for service in found if service["status"] == "ACTIVE"}


def test_a_deployment_is_asked_about_again_where_somebody_has_deployed_meanwhile(
    tmp_path: Path, aws: EmbeddedAws
) -> None:
    folder = make_project(tmp_path / "project", tiny=TINY)
    variables = aws.environment()
    stack = folder / "cdktf.out" / "stacks" / "tiny-e-registry"
    with Asked(folder, "deploy", variables=variables) as asked:
        asked.wait_for("Deploy tiny-e to the account 123456789012, us-west-2: ")
        asked.wait_for(" to create? [y/N]")
        assert re.search(r", us-west-2: [1-9]\d* to create\? \[y/N\]", asked.said)
        saved = re.search(r"show (\S+tiny-e-registry\.tfplan)", asked.said)
        assert saved is not None
        assert Path(saved[1]).exists()
        (repository,) = json.loads((stack / "cdk.tf.json").read_text())["resource"][
            "aws_ecr_repository"
        ]
        subprocess.run(
            ["terraform", "apply", "-auto-approve", f"-target=aws_ecr_repository.{repository}"],
            cwd=stack,
            env=variables,
            check=True,
            capture_output=True,
        )
        asked.answer("y")
        asked.wait_for("The state of tiny-e-registry has changed since it was planned.")
        asked.wait_for("Apply this plan of tiny-e-registry: ")
        shown = asked.said.partition("has changed since it was planned.")[2]
        assert "+ aws_ecr_lifecycle_policy" in shown
        assert "+ aws_ecr_repository" not in shown
        asked.answer("n")
        assert asked.end() == 1
        assert "tiny-e-registry is as it was" in asked.said
    assert not Path(saved[1]).exists()
    assert not (folder / "terraform.tiny-e.tfstate").exists()
    kept = json.loads((folder / "terraform.tiny-e-registry.tfstate").read_text())["resources"]
    assert [resource["type"] for resource in kept] == ["aws_ecr_repository"]


def test_what_a_service_may_still_use_is_removed_after_it_and_asked_about_in_its_turn(
    tmp_path: Path, aws: EmbeddedAws
) -> None:
    folder = make_project(tmp_path / "project", tiny=TINY + WORKER)
    variables = aws.environment()
    deployed = prod_e(folder, "deploy", "--yes", variables=variables)
    assert deployed.returncode == 0, deployed.stderr
    assert "ECR has no tiny-e-backend:latest, which tiny-e-backend is to run." in deployed.stderr
    assert "push backend -e tiny-e" in deployed.stderr
    another_size = TINY.replace('build = "external"', 'build = "external"\nmemory_mib = 1024')
    (folder / "environments" / "tiny.toml").write_text(another_size + WORKER)
    without_image = prod_e(folder, "deploy", "--yes", variables=variables)
    assert without_image.returncode == 2
    assert "would start tasks without an image" in without_image.stderr
    assert "ECR has no tiny-e-backend:latest" in without_image.stderr
    assert "tiny-e-worker" not in without_image.stderr
    assert "Nothing was changed." in without_image.stderr

    put_images(aws, "tiny-e-worker")
    (folder / "environments" / "tiny.toml").write_text(TINY)

    refused = prod_e(folder, "deploy", "--yes", variables=variables)
    assert refused.returncode == 2
    assert "would destroy resources that hold data" in refused.stderr
    assert "Nothing was changed." in refused.stderr

    planned = json.loads(prod_e(folder, "plan", "--json", variables=variables).stdout)
    (refusal,) = planned["refused"]
    lost = re.findall(r"--allow-data-loss=\S+", refusal["next_step"])
    assert {each.partition(".")[0] for each in lost} == {
        "--allow-data-loss=aws_cloudwatch_log_group",
        "--allow-data-loss=aws_ecr_repository",
    }
    assert all(each in refused.stderr for each in lost)
    of_one = prod_e(folder, "deploy", "--yes", lost[0], variables=variables)
    assert of_one.returncode == 2
    assert lost[0].partition("=")[2] not in of_one.stderr.partition("hint:")[0]

    with Asked(folder, "deploy", *lost, variables=variables) as asked:
        asked.wait_for("Deploy tiny-e to the account")
        assert "tiny-e-registry will lose what tiny-e may still use" in asked.said
        assert "- aws_ecr_repository" not in asked.said
        asked.answer("y")
        asked.wait_for("Apply this plan of tiny-e-registry: ")
        assert "- aws_ecr_repository" in asked.said
        assert "The repository tiny-e-worker goes with 2 images." in asked.said
        assert repositories(aws) == {"tiny-e-backend", "tiny-e-worker"}
        assert active_services(aws) == {"tiny-e-backend"}
        asked.answer("n")
        assert asked.end() == 1
        assert "what was deployed before it stays" in asked.said
    assert repositories(aws) == {"tiny-e-backend", "tiny-e-worker"}

    removed = prod_e(folder, "deploy", "--yes", *lost, variables=variables)
    assert removed.returncode == 0, removed.stderr
    assert repositories(aws) == {"tiny-e-backend"}

    put_images(aws, "tiny-e-backend")
    destroyed = prod_e(folder, "destroy", "--yes", variables=variables)
    assert destroyed.returncode == 0, destroyed.stderr
    assert "The repository tiny-e-backend goes with 2 images." in destroyed.stderr
    assert repositories(aws) == set()
