"""VPC endpoints: AWS's own services, reached without the internet."""

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from prod_e.account import Account
from prod_e.iam import Statement, policy_document
from prod_e.network.security_group import SecurityGroup

TASK_SERVICES = ("ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm")
"""What a task needs to start (image, logs) and to read its secrets."""

EXECUTE_COMMAND_SERVICE = "ssmmessages"
"""The Systems Manager channel of `aws ecs execute-command`."""

_S3_ACTIONS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersion",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:GetObjectAttributes",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
)
"""What is done to objects; nothing that changes a bucket."""


def s3_gateway_endpoint(
    scope: Construct,
    *,
    name: str,
    vpc_id: str,
    route_table_ids: Sequence[str],
    foreign_buckets: Sequence[str] = (),
) -> VpcEndpoint:
    """S3, for the subnets of these route tables; it costs nothing.

    It leads to the account's own buckets and to that of ECR's layers, so that nothing can be
    carried off to somebody else's. `foreign_buckets`: names of others that tasks may use.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
    """
    account = Account.of(scope)
    return VpcEndpoint(
        scope,
        "s3",
        vpc_id=vpc_id,
        service_name=f"com.amazonaws.{account.region}.s3",
        policy=_s3_policy(account, foreign_buckets),
        vpc_endpoint_type="Gateway",
        route_table_ids=list(route_table_ids),
        tags={"Name": f"{name}-s3"},
    )


def _s3_policy(account: Account, foreign_buckets: Sequence[str]) -> str:
    arn = f"arn:{account.partition}:s3:::"
    anybody = {"AWS": "*"}
    statements = [
        Statement(
            actions=("s3:GetObject",),
            resources=(f"{arn}prod-{account.region}-starport-layer-bucket/*",),
            principal=anybody,
        ),
        Statement(
            actions=_S3_ACTIONS,
            resources=("*",),
            any_resource_because="the condition says whose buckets",
            principal=anybody,
            conditions={"StringEquals": {"aws:ResourceAccount": account.id}},
        ),
    ]
    if foreign_buckets:
        resources = [f"{arn}{bucket}{part}" for bucket in foreign_buckets for part in ("", "/*")]
        statements.append(
            Statement(actions=_S3_ACTIONS, resources=tuple(resources), principal=anybody)
        )
    return policy_document(*statements)


def interface_endpoint(
    scope: Construct,
    service: str,
    *,
    name: str,
    vpc_id: str,
    subnet_ids: Sequence[str],
    security_group: SecurityGroup,
) -> VpcEndpoint:
    """One service, such as `ecr.api`, under its usual host name; billed by hour and zone.

    https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
    """
    return VpcEndpoint(
        scope,
        service.replace(".", "-"),
        vpc_id=vpc_id,
        service_name=f"com.amazonaws.{Account.of(scope).region}.{service}",
        vpc_endpoint_type="Interface",
        private_dns_enabled=True,
        subnet_ids=list(subnet_ids),
        security_group_ids=[security_group.security_group_id],
        tags={"Name": f"{name}-{service}"},
    )
