"""What ECR found in images when it scanned them.

Basic scanning tells it per image alone, not in the list of images:
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-basic.html
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from prod_e_ops.aws.clients import aws_client, aws_errors, error_code
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.images.ecr import Repository, StoredImage

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_CALLS_AT_ONCE = 8

NOT_ALLOWED = "NOT_ALLOWED"
"""The `scan_status` where the credentials may see the image, and not what was found in it."""


async def with_findings(
    repository: Repository, images: Sequence[StoredImage]
) -> Sequence[StoredImage]:
    """The images with what their last scan found; a call to ECR for each that does not say yet.

    Raises `UserMistake` for credentials that AWS does not accept and `OpsError` for an AWS that
    fails.
    """
    with aws_errors(_failed(repository)):
        ecr = await in_thread(lambda: aws_client("ecr", region=repository.region))
    room = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def look(image: StoredImage) -> StoredImage:
        async with room:
            return await in_thread(partial(_with_finding, ecr, repository, image))

    return await asyncio.gather(*map(look, images))


def _with_finding(ecr: "ECRClient", repository: Repository, image: StoredImage) -> StoredImage:
    if image.findings is not None:
        return image
    with aws_errors(_failed(repository)):
        try:
            answer = ecr.describe_image_scan_findings(
                repositoryName=repository.name,
                imageId={"imageDigest": image.digest},
                # The counts come with any page.
                maxResults=1,
            )
        except ecr.exceptions.ScanNotFoundException:
            return image
        except ecr.exceptions.ClientError as error:
            if error_code(error) != "AccessDeniedException":
                raise
            return replace(image, scan_status=NOT_ALLOWED)
    status = answer.get("imageScanStatus", {}).get("status")
    counts = answer.get("imageScanFindings", {}).get("findingSeverityCounts", {})
    found: dict[str, int] = dict(counts.items())
    # ACTIVE: enhanced scanning looks again whenever a vulnerability becomes known.
    is_done = status in ("COMPLETE", "ACTIVE")
    return replace(image, scan_status=status, findings=found if is_done else None)


def _failed(repository: Repository) -> str:
    return f"Cannot read the scan findings of {repository.name}"
