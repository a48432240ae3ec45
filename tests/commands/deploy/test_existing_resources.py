"""An environment in what somebody has already, deployed to the embedded AWS and destroyed."""

import json
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.existing_resources import (
    infrastructure,
    make_what_variants_name,
    security_group_rules,
)
from tests.support.project.project_folder import make_project, prod_e
from tests.support.project.variants import VARIANTS, filled_in
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider, pytest.mark.timeout(1_200)]

(VARIANT,) = (variant for variant in VARIANTS if variant.stem == "existing")


def test_an_environment_lives_in_what_is_there_already_and_leaves_it(
    tmp_path: Path, aws: EmbeddedAws
) -> None:
    toml = filled_in(VARIANT, make_what_variants_name(aws))
    folder = make_project(tmp_path / "project", existing=toml)
    variables = aws.environment()
    there, rules = infrastructure(aws), security_group_rules(aws)

    deployed = prod_e(folder, "deploy", "--yes", "--json", variables=variables)
    assert deployed.returncode == 0, deployed.stderr
    outputs = json.loads(deployed.stdout)["outputs"]
    assert outputs["cluster_name"] == "company"
    assert outputs["database_endpoint"].endswith(":5433")
    assert outputs["service_url"] == "http://shop.example.com"

    assert infrastructure(aws) == there
    assert set(security_group_rules(aws)) > set(rules)

    status = prod_e(folder, "status", "--json", variables=variables)
    assert status.returncode == 0, status.stderr
    assert "company" in status.stdout

    again = prod_e(folder, "plan", "--json", variables=variables)
    assert again.returncode == 0, again.stderr
    for stack in json.loads(again.stdout)["stacks"]:
        assert not any(stack[fate] for fate in ("created", "changed", "replaced", "destroyed"))

    # Neither database nor load balancer is the environment's to protect or to take down.
    destroyed = prod_e(folder, "destroy", "--yes", variables=variables)
    assert destroyed.returncode == 0, destroyed.stderr
    assert "The database leaves" not in destroyed.stderr
    assert "the bucket of the access logs" not in destroyed.stderr
    assert (infrastructure(aws), security_group_rules(aws)) == (there, rules)
