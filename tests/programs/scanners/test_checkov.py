"""What checkov says of the plans, and that `docs/security.md` has a reason for each of it.

checkov reads Terraform's JSON as CDKTF writes it not at all: `terraform.required_version` is a text
there, and its parser takes only objects ("this method receives only dicts"), so that it says of
every file that nothing failed. It reads plans.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.programs.scanners.scanner import documented, installed
from tests.support.project.project_folder import ENVIRONMENTS, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider]

STRICT = """
name = "strict-e"
[network]
flow_log_retention_days = 365
[services.backend]
build = "external"
image_tag = "content"
immutable_tags = true
database = true
[database]
multi_az = true
[load_balancer]
domain_name = "api.example.com"
hosted_zone_id = "Z0123456789ABCDEFGHIJ"
waf = true
[monitoring]
log_retention_days = 365
"""
PASSED = {"seed": 170, "strict": 180}
"""How many checks pass at the least: a scan that reads nothing passes none."""


@pytest.fixture(scope="module")
def checkov() -> Path:
    return installed("checkov", "3.3.30")


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Path]]:
    """Terraform's plans as JSON, of the seed system and of the strictest settings."""
    seed = (ENVIRONMENTS / "prod-e.toml").read_text()
    folder = make_project(
        tmp_path_factory.mktemp("scanned") / "project",
        seed=seed.replace('build = "terraform"', 'build = "external"'),
        strict=STRICT.replace("[network]\n", '[network]\ncidr = "10.9.0.0/16"\n'),
    )
    stacks = folder / "cdktf.out" / "stacks"
    found = {}
    with EmbeddedAws() as aws:
        for key, name in (("seed", "prod-e"), ("strict", "strict-e")):
            planned = prod_e(folder, "plan", name, variables=aws.environment())
            assert planned.returncode == 0, planned.stderr
            found[key] = sorted(stacks.glob(f"{name}*/prod-e.tfplan.json"))
            assert len(found[key]) == 2
    return found


def scan(checkov: Path, plans: list[Path]) -> tuple[int, set[str]]:
    """How many checks of the plans passed, and which failed."""
    finished = subprocess.run(
        [
            *(str(checkov), "-f", *map(str, plans), "--framework", "terraform_plan"),
            *("--skip-download", "--compact", "-o", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(finished.stdout)
    assert report["summary"]["parsing_errors"] == 0, finished.stderr
    return report["summary"]["passed"], {
        each["check_id"] for each in report["results"]["failed_checks"]
    }


def test_what_fails_is_what_has_a_reason_in_the_documentation(
    checkov: Path, plans: Mapping[str, list[Path]]
) -> None:
    everywhere = documented("checkov: whatever the settings")
    by_settings = documented("checkov: by the settings of the seed system")
    of_strict = documented("checkov: of what strict settings add")
    for key, expected in (
        ("seed", everywhere | by_settings),
        ("strict", everywhere | of_strict),
    ):
        passed, failed = scan(checkov, plans[key])
        assert passed >= PASSED[key], key
        assert failed == expected, key
