"""What ECR answers becomes images of a repository, and what is asked of it is what is meant."""

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from prod_e_ops.errors import AwsFailed, ImagesKept, TagsNotMoved
from prod_e_ops.images.ecr import Login, Repository, RepositoryFound, StoredImage
from tests.unit.aws.stubbed import stubbed

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"
NAME = "tiny-e-backend"


@pytest.fixture
def repository() -> Repository:
    return Repository("us-west-2", NAME)


@pytest.fixture
def ecr(repository: Repository) -> Iterator[Stubber]:
    with stubbed(repository, "_client", "ecr") as stubber:
        yield stubber


def detail(digest: str, *tags: str, hours: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "imageDigest": digest,
        **({"imageTags": list(tags)} if tags else {}),
        "imagePushedAt": NOW + timedelta(hours=hours),
        "imageSizeInBytes": 1000,
        "imageManifestMediaType": MANIFEST,
        **more,
    }


def expect_parts(ecr: Stubber, parts: dict[str, list[str]]) -> None:
    """That the indexes are read, and what each is made of."""
    ecr.add_response(
        "batch_get_image",
        {
            "images": [
                {
                    "imageId": {"imageDigest": index},
                    "imageManifest": json.dumps({"manifests": [{"digest": d} for d in of]}),
                }
                for index, of in parts.items()
            ]
        },
        {
            "repositoryName": NAME,
            "imageIds": [{"imageDigest": index} for index in parts],
            "acceptedMediaTypes": [LIST, INDEX],
        },
    )


def test_a_repository_that_is_there_has_an_address(repository: Repository, ecr: Stubber) -> None:
    uri = "localhost:5000/tiny-e-backend"
    ecr.add_response(
        "describe_repositories",
        {
            "repositories": [
                {
                    "repositoryUri": uri,
                    "registryId": "123456789012",
                    "repositoryArn": "arn:aws:ecr:us-west-2:123456789012:repository/tiny",
                }
            ]
        },
        {"repositoryNames": [NAME]},
    )
    found = asyncio.run(repository.find())
    assert found == RepositoryFound(
        uri=uri,
        registry_id="123456789012",
        arn="arn:aws:ecr:us-west-2:123456789012:repository/tiny",
    )
    assert found.host == "localhost:5000"


def test_of_a_repository_that_is_not_there_nothing_is_found(
    repository: Repository, ecr: Stubber
) -> None:
    missing = "RepositoryNotFoundException"
    ecr.add_client_error("describe_repositories", missing)
    assert asyncio.run(repository.find()) is None
    ecr.add_client_error("describe_images", missing)
    assert asyncio.run(repository.images()) == []
    for error in (missing, "ImageNotFoundException"):
        ecr.add_client_error("describe_images", error)
        assert asyncio.run(repository.image("latest")) is None


def test_images_come_newest_first_without_the_parts_of_indexes(
    repository: Repository, ecr: Stubber
) -> None:
    ecr.add_response(
        "describe_images",
        {
            "imageDetails": [
                detail("sha256:old", "v1.0.0", "commit-1"),
                detail("sha256:index", "latest", hours=2, imageManifestMediaType=INDEX),
                detail("sha256:amd64", hours=2),
                detail("sha256:arm64", "arm", hours=1),
            ],
            "nextToken": "more",
        },
        {"repositoryName": NAME},
    )
    ecr.add_response(
        "describe_images",
        {"imageDetails": [detail("sha256:untagged", hours=-1, imageSizeInBytes=0)]},
        {"repositoryName": NAME, "nextToken": "more"},
    )
    expect_parts(ecr, {"sha256:index": ["sha256:amd64", "sha256:arm64"]})
    found = asyncio.run(repository.images())
    assert found == [
        StoredImage(
            digest="sha256:index",
            tags=("latest",),
            pushed_at=NOW + timedelta(hours=2),
            size_bytes=1000,
            parts=("sha256:amd64", "sha256:arm64"),
        ),
        StoredImage(
            digest="sha256:arm64",
            tags=("arm",),
            pushed_at=NOW + timedelta(hours=1),
            size_bytes=1000,
        ),
        StoredImage(
            digest="sha256:old", tags=("commit-1", "v1.0.0"), pushed_at=NOW, size_bytes=1000
        ),
        StoredImage(
            digest="sha256:untagged", tags=(), pushed_at=NOW - timedelta(hours=1), size_bytes=0
        ),
    ]
    assert found[0].digests == {"sha256:index", "sha256:amd64", "sha256:arm64"}


