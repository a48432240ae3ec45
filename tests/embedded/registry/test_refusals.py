"""What ECR's registry refuses."""

import json
from uuid import uuid4

import pytest

from tests.embedded.registry.repository import (
    Repository,
    digest_of,
    refusal,
)


def test_content_with_another_digest_is_refused(repository: Repository) -> None:
    place = repository.ask("POST", "blobs/uploads/").headers["Location"]
    wrong = digest_of(b"right")
    refused = repository.ask("PUT", place, params={"digest": wrong}, data=b"wrong")
    assert refusal(refused)[:2] == (400, "DIGEST_INVALID")
    assert repository.ask("HEAD", f"blobs/{wrong}").status_code == 404
    manifest = repository.image("content")
    assert refusal(repository.put(manifest, digest_of(b"other")))[:2] == (400, "DIGEST_INVALID")
    assert repository.described() == []


@pytest.mark.parametrize(
    "digest", ["sha256:abc", f"sha512:{'a' * 64}", "sha256:../../../etc/passwd"]
)
def test_what_is_no_digest_is_refused(repository: Repository, digest: str) -> None:
    place = repository.ask("POST", "blobs/uploads/").headers["Location"]
    refused = repository.ask("PUT", place, params={"digest": digest}, data=b"content")
    assert refusal(refused) == (400, "DIGEST_INVALID", f"Invalid digest '{digest}'")


def test_a_manifest_without_its_layers_is_refused(repository: Repository) -> None:
    manifest = json.loads(repository.image("content"))
    missing = digest_of(uuid4().bytes)
    manifest["layers"].append({"digest": missing, "size": 16})
    refused = refusal(repository.put(json.dumps(manifest), "v1"))
    assert refused[:2] == (404, "MANIFEST_BLOB_UNKNOWN")
    assert missing in refused[2]
    assert refusal(repository.put("[]", "v1"))[:2] == (400, "MANIFEST_INVALID")


def test_a_repository_that_ecr_has_not_is_refused(repository: Repository) -> None:
    refused = repository.ask("POST", "/v2/no/such/blobs/uploads/")
    assert refusal(refused) == (
        404,
        "NAME_UNKNOWN",
        "The repository with name 'no/such' does not exist in the registry with id '123456789012'",
    )


def test_a_tag_that_is_immutable_cannot_be_pushed_again(repository: Repository) -> None:
    one = repository.push("one", "v1")
    repository.ecr.put_image_tag_mutability(
        repositoryName=repository.name, imageTagMutability="IMMUTABLE"
    )
    words = (
        f"The image tag 'v1' already exists in the '{repository.name}' repository and cannot be"
        " overwritten because the tag is immutable."
    )
    # The same image too: https://github.com/aws/containers-roadmap/issues/2179
    for content in ("two", "one"):
        assert refusal(repository.put(repository.image(content), "v1")) == (
            400,
            "TAG_INVALID",
            words,
        )
    assert repository.ask("HEAD", "manifests/v1").headers["Docker-Content-Digest"] == one
    repository.push("two", "v2")


def test_images_are_not_deleted_through_the_registry(repository: Repository) -> None:
    digest = repository.push("content", "v1")
    assert refusal(repository.ask("DELETE", f"manifests/{digest}"))[:2] == (405, "UNSUPPORTED")
    assert len(repository.described()) == 1
