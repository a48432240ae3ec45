"""What outsiders' scanners found, and what was mended for it."""

import json
from typing import Any

import pytest

from prod_e.settings import SettingsError
from tests.support.synthesised import MINIMAL


def test_cloudwatch_and_the_rules_role_may_use_the_key_of_the_encrypted_topic(seed: Any) -> None:
    stack = seed["prod-e"]
    topic, key = stack.one("aws_sns_topic"), stack.one("aws_kms_key")
    assert topic["kms_master_key_id"] == stack.reference("aws_kms_key", "key_id")
    assert key["enable_key_rotation"] is True
    uses = ["kms:Decrypt", "kms:GenerateDataKey"]
    by_principal = {
        json.dumps(statement["Principal"]): statement["Action"]
        for statement in json.loads(key["policy"])["Statement"]
    }
    assert by_principal['{"Service": "cloudwatch.amazonaws.com"}'] == uses
    (of_the_account,) = (a for p, a in by_principal.items() if ":root" in p)
    # Without it nobody could mend the key's policy.
    assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"} <= set(of_the_account)
    role = stack.one("aws_iam_role_policy", name="prod-e-alarms")
    assert {
        "Effect": "Allow",
        "Action": uses,
        "Resource": [stack.reference("aws_kms_key", "arn")],
    } in json.loads(role["policy"])["Statement"]


def test_what_rds_does_to_the_database_is_told_to_the_topic(seed: Any) -> None:
    stack = seed["prod-e"]
    rule = stack.one("aws_cloudwatch_event_rule", name="prod-e-database-events")
    pattern = json.loads(rule["event_pattern"])
    assert (pattern["source"], pattern["detail"]["SourceIdentifier"]) == (
        ["aws.rds"],
        ["prod-e-database"],
    )
    assert {"failover", "failure", "maintenance"} <= set(pattern["detail"]["EventCategories"])
    target = stack.one(
        "aws_cloudwatch_event_target",
        rule=stack.reference("aws_cloudwatch_event_rule", "name", name="prod-e-database-events"),
    )
    assert target["arn"] == stack.reference("aws_sns_topic", "arn")
    assert target["role_arn"]


def test_rds_writes_the_enhanced_monitoring_of_the_database(seed: Any) -> None:
    stack = seed["prod-e"]
    database = stack.one("aws_db_instance")
    assert database["monitoring_interval"] == 60
    name = "prod-e-database-monitoring"
    assert database["monitoring_role_arn"] == stack.reference("aws_iam_role", "arn", name=name)
    trust = json.loads(stack.one("aws_iam_role", name=name)["assume_role_policy"])
    assert trust["Statement"][0]["Principal"] == {"Service": "monitoring.rds.amazonaws.com"}
    # RDS looks at the role's rights when the instance is made.
    policies = [each for each in database["depends_on"] if each.startswith("aws_iam_role_policy.")]
    assert len(policies) == 1


def test_the_endpoint_of_s3_leads_to_the_accounts_buckets_ecrs_layers_and_those_that_are_named(
    synthesised: Any, seed: Any
) -> None:
    def reached(stack: Any) -> list[tuple[list[str], Any]]:
        policy = json.loads(stack.one("aws_vpc_endpoint", vpc_endpoint_type="Gateway")["policy"])
        return [(each["Resource"], each.get("Condition")) for each in policy["Statement"]]

    layers, own = reached(seed["prod-e"])
    assert layers[0][0].endswith(":s3:::prod-us-west-2-starport-layer-bucket/*")
    assert own[0] == ["*"]
    assert list(own[1]["StringEquals"]) == ["aws:ResourceAccount"]
    with_another = synthesised(MINIMAL + '[network]\nforeign_buckets = ["theirs"]\n')["tiny-e"]
    (*_, others) = reached(with_another)
    assert [each.rpartition(":::")[2] for each in others[0]] == ["theirs", "theirs/*"]


def test_a_log_that_is_deleted_can_be_had_back_for_a_week(seed: Any) -> None:
    stack = seed["prod-e"]
    versioning = stack.one("aws_s3_bucket_versioning")
    assert versioning["versioning_configuration"] == {"status": "Enabled"}
    expire, forget = stack.one("aws_s3_bucket_lifecycle_configuration")["rule"]
    assert expire["noncurrent_version_expiration"] == [{"noncurrent_days": 7}]
    # S3 refuses a rule with both.
    assert list(forget["expiration"][0]) == ["expired_object_delete_marker"]


CONTENT = MINIMAL + 'image_tag = "content"\nimmutable_tags = true\n'
FOLLOWING = MINIMAL + 'immutable_tags = true\n[providers]\naws = "~> 6.25"\n'


def test_tags_move_in_no_repository_that_is_immutable_but_for_the_one_that_is_followed(
    synthesised: Any, seed: Any
) -> None:
    def mutability(stacks: Any, name: str) -> tuple[str, Any]:
        repository = stacks[f"{name}-registry"].one("aws_ecr_repository")
        return (
            repository["image_tag_mutability"],
            repository.get("image_tag_mutability_exclusion_filter"),
        )

    assert mutability(seed, "prod-e") == ("MUTABLE", None)
    assert mutability(synthesised(CONTENT), "tiny-e") == ("IMMUTABLE", None)
    assert mutability(synthesised(FOLLOWING), "tiny-e") == (
        "IMMUTABLE_WITH_EXCLUSION",
        [{"filter": "latest", "filter_type": "WILDCARD"}],
    )


@pytest.mark.parametrize(
    ("lines", "advice"),
    [
        ("", 'image_tag = "content", or providers.aws = "~> 6.25"'),
        ('image_tag = "stable"\n', 'image_tag = "content"'),
        ('[providers]\naws = ">= 5.100, < 7.0"\n', 'or providers.aws = "~> 6.25"'),
        ('[providers]\naws = "~> 6.5"\n', 'or providers.aws = "~> 6.25"'),
    ],
)
def test_a_tag_that_moves_is_refused_in_a_repository_where_none_may(
    synthesised: Any, lines: str, advice: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        synthesised(MINIMAL + "immutable_tags = true\n" + lines)
    assert "services.backend.immutable_tags" in str(refused.value)
    assert advice in str(refused.value)
    assert str(refused.value).count("\n") == 0
