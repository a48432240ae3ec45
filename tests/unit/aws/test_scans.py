"""What ECR found in images, and what it does not tell."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.stub import Stubber

from prod_e_ops.errors import AwsFailed
from prod_e_ops.images import scans
from prod_e_ops.images.ecr import Repository, StoredImage
from prod_e_ops.images.scans import NOT_ALLOWED, with_findings
from tests.unit.aws.stubbed import stubbed

IMAGE = StoredImage(
    digest="sha256:1", tags=(), pushed_at=datetime(2026, 1, 31, tzinfo=UTC), size_bytes=1
)
ASKED = {
    "repositoryName": "tiny-e-api",
    "imageId": {"imageDigest": "sha256:1"},
    "maxResults": 1,
}


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    owner = SimpleNamespace()
    with stubbed(owner, "ecr", "ecr") as stubber:

        def client(service: str, *, region: str) -> Any:
            assert (service, region) == ("ecr", "us-west-2")
            return owner.ecr

        monkeypatch.setattr(scans, "aws_client", client)
        yield stubber


def found(image: StoredImage = IMAGE) -> tuple[str | None, Mapping[str, int] | None]:
    (looked_at,) = asyncio.run(with_findings(Repository("us-west-2", "tiny-e-api"), [image]))
    assert looked_at.digest == image.digest
    return looked_at.scan_status, looked_at.findings


@pytest.mark.parametrize(
    ("status", "findings"),
    [
        ("COMPLETE", {"HIGH": 2}),
        ("ACTIVE", {"HIGH": 2}),
        ("IN_PROGRESS", None),
        ("FAILED", None),
    ],
)
def test_findings_count_once_the_scan_is_complete(
    ecr: Stubber, status: str, findings: Mapping[str, int] | None
) -> None:
    answer = {
        "imageScanStatus": {"status": status},
        "imageScanFindings": {"findingSeverityCounts": {"HIGH": 2}},
    }
    ecr.add_response("describe_image_scan_findings", answer, ASKED)
    assert found() == (status, findings)


def test_a_scan_that_found_nothing_is_no_missing_scan(ecr: Stubber) -> None:
    answer = {"imageScanStatus": {"status": "COMPLETE"}}
    ecr.add_response("describe_image_scan_findings", answer, ASKED)
    assert found() == ("COMPLETE", {})
    ecr.add_client_error("describe_image_scan_findings", "ScanNotFoundException")
    assert found() == (None, None)


@pytest.mark.usefixtures("ecr")
def test_what_is_known_is_not_asked_for() -> None:
    known = StoredImage(**{**vars(IMAGE), "findings": {"LOW": 1}, "scan_status": "COMPLETE"})
    assert found(known) == ("COMPLETE", {"LOW": 1})


def test_who_may_see_images_only_is_told_so(ecr: Stubber) -> None:
    ecr.add_client_error("describe_image_scan_findings", "AccessDeniedException")
    assert found() == (NOT_ALLOWED, None)


def test_an_ecr_that_fails_fails_the_question(ecr: Stubber) -> None:
    ecr.add_client_error("describe_image_scan_findings", "ServerException")
    with pytest.raises(AwsFailed, match="Cannot read the scan findings of tiny-e-api"):
        found()
