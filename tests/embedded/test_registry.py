"""ECR's registry, asked as Docker asks it, without Docker."""

import hashlib
import json
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws
from tests.embedded.world import eventually
from tests.support.registry import Registry

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(kw_only=True)
class Repository:
    """A repository of a test's own, over HTTP and over ECR's API."""

    aws: EmbeddedAws
    session: requests.Session
    ecr: Any
    name: str

    def ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        url = f"http://{self.aws.registry_address}"
        if not path.startswith("/"):
            url += f"/v2/{self.name}/"
        return self.session.request(method, url + path, timeout=30, **arguments)

    def push_blob(self, content: bytes) -> dict[str, Any]:
        digest = digest_of(content)
        begun = self.ask("POST", "blobs/uploads/")
        assert begun.status_code == 202
        done = self.ask("PUT", begun.headers["Location"], params={"digest": digest}, data=content)
        assert done.status_code == 201, done.text
        assert done.headers["Docker-Content-Digest"] == digest
        return {"digest": digest, "size": len(content)}

    def image(self, content: str, *, media_type: str = MANIFEST_TYPE) -> str:
        """A manifest whose parts are there."""
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": media_type,
                "config": self.push_blob(b"{}"),
                "layers": [self.push_blob(content.encode())],
            }
        )

    def put(
        self, manifest: str, reference: str, media_type: str = MANIFEST_TYPE
    ) -> requests.Response:
        headers = {"Content-Type": media_type}
        return self.ask("PUT", f"manifests/{reference}", data=manifest, headers=headers)

    def push(self, content: str, tag: str, *, media_type: str = MANIFEST_TYPE) -> str:
        """Pushes an image; gives its digest."""
        manifest = self.image(content, media_type=media_type)
        done = self.put(manifest, tag, media_type)
        assert done.status_code == 201, done.text
        return digest_of(manifest.encode())

    def described(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ecr.describe_images(repositoryName=self.name)[
            "imageDetails"
        ]
        return found


def client(aws: EmbeddedAws, service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name=aws.region,
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",
    )


@pytest.fixture(scope="module")
def session(aws: EmbeddedAws) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("AWS", Registry(aws=aws).password())
        yield session


@pytest.fixture
def repository(aws: EmbeddedAws, session: requests.Session) -> Iterator[Repository]:
    ecr = client(aws, "ecr")
    name = f"team/r{uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=name)
    yield Repository(aws=aws, session=session, ecr=ecr, name=name)
    ecr.close()


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error["message"]


# --- Who may ------------------------------------------------------------------------------------


def test_those_without_a_password_are_asked_for_one(aws: EmbeddedAws) -> None:
    answer = requests.get(f"http://{aws.registry_address}/v2/", timeout=30)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Basic realm="https://{aws.registry_address}/",service="ecr.amazonaws.com"'
    )


@pytest.mark.parametrize("place", [-3, 72, 100, 1_000])
def test_every_character_of_a_password_counts(aws: EmbeddedAws, place: int) -> None:
    password = Registry(aws=aws).password()
    wrong = list(password)
    wrong[place] = "A" if wrong[place] != "A" else "B"

    def status(user: str, given: str) -> int:
        url = f"http://{aws.registry_address}/v2/"
        return requests.get(url, auth=(user, given), timeout=30).status_code

    assert status("AWS", password) == 200
    assert status("AWS", "".join(wrong)) == 400
    assert status("AWS", password[:72]) == 400
    assert status("root", password) == 400


def test_what_is_no_password_at_all_is_refused(aws: EmbeddedAws) -> None:
    for given in ("AWS", b64encode(b"\xff\xfe").decode(), ""):
        answer = requests.get(
            f"http://{aws.registry_address}/v2/",
            headers={"Authorization": f"Basic {given}"},
            timeout=30,
        )
        assert answer.status_code == 400


def test_it_speaks_tls_on_the_same_port(aws: EmbeddedAws, session: requests.Session) -> None:
    url = f"https://{aws.registry_address}/v2/"
    trusted = str(aws.certificate_authority_file)
    assert session.get(url, verify=trusted, timeout=30).status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        session.get(url, timeout=30)


# --- What is pushed -----------------------------------------------------------------------------


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


