"""Nobody may do more than it needs."""

import json
from typing import Any

from tests.support.synthesised import MINIMAL


def test_no_policy_allows_a_wildcard_action(seed: Any, staging: Any) -> None:
    for stack in (*seed.values(), *staging.values()):
        for statement in stack.policies():
            assert not any("*" in action for action in statement["Action"])


def test_every_action_on_any_resource_is_one_for_which_aws_has_nothing_finer(
    seed: Any, staging: Any
) -> None:
    found = {
        action
        for stack in (*seed.values(), *staging.values())
        for statement in stack.policies()
        if "*" in statement.get("Resource", ())
        and statement["Effect"] == "Allow"
        # In a policy of a key, or of an endpoint, * is what the policy is for.
        and "Principal" not in statement
        for action in statement["Action"]
    }
    assert found == {
        "ecr:GetAuthorizationToken",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    }


def test_one_branch_of_one_github_repository_may_push_images_and_nothing_else(
    synthesised: Any, seed: Any
) -> None:
    stack = synthesised(MINIMAL + '[delivery]\ngithub_repository = "us/app"\n')["tiny-e-registry"]
    trust = json.loads(stack.one("aws_iam_role")["assume_role_policy"])["Statement"]
    (conditions,) = [statement["Condition"]["StringEquals"] for statement in trust]
    assert conditions == {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": "repo:us/app:ref:refs/heads/main",
    }
    repository = stack.reference("aws_ecr_repository", "arn")
    push = [s for s in stack.policies() if "ecr:PutImage" in s["Action"]]
    assert [statement["Resource"] for statement in push] == [[repository]]
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html, and `prod-e push`
    # looks at the repository and its images, and reads what is there, before it uploads.
    assert push[0]["Action"] == [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    ]
    assert not seed["prod-e-registry"].all("aws_iam_role")
