"""What is pushed to ECR's registry is there as it was, and sets off an event."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws
from tests.embedded.registry.repository import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    OCI_MANIFEST_TYPE,
    Repository,
    digest_of,
    refusal,
)
from tests.embedded.world import eventually
from tests.support.aws.aws_clients import client_of


@pytest.mark.parametrize("media_type", [MANIFEST_TYPE, OCI_MANIFEST_TYPE])
def test_what_is_pushed_is_pulled_as_it_was_and_described_by_ecr(
    repository: Repository, media_type: str
) -> None:
    before = time.time()
    manifest = repository.image("content", media_type=media_type)
    digest = digest_of(manifest.encode())
    assert repository.put(manifest, "v1", media_type).headers["Docker-Content-Digest"] == digest
    for reference in ("v1", digest):
        pulled = repository.ask("GET", f"manifests/{reference}")
        assert pulled.text == manifest
        assert pulled.headers["Content-Type"] == media_type
        asked = repository.ask("HEAD", f"manifests/{reference}")
        assert asked.headers["Docker-Content-Digest"] == digest
        assert int(asked.headers["Content-Length"]) == len(manifest)
    (described,) = repository.described()
    assert described["imageDigest"] == digest
    assert described["imageTags"] == ["v1"]
    assert described["imageSizeInBytes"] == len("{}") + len("content")
    assert before - 1 < described["imagePushedAt"].timestamp() < time.time() + 1
    (listed,) = repository.ecr.list_images(repositoryName=repository.name)["imageIds"]
    assert listed == {"imageDigest": digest, "imageTag": "v1"}
    (got,) = repository.ecr.batch_get_image(
        repositoryName=repository.name, imageIds=[{"imageTag": "v1"}]
    )["images"]
    assert got["imageManifest"] == manifest


def test_a_tag_moves_and_the_image_before_stays_without_it(repository: Repository) -> None:
    one, two = repository.push("one", "latest"), repository.push("two", "latest")
    tags = {image["imageDigest"]: image.get("imageTags", []) for image in repository.described()}
    assert tags == {one: [], two: ["latest"]}
    assert repository.ask("GET", f"manifests/{one}").status_code == 200


def test_a_manifest_without_parts_has_no_size(repository: Repository) -> None:
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": []})
    repository.ecr.put_image(
        repositoryName=repository.name, imageManifest=manifest, imageTag="empty"
    )
    (described,) = repository.described()
    assert described["imageSizeInBytes"] == 0


def test_an_index_has_the_size_of_its_largest_image(repository: Repository) -> None:
    parts = []
    for content in ("small", "much larger"):
        manifest = repository.image(content)
        assert repository.put(manifest, digest_of(manifest.encode())).status_code == 201
        parts.append({"digest": digest_of(manifest.encode()), "size": len(manifest)})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": parts})
    assert repository.put(index, "both", INDEX_TYPE).status_code == 201
    sizes = {tuple(i.get("imageTags", ())): i["imageSizeInBytes"] for i in repository.described()}
    assert sizes[("both",)] == len("{}") + len("much larger")


def test_tags_are_listed_page_by_page(repository: Repository) -> None:
    for tag in ("c", "a", "b"):
        repository.push(tag, tag)
    first = repository.ask("GET", "tags/list?n=2")
    assert first.json() == {"name": repository.name, "tags": ["a", "b"]}
    rest = repository.ask("GET", first.links["next"]["url"])
    assert rest.json()["tags"] == ["c"]
    assert "next" not in rest.links


def test_a_deleted_image_cannot_be_pulled(repository: Repository) -> None:
    digest = repository.push("content", "v1")
    repository.ecr.batch_delete_image(
        repositoryName=repository.name, imageIds=[{"imageDigest": digest}]
    )
    for reference in ("v1", digest):
        assert refusal(repository.ask("GET", f"manifests/{reference}")) == (
            404,
            "MANIFEST_UNKNOWN",
            "Requested image not found",
        )
    assert repository.ask("GET", "tags/list").json()["tags"] == []


def test_a_scan_says_that_it_is_none(repository: Repository) -> None:
    repository.push("content", "v1")
    image = {"repositoryName": repository.name, "imageId": {"imageTag": "v1"}}
    with pytest.raises(ClientError, match="ScanNotFoundException"):
        repository.ecr.describe_image_scan_findings(**image)
    repository.ecr.start_image_scan(**image)
    found = repository.ecr.describe_image_scan_findings(**image)
    assert "made up" in found["imageScanStatus"]["description"]


ROLE = "arn:aws:iam::123456789012:role/any"


def test_each_push_of_a_tag_to_another_image_is_an_event(
    aws: EmbeddedAws, repository: Repository
) -> None:
    machines, events = client_of(aws, "stepfunctions"), client_of(aws, "events")
    machine = machines.create_state_machine(
        name=f"m{uuid4().hex[:8]}",
        roleArn=ROLE,
        definition=json.dumps({"StartAt": "end", "States": {"end": {"Type": "Succeed"}}}),
    )["stateMachineArn"]
    rule = f"r{uuid4().hex[:8]}"
    pattern = {
        "source": ["aws.ecr"],
        "detail-type": ["ECR Image Action"],
        "detail": {"repository-name": [repository.name], "image-tag": ["latest"]},
    }
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "one", "Arn": machine, "RoleArn": ROLE}])

    digest = repository.push("one", "latest")
    repository.push("one", "latest")
    repository.push("two", "other")

    def executions() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = machines.list_executions(stateMachineArn=machine)[
            "executions"
        ]
        return found

    (execution,) = eventually("it is executed", executions)
    started = machines.describe_execution(executionArn=execution["executionArn"])
    event = json.loads(started["input"])
    assert (event["source"], event["detail-type"]) == ("aws.ecr", "ECR Image Action")
    assert event["detail"] == {
        "result": "SUCCESS",
        "repository-name": repository.name,
        "image-digest": digest,
        "action-type": "PUSH",
        "image-tag": "latest",
    }
    for each in (machines, events):
        each.close()