# --- How blobs arrive ---------------------------------------------------------------------------


def test_a_blob_arrives_in_chunks_that_follow_one_another(repository: Repository) -> None:
    content = b"0123456789"
    place = repository.ask("POST", "blobs/uploads/").headers["Location"]
    sent = repository.ask("PATCH", place, data=content[:4], headers={"Content-Range": "0-3"})
    assert (sent.status_code, sent.headers["Range"]) == (202, "0-3")
    wrong = repository.ask("PATCH", place, data=content[6:], headers={"Content-Range": "6-9"})
    assert (wrong.status_code, wrong.headers["Range"]) == (416, "0-3")
    assert repository.ask("GET", place).headers["Range"] == "0-3"
    # As Docker sends it: no length, in pieces.
    repository.ask("PATCH", place, data=iter([content[4:8], content[8:]]))
    digest = digest_of(content)
    assert repository.ask("PUT", place, params={"digest": digest}).status_code == 201
    assert repository.ask("GET", f"blobs/{digest}").content == content


def test_a_blob_arrives_in_one_request(repository: Repository) -> None:
    content = b"at once"
    digest = digest_of(content)
    done = repository.ask("POST", "blobs/uploads/", params={"digest": digest}, data=content)
    assert done.status_code == 201
    assert repository.ask("GET", done.headers["Location"]).content == content


def test_an_upload_that_is_cancelled_is_gone(repository: Repository) -> None:
    place = repository.ask("POST", "blobs/uploads/").headers["Location"]
    assert repository.ask("DELETE", place).status_code == 204
    assert refusal(repository.ask("PATCH", place, data=b"1"))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_part_of_a_blob_can_be_read(repository: Repository) -> None:
    digest = repository.push_blob(b"0123456789")["digest"]
    part = repository.ask("GET", f"blobs/{digest}", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    whole = repository.ask("HEAD", f"blobs/{digest}")
    assert (whole.headers["Content-Length"], whole.content) == ("10", b"")


def test_a_blob_of_another_repository_is_mounted_and_otherwise_not_there(
    repository: Repository,
) -> None:
    digest = repository.push_blob(f"shared by {uuid4()}".encode())["digest"]
    other = f"{repository.name}-other"
    repository.ecr.create_repository(repositoryName=other)
    assert repository.ask("HEAD", f"/v2/{other}/blobs/{digest}").status_code == 404

    def mount(source: str) -> int:
        place = f"/v2/{other}/blobs/uploads/"
        given = {"mount": digest, "from": source}
        return repository.ask("POST", place, params=given).status_code

    assert mount("nowhere") == 202
    assert mount(repository.name) == 201
    assert repository.ask("HEAD", f"/v2/{other}/blobs/{digest}").status_code == 200


# --- What is refused ----------------------------------------------------------------------------


def test_content_with_another_digest_is_refused(repository: Repository) -> None:
    place = repository.ask("POST", "blobs/uploads/").headers["Location"]
    wrong = digest_of(b"right")
    refused = repository.ask("PUT", place, params={"digest": wrong}, data=b"wrong")
    assert refusal(refused)[:2] == (400, "DIGEST_INVALID")
    assert repository.ask("HEAD", f"blobs/{wrong}").status_code == 404
    manifest = repository.image("content")
    assert refusal(repository.put(manifest, digest_of(b"other")))[:2] == (400, "DIGEST_INVALID")
    assert repository.described() == []


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


def test_a_scan_says_that_it_is_none(repository: Repository) -> None:
    repository.push("content", "v1")
    image = {"repositoryName": repository.name, "imageId": {"imageTag": "v1"}}
    with pytest.raises(ClientError, match="ScanNotFoundException"):
        repository.ecr.describe_image_scan_findings(**image)
    repository.ecr.start_image_scan(**image)
    found = repository.ecr.describe_image_scan_findings(**image)
    assert "made up" in found["imageScanStatus"]["description"]


# --- What a push sets off -----------------------------------------------------------------------

ROLE = "arn:aws:iam::123456789012:role/any"


def test_each_push_of_a_tag_to_another_image_is_an_event(
    aws: EmbeddedAws, repository: Repository
) -> None:
    machines, events = client(aws, "stepfunctions"), client(aws, "events")
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
