"""What is deployed needs no more: whatever the settings say, a second plan is empty."""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws_clients import client_of
from tests.support.existing_resources import make_existing_resources
from tests.support.project_folder import make_project, prod_e
from tests.support.terraform_program import needs_aws_provider
from tests.support.variants import NOWHERE, VARIANTS, filled_in

pytestmark = [pytest.mark.slow, needs_aws_provider]


def make_what_variants_name(aws: EmbeddedAws) -> dict[str, str]:
    """Makes what they name as being there already; returns each one's id, ARN or name."""
    existing = asdict(make_existing_resources(aws))
    for tier in ("public", "private"):
        ids = existing.pop(f"{tier}_subnet_ids")
        existing |= {f"{tier}_{number}": id for number, id in enumerate(ids, start=1)}
    client_of(aws, "s3").create_bucket(
        Bucket=NOWHERE["state_bucket"],
        CreateBucketConfiguration={"LocationConstraint": aws.region},
    )
    zone = client_of(aws, "route53").create_hosted_zone(
        Name="example.com", CallerReference="variants"
    )
    certificate = client_of(aws, "acm").request_certificate(
        DomainName="shop.example.com", ValidationMethod="DNS"
    )
    secret = client_of(aws, "secretsmanager").create_secret(
        Name="company-login", SecretString='{"username": "shop", "password": "-"}'
    )
    client_of(aws, "rds").create_db_snapshot(
        DBInstanceIdentifier=existing["database_arn"].rpartition(":")[2],
        DBSnapshotIdentifier=NOWHERE["snapshot"],
    )
    return {
        **existing,
        "snapshot": NOWHERE["snapshot"],
        "state_bucket": NOWHERE["state_bucket"],
        "hosted_zone_id": zone["HostedZone"]["Id"].removeprefix("/hostedzone/"),
        "certificate_arn": certificate["CertificateArn"],
        "secret_arn": secret["ARN"],
    }


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda path: path.stem)
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
