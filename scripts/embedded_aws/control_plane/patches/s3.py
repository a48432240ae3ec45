"""Simple Storage Service."""

import json
import re
import uuid
from typing import Any

from moto.s3.models import FakeBucket, LifecycleRule, PublicAccessBlock, S3Backend
from moto.s3.responses import S3Response

from embedded_aws.control_plane.policies import without_lists_of_one


def apply() -> None:
    _buckets_are_encrypted()
    _new_buckets_block_public_access()
    _new_buckets_belong_to_their_owner_alone()
    _lifecycle_rules_have_an_id()
    _policies_are_rewritten()
    _owners_pay_for_requests()


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


def _new_buckets_belong_to_their_owner_alone() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
    make = FakeBucket.__init__

    def bucket(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.ownership_rule = "BucketOwnerEnforced"

    FakeBucket.__init__ = bucket


def _policies_are_rewritten() -> None:
    # https://github.com/hashicorp/terraform/issues/9036
    put = S3Backend.put_bucket_policy

    def with_arns(principal: Any) -> Any:
        if isinstance(principal, dict):
            return {key: with_arns(each) for key, each in principal.items()}
        if isinstance(principal, list):
            return [with_arns(each) for each in principal]
        is_account = re.fullmatch(r"\d{12}", principal)
        return f"arn:aws:iam::{principal}:root" if is_account else principal

    def put_bucket_policy(self: Any, bucket_name: str, policy: bytes) -> None:
        document = json.loads(policy)
        for statement in document["Statement"]:
            for key in {"Principal", "NotPrincipal"} & set(statement):
                statement[key] = with_arns(statement[key])
        told = json.dumps(without_lists_of_one(document), separators=(",", ":"))
        put(self, bucket_name, told.encode())

    S3Backend.put_bucket_policy = put_bucket_policy


def _owners_pay_for_requests() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketRequestPayment.html
    respond = getattr(S3Response, "_bucket_response_get")  # noqa: B009 private to moto
    answer = (
        '<RequestPaymentConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
    )

    def bucket_response_get(self: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        if "requestPayment" not in querystring:
            return respond(self, bucket_name, querystring)
        self.backend.get_bucket(bucket_name)
        return 200, {}, answer

    setattr(S3Response, "_bucket_response_get", bucket_response_get)  # noqa: B010
