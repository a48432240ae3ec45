"""What ECR found in images when it scanned them.

Basic scanning tells it per image alone, not in the list of images:
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-basic.html
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from prod_e_ops.aws.clients import aws_client, aws_errors, error_code
from prod_e_ops.images.ecr import Repository, StoredImage

_CALLS_AT_ONCE = 8

NOT_ALLOWED = "NOT_ALLOWED"
"""The `scan_status` where the credentials may see the image, and not what was found in it."""


def with_findings(repository: Repository, images: Sequence[StoredImage]) -> Sequence[StoredImage]:
    """The images with what their last scan found; a call to ECR for each that does not say yet.

    Raises `UserMistake` for credentials that AWS does not accept and `OpsError` for an AWS that
    fails.
    """
    failed = f"The scan findings of {repository.name} cannot be read"
    with aws_errors(failed):
        ecr = aws_client("ecr", region=repository.region)

    def look(image: StoredImage) -> StoredImage:
        if image.findings is not None:
            return image
        with aws_errors(failed):
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

    with ThreadPoolExecutor(_CALLS_AT_ONCE) as threads:
        return list(threads.map(look, images))