def test_indexes_are_read_by_a_hundred_as_ecr_demands(repository: Repository, ecr: Stubber) -> None:
    indexes = [f"sha256:{number}" for number in range(101)]
    details = [detail(each, "t", imageManifestMediaType=LIST) for each in indexes]
    ecr.add_response("describe_images", {"imageDetails": details})
    expect_parts(ecr, {each: ["sha256:part"] for each in indexes[:100]})
    expect_parts(ecr, {indexes[100]: ["sha256:part"]})
    assert {image.parts for image in asyncio.run(repository.images())} == {("sha256:part",)}


@pytest.mark.parametrize(
    ("reference", "id"),
    [("sha256:1", {"imageDigest": "sha256:1"}), ("latest", {"imageTag": "latest"})],
)
def test_an_image_is_found_by_tag_or_digest_with_what_its_scan_found(
    repository: Repository, ecr: Stubber, reference: str, id: dict[str, str]
) -> None:
    scanned = detail(
        "sha256:1",
        "latest",
        imageScanStatus={"status": "COMPLETE"},
        imageScanFindingsSummary={"findingSeverityCounts": {"HIGH": 2}},
    )
    asked = {"repositoryName": NAME, "imageIds": [id]}
    ecr.add_response("describe_images", {"imageDetails": [scanned]}, asked)
    assert asyncio.run(repository.image(reference)) == StoredImage(
        digest="sha256:1",
        tags=("latest",),
        pushed_at=NOW,
        size_bytes=1000,
        scan_status="COMPLETE",
        findings={"HIGH": 2},
    )


def test_a_scan_that_found_nothing_differs_from_none(repository: Repository, ecr: Stubber) -> None:
    clean = detail("sha256:1", imageScanFindingsSummary={"findingSeverityCounts": {}})
    for found, findings in ((clean, {}), (detail("sha256:1"), None)):
        ecr.add_response("describe_images", {"imageDetails": [found]})
        image = asyncio.run(repository.image("sha256:1"))
        assert image is not None
        assert image.findings == findings


def expect_manifest(ecr: Stubber, *images: dict[str, Any], **more: Any) -> None:
    ecr.add_response(
        "batch_get_image",
        {"images": list(images), **more},
        {
            "repositoryName": NAME,
            "imageIds": [{"imageDigest": "sha256:1"}],
            "acceptedMediaTypes": [MANIFEST, OCI_MANIFEST, LIST, INDEX],
        },
    )


def put(tag: str, **more: str) -> dict[str, str]:
    return {
        "repositoryName": NAME,
        "imageManifest": "{}",
        "imageTag": tag,
        "imageDigest": "sha256:1",
        **more,
    }


@pytest.mark.parametrize("media_type", [{}, {"imageManifestMediaType": OCI_MANIFEST}])
def test_tags_move_one_after_the_other_and_one_that_is_there_already_stays(
    repository: Repository, ecr: Stubber, media_type: dict[str, str]
) -> None:
    expect_manifest(ecr, {"imageManifest": "{}", **media_type})
    ecr.add_client_error(
        "put_image", "ImageAlreadyExistsException", expected_params=put("v1.0.0", **media_type)
    )
    ecr.add_response("put_image", {}, put("latest", **media_type))
    asyncio.run(repository.tag("sha256:1", ["v1.0.0", "latest"]))


def test_no_tag_moves_to_an_image_that_is_not_there(repository: Repository, ecr: Stubber) -> None:
    failures = [{"failureReason": "Requested image not found"}, {}]
    expect_manifest(ecr, failures=failures)
    with pytest.raises(TagsNotMoved) as failure:
        asyncio.run(repository.tag("sha256:1", ["latest"]))
    assert failure.value.message == "The image sha256:1 is not in tiny-e-backend."
    assert failure.value.details == ("Requested image not found", "No tag moved.")


