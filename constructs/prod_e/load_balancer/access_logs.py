"""The access logs of a load balancer: a private bucket that only it may write to."""

from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
)
from cdktf_cdktf_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from cdktf_cdktf_provider_aws.s3_bucket_versioning import (
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
)
from constructs import Construct

from prod_e.account import Account
from prod_e.iam import Statement, policy_document

_DELETED_LOG_DAYS = 7
"""For how long a log that is deleted, or has expired, can be had back."""


def access_logs_bucket(
    scope: Construct, *, name: str, retention_days: int, force_destroy: bool
) -> tuple[S3Bucket, S3BucketPolicy]:
    """Makes the bucket `<name>-logs-<account>-<region>`, and what lets logs into it.

    `name`: the load balancer's. `retention_days`: 1 or more. `force_destroy`: whether the bucket is
    destroyed with the logs in it; otherwise AWS refuses while it holds any.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
    """
    account = Account.of(scope)
    bucket = S3Bucket(
        scope,
        "access-logs",
        bucket=f"{name}-logs-{account.id}-{account.region}",
        force_destroy=force_destroy,
    )
    S3BucketPublicAccessBlock(
        scope,
        "access-logs-private",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
    S3BucketServerSideEncryptionConfigurationA(
        scope,
        "access-logs-encryption",
        bucket=bucket.bucket,
        rule=[
            S3BucketServerSideEncryptionConfigurationRuleA(
                # Load balancers cannot write to a bucket that is encrypted with a KMS key.
                apply_server_side_encryption_by_default=S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                    sse_algorithm="AES256"
                )
            )
        ],
    )
    # Whoever may delete a log deletes no version of it.
    versioning = S3BucketVersioningA(
        scope,
        "access-logs-versions",
        bucket=bucket.bucket,
        versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
    )
    S3BucketLifecycleConfiguration(
        scope,
        "access-logs-expiry",
        bucket=bucket.bucket,
        depends_on=[versioning],
        rule=[
            S3BucketLifecycleConfigurationRule(
                id="expire",
                status="Enabled",
                filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                expiration=[S3BucketLifecycleConfigurationRuleExpiration(days=retention_days)],
                noncurrent_version_expiration=[
                    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(
                        noncurrent_days=_DELETED_LOG_DAYS
                    )
                ],
                abort_incomplete_multipart_upload=[
                    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(
                        days_after_initiation=1
                    )
                ],
            ),
            # S3 takes it in no rule that has days.
            S3BucketLifecycleConfigurationRule(
                id="forget-deleted",
                status="Enabled",
                filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                expiration=[
                    S3BucketLifecycleConfigurationRuleExpiration(expired_object_delete_marker=True)
                ],
            ),
        ],
    )
    policy = S3BucketPolicy(
        scope,
        "access-logs-policy",
        bucket=bucket.bucket,
        policy=policy_document(
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
            Statement(
                actions=("s3:PutObject",),
                resources=(f"{bucket.arn}/AWSLogs/{account.id}/*",),
                principal={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
                conditions={
                    "ArnLike": {
                        "aws:SourceArn": account.arn(
                            "elasticloadbalancing", f"loadbalancer/app/{name}/*"
                        )
                    }
                },
            ),
            Statement(
                effect="Deny",
                actions=("s3:GetObject", "s3:ListBucket", "s3:PutObject"),
                resources=(bucket.arn, f"{bucket.arn}/*"),
                principal={"AWS": "*"},
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            ),
        ),
    )
    return bucket, policy
