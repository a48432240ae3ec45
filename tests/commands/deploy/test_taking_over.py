"""What AWS has of an environment and its states have lost: named, refused, taken over on demand."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.aws_clients import client_of
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider, pytest.mark.timeout(1_800)]

LOST = frozenset(
    {
        "aws_cloudwatch_event_target",
        "aws_ecr_repository",
        "aws_cloudwatch_query_definition",
        "aws_eip",
        "aws_iam_role",
        "aws_kms_alias",
        "aws_kms_key",
        "aws_lb",
        "aws_lb_listener",
        "aws_lb_listener_rule",
        "aws_nat_gateway",
        "aws_route",
        "aws_route_table_association",
        "aws_vpc_security_group_egress_rule",
    }
)
"""Some that have names of their own, some that do not, and some that are found by these."""

NOT_FOUND_BY_AN_ID = frozenset({"aws_route", "aws_route_table_association"})
"""What Terraform gives another id when it imports it."""


def states(project: Path) -> list[Path]:
    return sorted(project.glob("terraform.*.tfstate"))


def ids(project: Path) -> dict[tuple[str, str], str]:
    """What the states hold, by type and name."""
    return {
        (resource["type"], resource["name"]): instance["attributes"]["id"]
        for file in states(project)
        for resource in json.loads(file.read_text())["resources"]
        if resource["mode"] == "managed"
        for instance in resource["instances"]
    }


def lose(project: Path) -> None:
    """Takes out of the states what AWS goes on having."""
    for file in states(project):
        state: dict[str, Any] = json.loads(file.read_text())
        state["resources"] = [each for each in state["resources"] if each["type"] not in LOST]
        state["serial"] += 1
        file.write_text(json.dumps(state))


def leave_unfinished(project: Path, type: str) -> None:
    """Has Terraform take them for unfinished, as after an answer that it could not read."""
    for file in states(project):
        state: dict[str, Any] = json.loads(file.read_text())
        for resource in state["resources"]:
            for instance in resource["instances"] if resource["type"] == type else ():
                instance["status"] = "tainted"
        state["serial"] += 1
        file.write_text(json.dumps(state))


def address_of(aws: EmbeddedAws, tags: Mapping[str, str]) -> str:
    """An Elastic IP address that nobody's state has."""
    ec2 = client_of(aws, "ec2")
    specification = {
        "ResourceType": "elastic-ip",
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    id: str = ec2.allocate_address(Domain="vpc", TagSpecifications=[specification])["AllocationId"]
    ec2.close()
    return id


def reopen(aws: EmbeddedAws, groups: Iterable[str]) -> str:
    """Gives one back the rule that AWS makes with each security group, and says what revokes it."""
    ec2 = client_of(aws, "ec2")
    rules = ec2.describe_security_group_rules()["SecurityGroupRules"]
    open_ones = {rule["GroupId"] for rule in rules if rule["IpProtocol"] == "-1"}
    group = min(set(groups) - open_ones)
    anywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    made = ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[anywhere])
    ec2.close()
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    return (
        f"aws ec2 revoke-security-group-egress --group-id {group} --security-group-rule-ids {rule}"
    )


def test_what_a_state_has_lost_is_named_and_comes_back_only_where_that_is_asked_for(
    aws: EmbeddedAws, tmp_path: Path
) -> None:
    project, variables = make_project(tmp_path / "project", tiny=TINY), aws.environment()
    deployed = prod_e(project, "deploy", "--yes", variables=variables)
    assert deployed.returncode == 0, deployed.stderr
    assert "AWS has what no state" not in deployed.stderr
    before = ids(project)

    lose(project)
    after_loss = [file.read_text() for file in states(project)]
    # The reply about it was lost: a second one of its name would be in the way of the first.
    nobodys = address_of(aws, {"prod-e:environment": "tiny-e", "Name": "tiny-e-spare"})
    revoke = reopen(aws, (id for (type, _), id in before.items() if type == "aws_security_group"))
    anothers = address_of(aws, {"prod-e:environment": "other-e", "Name": "tiny-e-nat-1"})

    refused = prod_e(project, "deploy", "--yes", variables=variables)
    assert refused.returncode == 1, refused.stderr
    named = {
        line.strip().partition(": ")[0]
        for line in refused.stderr.splitlines()
        if line.startswith("  aws_")
    }
    assert named == {f"{type}.{name}" for type, name in before if type in LOST}
    assert "Nothing was changed." in refused.stderr
    assert "./prod-e deploy tiny-e --take-over --yes" in refused.stderr
    assert [file.read_text() for file in states(project)] == after_loss

    taken = prod_e(project, "deploy", "--yes", "--take-over", variables=variables)
    assert taken.returncode == 0, taken.stderr
    assert "± " not in taken.stdout and "\n  - " not in taken.stdout
    kept = {key: id for key, id in before.items() if key[0] not in NOT_FOUND_BY_AN_ID}
    assert {key: id for key, id in ids(project).items() if key in kept} == kept
    assert f"aws ec2 release-address --allocation-id {nobodys} --region us-west-2" in taken.stderr
    assert f"{revoke} --region us-west-2" in taken.stderr
    assert anothers not in refused.stderr + taken.stderr
    assert not list(project.rglob("prod-e-imports.tf.json"))

    # AWS has no two of one name in a VPC, and the first is in use.
    leave_unfinished(project, "aws_security_group")
    finished = prod_e(project, "deploy", "--yes", "--take-over", variables=variables)
    assert finished.returncode == 0, finished.stderr
    assert {key: id for key, id in ids(project).items() if key in kept} == kept

    planned = prod_e(project, "plan", "--json", variables=variables)
    assert planned.returncode == 0, planned.stderr
    for stack in json.loads(planned.stdout)["stacks"]:
        fates = ("created", "changed", "replaced", "destroyed", "imported")
        assert [stack[fate] for fate in fates] == [[]] * len(fates), stack
