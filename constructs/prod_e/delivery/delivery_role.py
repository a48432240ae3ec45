"""The role with which continuous integration pushes images."""

from collections.abc import Sequence
from typing import Annotated

from cdktf_cdktf_provider_aws.iam_openid_connect_provider import IamOpenidConnectProvider
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from prod_e.account import Account
from prod_e.doc import Doc
from prod_e.iam import Statement, policy_document, trust_policy

_ISSUER = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"


class DeliveryRole(Construct):
    """An IAM role that GitHub Actions of one repository's branch may assume, without stored keys.

    It may push images to the given repositories and pull from them, and nothing else.

    `role`: the resource. Raises `ValueError` for a trust policy that is longer than AWS takes.

    https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments/configuring-openid-connect-in-amazon-web-services
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: Annotated[str, Doc("the role's, at most 64 characters")],
        github_repository: Annotated[str, Doc("owner/name")],
        repository_arns: Annotated[Sequence[str], Doc("the ECR repositories")],
        branch: Annotated[str, Doc("whose runs may push; default main")] = "main",
        create_oidc_provider: Annotated[
            bool, Doc("no where the account has GitHub's provider: it can have one; default: yes")
        ] = True,
    ) -> None:
        super().__init__(scope, id)
        account = Account.of(self)
        if create_oidc_provider:
            provider_arn = IamOpenidConnectProvider(
                self, "github", url=f"https://{_ISSUER}", client_id_list=[_AUDIENCE]
            ).arn
        else:
            provider_arn = f"arn:{account.partition}:iam::{account.id}:oidc-provider/{_ISSUER}"
        trust = Statement(
            actions=("sts:AssumeRoleWithWebIdentity",),
            principal={"Federated": provider_arn},
            conditions={
                "StringEquals": {
                    f"{_ISSUER}:aud": _AUDIENCE,
                    f"{_ISSUER}:sub": (f"repo:{github_repository}:ref:refs/heads/{branch}"),
                }
            },
        )
        self.role = IamRole(self, "role", name=name, assume_role_policy=trust_policy(trust))
        self.arn = self.role.arn
        IamRolePolicy(
            self,
            "policy",
            name=name,
            role=self.role.name,
            policy=policy_document(
                Statement(
                    actions=("ecr:GetAuthorizationToken",),
                    resources=("*",),
                    any_resource_because="the token is the account's; it supports no resource",
                ),
                Statement(
                    actions=(
                        "ecr:BatchCheckLayerAvailability",
                        "ecr:BatchGetImage",
                        "ecr:CompleteLayerUpload",
                        "ecr:DescribeImages",
                        "ecr:DescribeRepositories",
                        "ecr:GetDownloadUrlForLayer",
                        "ecr:InitiateLayerUpload",
                        "ecr:PutImage",
                        "ecr:UploadLayerPart",
                    ),
                    resources=tuple(repository_arns),
                ),
            ),
        )
