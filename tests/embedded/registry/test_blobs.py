"""How blobs arrive in ECR's registry."""

from uuid import uuid4

from tests.embedded.registry.repository import (
    Repository,
    digest_of,
    refusal,
)


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
