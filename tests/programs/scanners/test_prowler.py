"""What Prowler says of the seed system, once deployed to the embedded AWS.

`docs/security.md` has a reason for each check that fails, and says which of them fail only because
an emulator answers.
"""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.programs.scanners.scanner import documented, installed
from tests.support.project.project_folder import ENVIRONMENTS, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider, pytest.mark.timeout(2_400)]

SERVICES = (
    *("cloudwatch", "ec2", "ecr", "ecs", "elbv2", "eventbridge", "iam", "kms", "rds", "s3"),
    *("secretsmanager", "sns", "stepfunctions", "vpc"),
)
"""Those whose resources the seed system has, by Prowler's names."""

OF_AWS = "ec2_ebs_"
"""How the checks of snapshots begin: moto has public ones of AWS's, and they are 1,300."""

PASSED = 200
"""How many checks of all other resources pass at the least."""

TABLES = ("what checkov finds too", "of the environment", "of the account")
OF_EMULATORS = "because an emulator answers"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check says of one resource. `status`: PASS, FAIL or MANUAL."""

    check: str
    status: str
    service: str


@pytest.fixture
def findings(tmp_path: Path) -> list[Finding]:
    prowler = installed("prowler", "5.46.0")
    seed = (ENVIRONMENTS / "prod-e.toml").read_text()
    seed = seed.replace('build = "terraform"', 'build = "external"')
    project = make_project(tmp_path / "project", seed=seed)
    with EmbeddedAws() as aws:
        deployed = prod_e(
            project, "deploy", "--yes", variables=aws.environment(), timeout_seconds=900
        )
        assert deployed.returncode == 0, deployed.stderr
        scanned = subprocess.run(
            [
                *(str(prowler), "aws", "--service", *SERVICES, "--region", aws.region),
                *("--output-formats", "json-ocsf", "--output-directory", str(tmp_path)),
                *("--output-filename", "report", "--no-banner", "--no-color"),
                "--ignore-exit-code-3",
            ],
            # It reads its own settings, and the AWS CLI's, from there.
            env={**aws.environment(), "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert scanned.returncode == 0, scanned.stdout + scanned.stderr
    return [
        Finding(
            check=each["metadata"]["event_code"],
            status=each["status_code"],
            service=each["resources"][0]["group"]["name"],
        )
        for each in json.loads((tmp_path / "report.ocsf.json").read_text("utf-8"))
    ]


def test_what_fails_is_what_has_a_reason_in_the_documentation(findings: list[Finding]) -> None:
    assert {each.service for each in findings} == set(SERVICES)
    passed = [e for e in findings if e.status == "PASS" and not e.check.startswith(OF_AWS)]
    assert len(passed) >= PASSED

    failed = {each.check for each in findings if each.status == "FAIL"}
    reasons = [documented(f"Prowler: {heading}") for heading in (*TABLES, OF_EMULATORS)]
    times = Counter(check for table in reasons for check in table)
    assert [check for check, count in times.items() if count > 1] == []
    assert failed == set(times)
