"""The ECR repository of a service's images."""

import json
from collections.abc import Sequence
from typing import Annotated

from cdktf_cdktf_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy
from cdktf_cdktf_provider_aws.ecr_repository import (
    EcrRepository,
    EcrRepositoryEncryptionConfiguration,
    EcrRepositoryImageScanningConfiguration,
    EcrRepositoryImageTagMutabilityExclusionFilter,
)
from constructs import Construct

from prod_e.doc import Doc

UNTAGGED_IMAGES_KEPT = 100


class ImageRepository(Construct):
    """An ECR repository: encrypted, scanned on push, with tags that may move unless told otherwise.

    Tags are mutable because services follow `latest`. Every build also has a tag of its own (its
    content hash), so whatever a deployment could return to is tagged, and tagged images never
    expire; of untagged ones, the newest 100 stay. ECR cannot know which tagged ones nothing could
    return to any more: `prod-e images --prune` does, and deletes those.

    `repository`, `lifecycle_policy`: the resources.

    Raises `ValueError` for `moving_tags` where all tags may move.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: Annotated[
            str, Doc("2 to 256 lower-case letters and digits, with single . _ - and / between them")
        ],
        immutable_tags: Annotated[
            bool, Doc("no tag ever comes to name another image; default: tags may move")
        ] = False,
        moving_tags: Annotated[
            Sequence[str],
            Doc(
                "the tags that may move nevertheless; * matches anything; takes version 6.10 of the"
                " AWS provider or newer; default: none"
            ),
        ] = (),
        force_delete: Annotated[
            bool,
            Doc("destroying it deletes its images; else AWS refuses while it has any; default: no"),
        ] = False,
    ) -> None:
        super().__init__(scope, id)
        self.repository = EcrRepository(
            self,
            "repository",
            name=name,
            image_tag_mutability=_mutability(immutable=immutable_tags, moving_tags=moving_tags),
            image_tag_mutability_exclusion_filter=[
                EcrRepositoryImageTagMutabilityExclusionFilter(filter=tag, filter_type="WILDCARD")
                for tag in moving_tags
            ]
            or None,
            image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
            encryption_configuration=[
                EcrRepositoryEncryptionConfiguration(encryption_type="AES256")
            ],
            force_delete=force_delete,
        )
        self.arn = self.repository.arn
        self.repository_url = self.repository.repository_url
        self.lifecycle_policy = EcrLifecyclePolicy(
            self,
            "lifecycle",
            repository=self.repository.name,
            policy=json.dumps(
                {
                    "rules": [
                        {
                            "rulePriority": 1,
                            "description": f"Keep the newest {UNTAGGED_IMAGES_KEPT} untagged",
                            "selection": {
                                "tagStatus": "untagged",
                                "countType": "imageCountMoreThan",
                                "countNumber": UNTAGGED_IMAGES_KEPT,
                            },
                            "action": {"type": "expire"},
                        }
                    ]
                }
            ),
        )


def _mutability(*, immutable: bool, moving_tags: Sequence[str]) -> str:
    if not immutable:
        if moving_tags:
            raise ValueError("moving_tags without immutable_tags: all tags may move")
        return "MUTABLE"
    return "IMMUTABLE_WITH_EXCLUSION" if moving_tags else "IMMUTABLE"