def test_no_tag_moves_where_ecr_does_not_give_the_image(
    repository: Repository, ecr: Stubber
) -> None:
    ecr.add_client_error("batch_get_image", "ServerException")
    with pytest.raises(AwsFailed, match="Cannot read the image sha256:1 of tiny-e-b") as failure:
        asyncio.run(repository.tag("sha256:1", ["latest"]))
    assert failure.value.details == ("No tag moved.",)


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        (1, "It is as it was."),
        (2, "It is as it was, moved before it: a."),
        (3, "It is as it was, moved before it: a, b."),
    ],
)
def test_a_tag_that_ecr_refuses_is_told_with_those_that_moved_before_it(
    repository: Repository, ecr: Stubber, refused: int, left: str
) -> None:
    expect_manifest(ecr, {"imageManifest": "{}"})
    for _ in range(refused - 1):
        ecr.add_response("put_image", {})
    ecr.add_client_error("put_image", "LimitExceededException", "too many")
    with pytest.raises(AwsFailed) as failure:
        asyncio.run(repository.tag("sha256:1", ["a", "b", "c"]))
    assert f"ECR did not move the tag {'abc'[refused - 1]} of tiny-e-backend" in str(failure.value)
    assert failure.value.details == (left,)


def expect_deletion(ecr: Stubber, digests: list[str], *failures: dict[str, Any]) -> None:
    ecr.add_response(
        "batch_delete_image",
        {"failures": list(failures)},
        {"repositoryName": NAME, "imageIds": [{"imageDigest": each} for each in digests]},
    )


def test_images_are_deleted_by_a_hundred_and_those_that_ecr_keeps_are_named(
    repository: Repository, ecr: Stubber
) -> None:
    digests = [f"sha256:{number}" for number in range(101)]
    kept = {
        "imageId": {"imageDigest": "sha256:100"},
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": "an index refers to it",
    }
    gone = {"imageId": {"imageDigest": "sha256:3"}, "failureCode": "ImageNotFound"}
    expect_deletion(ecr, digests[:100], gone)
    expect_deletion(ecr, digests[100:], kept)
    with pytest.raises(ImagesKept) as failure:
        asyncio.run(repository.delete(digests))
    assert failure.value.message == "ECR did not delete 1 of 101 images of tiny-e-backend:"
    assert failure.value.details == ("sha256:100: an index refers to it",)


def test_a_deletion_that_fails_says_how_many_were_deleted_before(
    repository: Repository, ecr: Stubber
) -> None:
    digests = [f"sha256:{number}" for number in range(101)]
    expect_deletion(ecr, digests[:100])
    ecr.add_client_error("batch_delete_image", "ServerException")
    with pytest.raises(AwsFailed, match="Cannot delete images of tiny-e-backend") as failure:
        asyncio.run(repository.delete(digests))
    assert failure.value.details == ("100 of 101 were deleted before.",)


def test_a_login_is_user_and_token_for_the_registrys_host(
    repository: Repository, ecr: Stubber
) -> None:
    ecr.add_response(
        "get_authorization_token",
        {
            "authorizationData": [
                {
                    "authorizationToken": base64.b64encode(b"AWS:to:ken").decode(),
                    "proxyEndpoint": "https://123456789012.dkr.ecr.us-west-2.amazonaws.com/",
                    "expiresAt": NOW,
                }
            ]
        },
        {},
    )
    login = asyncio.run(repository.login())
    assert login == Login(
        user="AWS",
        token="to:ken",
        host="123456789012.dkr.ecr.us-west-2.amazonaws.com",
        expires_at=NOW,
    )
    assert "to:ken" not in repr(login)


@pytest.mark.parametrize(
    ("call", "operation", "told"),
    [
        ("find", "describe_repositories", "Cannot read the ECR repository tiny-e-backend"),
        ("images", "describe_images", "Cannot list the images of tiny-e-backend"),
        ("login", "get_authorization_token", "Cannot log in to ECR"),
    ],
)
def test_a_question_that_fails_says_what_was_asked(
    repository: Repository, ecr: Stubber, call: str, operation: str, told: str
) -> None:
    ecr.add_client_error(operation, "ServerException")
    with pytest.raises(AwsFailed, match=told) as failure:
        asyncio.run(getattr(repository, call)())
    assert failure.value.details == ("Nothing was changed.",)
