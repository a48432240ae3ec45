"""What is in a repository, and how it is changed, on the embedded AWS."""

import json
from asyncio import run
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    UnauthorizedSSOTokenError,
    UnknownServiceError,
)

from embedded_aws import ACCOUNT_ID, EmbeddedAws
from prod_e_ops.aws.clients import aws_errors
from prod_e_ops.errors import (
    AccessDenied,
    AwsFailed,
    AwsUnreachable,
    CredentialsMissing,
    CredentialsRefused,
    ImagesKept,
    OpsError,
    TagsNotMoved,
    UserMistake,
)
from prod_e_ops.images.ecr import Repository

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def missing(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository that does not exist."""
    for name, value in aws.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return Repository(aws.region, f"r{uuid4().hex[:8]}")


@pytest.fixture
def repository(missing: Repository) -> Repository:
    client = boto3.client("ecr")
    client.create_repository(repositoryName=missing.name)
    client.close()
    return missing


def _push(repository: Repository, content: str, *tags: str) -> str:
    layer = f"sha256:{content * 64}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": "config", "size": 10, "digest": layer},
        "layers": [{"mediaType": "layer", "size": 32, "digest": layer}],
    }
    client = boto3.client("ecr")
    try:
        for tag in tags:
            answer = client.put_image(
                repositoryName=repository.name, imageManifest=json.dumps(manifest), imageTag=tag
            )
    finally:
        client.close()
    digest: str = answer["image"]["imageId"]["imageDigest"]
    return digest


def test_a_repository_that_is_missing_is_no_error(missing: Repository) -> None:
    assert run(missing.find()) is None
    assert run(missing.images()) == []
    assert run(missing.image("latest")) is None


def test_a_repository_says_where_images_go(aws: EmbeddedAws, repository: Repository) -> None:
    found = run(repository.find())
    assert found is not None
    assert found.uri == f"{found.host}/{repository.name}"
    assert found.host == aws.registry_address
    assert found.registry_id == ACCOUNT_ID


def test_images_are_listed_with_the_newest_first(repository: Repository) -> None:
    digests = [_push(repository, content, f"tag-{content}") for content in "abc"]
    images = run(repository.images())
    assert [image.digest for image in images] == digests[::-1]
    assert [image.tags for image in images] == [("tag-c",), ("tag-b",), ("tag-a",)]
    assert {image.size_bytes for image in images} == {42}
    assert datetime.now(UTC) - images[0].pushed_at < timedelta(minutes=5)


def test_an_image_is_found_by_each_tag_and_by_its_digest(repository: Repository) -> None:
    digest = _push(repository, "a", "one", "two")
    found = run(repository.image("one"))
    assert found is not None
    assert found == run(repository.image("two")) == run(repository.image(digest))
    assert found.tags == ("one", "two")
    assert run(repository.image("three")) is None
    assert run(repository.image(f"sha256:{'0' * 64}")) is None


def test_a_tag_that_moves_leaves_the_other_image_in_place(repository: Repository) -> None:
    one, two = _push(repository, "a", "latest"), _push(repository, "b", "canary")
    run(repository.tag(two, ["latest", "canary", "new"]))
    tags = {image.digest: image.tags for image in run(repository.images())}
    assert tags == {one: (), two: ("canary", "latest", "new")}


def test_an_image_that_is_not_there_gets_no_tag(repository: Repository) -> None:
    one = _push(repository, "a", "latest")
    with pytest.raises(TagsNotMoved):
        run(repository.tag(f"sha256:{'0' * 64}", ["latest"]))
    found = run(repository.image("latest"))
    assert found is not None
    assert found.digest == one


def test_a_tag_that_ecr_refuses_is_told_with_those_that_moved(missing: Repository) -> None:
    client = boto3.client("ecr")
    client.create_repository(repositoryName=missing.name, imageTagMutability="IMMUTABLE")
    client.close()
    _push(missing, "a", "latest")
    two = _push(missing, "b", "other")
    with pytest.raises(AwsFailed, match="ECR did not move the tag latest") as raised:
        run(missing.tag(two, ["new", "latest", "never"]))
    assert "immutable" in raised.value.message
    assert raised.value.details == ("It is as it was, moved before it: new.",)
    assert run(missing.image("never")) is None


def test_images_are_deleted_with_all_their_tags(repository: Repository) -> None:
    one, two = _push(repository, "a", "one", "uno"), _push(repository, "b", "two")
    run(repository.delete([one, f"sha256:{'0' * 64}"]))
    assert [image.digest for image in run(repository.images())] == [two]


def _push_index(repository: Repository, *tags: str) -> tuple[str, tuple[str, ...]]:
    """An index of two images without tags, as BuildKit pushes one with its attestations."""
    parts = tuple(_push(repository, content, f"part-{content}") for content in "cd")
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [
            {"mediaType": MANIFEST_TYPE, "size": 400, "digest": digest} for digest in parts
        ],
    }
    client = boto3.client("ecr")
    try:
        for tag in (*tags, "part-c", "part-d"):  # The parts lose theirs.
            answer = client.put_image(
                repositoryName=repository.name,
                imageManifest=json.dumps(index),
                imageManifestMediaType=INDEX_TYPE,
                imageTag=tag,
            )
    finally:
        client.close()
    digest: str = answer["image"]["imageId"]["imageDigest"]
    return digest, parts


def test_what_an_index_is_made_of_is_no_image_of_its_own(repository: Repository) -> None:
    plain = _push(repository, "a", "plain")
    digest, parts = _push_index(repository, "latest")
    index, other = run(repository.images())
    assert (index.digest, index.parts, index.size_bytes) == (digest, parts, 42)
    assert index.digests == {digest, *parts}
    assert (other.digest, other.parts) == (plain, ())
    assert run(repository.image("latest")) == index


def test_a_part_of_an_index_with_a_tag_of_its_own_is_an_image(repository: Repository) -> None:
    _, parts = _push_index(repository, "latest")
    run(repository.tag(parts[0], ["amd64"]))
    tagged = [image.digest for image in run(repository.images()) if "amd64" in image.tags]
    assert tagged == [parts[0]]


def test_ecr_keeps_what_an_index_is_made_of_until_the_index_is_gone(
    repository: Repository,
) -> None:
    digest, parts = _push_index(repository, "latest")
    with pytest.raises(ImagesKept) as raised:
        run(repository.delete([parts[0]]))
    assert "referenced by manifest list" in raised.value.details[0]
    run(repository.delete([digest]))
    run(repository.delete(list(parts)))
    assert run(repository.images()) == []


def test_the_token_is_in_no_text_of_a_login(repository: Repository) -> None:
    login = run(repository.login())
    assert login.user == "AWS"
    assert login.token
    assert login.token not in repr(login)
    assert login.expires_at > datetime.now(UTC)
    found = run(repository.find())
    assert found is not None
    assert login.host == found.host


# --- What goes wrong ----------------------------------------------------------------------------


def _refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "AWS's words"}}, "DescribeImages")


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (NoCredentialsError(), CredentialsMissing, "It failed: there are no AWS credentials."),
        (ProfileNotFound(profile="x"), UserMistake, "(x)"),
        (UnauthorizedSSOTokenError(), CredentialsRefused, "AWS does not accept the credentials"),
        (
            _refused("ExpiredTokenException"),
            CredentialsRefused,
            "AWS does not accept the credentials",
        ),
        (_refused("AccessDeniedException"), AccessDenied, "the credentials may not do that"),
        (_refused("ServerException"), AwsFailed, "AWS's words"),
        (EndpointConnectionError(endpoint_url="x"), AwsUnreachable, "AWS cannot be reached"),
        (ReadTimeoutError(endpoint_url="x"), AwsUnreachable, "AWS cannot be reached"),
        (UnknownServiceError(service_name="x", known_service_names="y"), AwsFailed, "It failed:"),
    ],
)
def test_each_error_of_aws_is_told_as_a_message(
    error: Any, kind: type[OpsError], told: str
) -> None:
    with pytest.raises(OpsError) as raised, aws_errors("It failed", left="all is as it was"):
        raise error
    assert type(raised.value) is kind
    assert told in raised.value.message
    signed_in = not isinstance(raised.value, UserMistake) or kind is AccessDenied
    assert ("All is as it was." in raised.value.details) is signed_in


def test_other_errors_are_not_taken_for_aws() -> None:
    with pytest.raises(KeyError), aws_errors("It failed"):
        raise KeyError
