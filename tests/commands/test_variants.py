"""What is deployed needs no more: whatever the settings say, a second plan is empty."""

import json
import tomllib
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.existing_resources import make_what_variants_name
from tests.support.project.project_folder import make_project, prod_e
from tests.support.project.variants import VARIANTS, filled_in
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "variant",
    # test_existing_resources.py asks the same of that one, and more.
    [variant for variant in VARIANTS if variant.stem != "existing"],
    ids=lambda path: path.stem,
)
def test_a_second_plan_of_what_was_deployed_is_empty(variant: Path, tmp_path: Path) -> None:
    region = tomllib.loads(variant.read_text(encoding="utf-8")).get("region", "us-west-2")
    with EmbeddedAws(region=region) as aws:
        toml = filled_in(variant, make_what_variants_name(aws))
        folder = make_project(tmp_path / "project", variant=toml)
        variables = aws.environment()

        deployed = prod_e(
            folder, "deploy", "--yes", "--json", variables=variables, timeout_seconds=1_200
        )
        assert deployed.returncode == 0, deployed.stderr

        again = prod_e(folder, "plan", "--json", variables=variables)
        assert again.returncode == 0, again.stderr
        for stack in json.loads(again.stdout)["stacks"]:
            changes = {
                fate: stack[fate]
                for fate in ("created", "changed", "replaced", "destroyed")
                if stack[fate]
            }
            assert not changes, f"{stack['stack']}: {changes}\n{again.stderr}"

        destroyed = prod_e(folder, "destroy", "--yes", variables=variables, timeout_seconds=1_200)
        assert destroyed.returncode == 0, destroyed.stderr
