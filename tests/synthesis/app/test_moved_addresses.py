"""No state of an earlier version loses a resource: each is where it was, or `moved` says where."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform

FORMER = json.loads(Path(__file__).with_name("former_addresses.json").read_text())
"""The addresses of the main stacks while all security groups were below the network."""

RICH = """
name = "rich-e"
[network]
egress = "endpoints"
availability_zones = 3
[services.backend]
execute_command = true
database = true
[services.backend.secrets]
API_KEY = "arn:aws:secretsmanager:us-west-2:111122223333:secret:key-AbCdEf"
[services.jobs]
source = "backend"
port = 4000
path = "/jobs/*"
host = "jobs.example.com"
database = true
[database]
instance_class = "db.t4g.large"
[load_balancer]
domain_name = "example.com"
hosted_zone_id = "Z0123"
waf = true
[monitoring]
alarm_emails = ["one@example.com"]
"""


@pytest.fixture(params=["prod-e", "staging-e", "rich-e"])
def stack(request: pytest.FixtureRequest, synthesised: Any) -> tuple[str, Any]:
    name: str = request.param
    if name == "rich-e":
        return name, synthesised(RICH)[name]
    stacks = request.getfixturevalue("seed" if name == "prod-e" else "staging")
    return name, stacks[name]


def addresses(stack: Any) -> set[str]:
    return {
        f"{type_name}.{name}"
        for type_name, resources in stack.values["resource"].items()
        for name in resources
    }


def test_every_former_address_is_still_there_or_is_moved(stack: tuple[str, Any]) -> None:
    name, values = stack
    now = addresses(values)
    moved = {block["from"]: block["to"] for block in values.values["moved"]}
    assert len(moved) == len(values.values["moved"])
    assert set(moved.values()) <= now
    assert {moved.get(address, address) for address in FORMER[name]} <= now
    assert not now & set(moved)


def stand_ins(stack_addresses: set[str]) -> dict[str, dict[str, str]]:
    """A resource of Terraform's own for each address, so that no provider is needed."""
    return {address.replace(".", "_"): {"input": "x"} for address in stack_addresses}


@needs_terraform
def test_terraform_itself_moves_them_and_makes_or_destroys_nothing_of_them(
    stack: tuple[str, Any], tmp_path: Path
) -> None:
    name, values = stack
    folder = TerraformFolder(tmp_path)
    former = set(FORMER[name])
    folder.write_resources(**stand_ins(former))
    folder.apply()
    moved = [
        {key: f"terraform_data.{block[key].replace('.', '_')}" for key in ("from", "to")}
        for block in values.values["moved"]
    ]
    folder.write(resource={"terraform_data": stand_ins(addresses(values))}, moved=moved)
    plan = folder.plan()
    targets = {block["to"] for block in values.values["moved"] if block["from"] in former}
    added = addresses(values) - former - targets
    assert len(plan.created) == len(added)
    assert not (plan.changed or plan.replaced or plan.destroyed or plan.forgotten)
    assert len(plan.moved) == len(targets)
