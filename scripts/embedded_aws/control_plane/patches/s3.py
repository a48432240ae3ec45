"""Simple Storage Service."""

import uuid
from typing import Any

from moto.s3.models import FakeBucket, LifecycleRule, PublicAccessBlock, S3Backend


def apply() -> None:
    _buckets_are_encrypted()
    _new_buckets_block_public_access()
    _lifecycle_rules_have_an_id()


def _buckets_are_encrypted() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
    make, delete = FakeBucket.__init__, S3Backend.delete_bucket_encryption

    def encrypt(bucket: Any) -> None:
        default = {"SSEAlgorithm": "AES256"}
        bucket.encryption = {"Rule": {"ApplyServerSideEncryptionByDefault": default}}

    def bucket(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        encrypt(self)

    def delete_bucket_encryption(self: Any, bucket_name: str) -> None:
        delete(self, bucket_name)
        encrypt(self.get_bucket(bucket_name))

    FakeBucket.__init__ = bucket
    S3Backend.delete_bucket_encryption = delete_bucket_encryption


def _new_buckets_block_public_access() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    make = FakeBucket.__init__

    def bucket(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.public_access_block = PublicAccessBlock("true", "true", "true", "true")

    FakeBucket.__init__ = bucket


def _lifecycle_rules_have_an_id() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
    make = LifecycleRule.__init__

    def rule(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.id = self.id or str(uuid.uuid4())

    LifecycleRule.__init__ = rule
