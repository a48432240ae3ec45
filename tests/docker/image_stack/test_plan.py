"""What a plan of the image stack finds in ECR."""

import hashlib
import json
from asyncio import run
from uuid import uuid4

import pytest
import requests

from prod_e_ops.errors import ImagesKept, OpsError
from prod_e_ops.images.ecr import Repository
from tests.support.project.image_stack import (
    API,
    ImageStackSkippedError,
    World,
)

pytestmark = pytest.mark.slow


INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


def test_a_second_plan_is_empty(world: World) -> None:
    assert world.plan().is_empty
    # Plain Terraform agrees, as long as it knows what it built.
    assert "No changes." in world.terraform("plan")


def test_a_machine_that_has_not_built_it_has_nothing_to_do(world: World) -> None:
    before = world.tags()
    world.become_another_machine()
    assert world.plan().is_empty
    assert not world.deploy().builds
    assert world.tags() == before


def test_what_ecr_has_needs_no_docker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(world.variables, "DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert world.plan().is_empty
    world.change()
    with pytest.raises(ImageStackSkippedError, match="no Docker daemon answers"):
        world.plan()


def test_an_index_of_an_image_is_one_image_and_goes_with_what_it_is_made_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As plain Terraform pushes one where Docker keeps images in containerd's store."""
    part, index = _push_index(world, tag := uuid4().hex)
    for name, value in world.aws.variables().items():
        monkeypatch.setenv(name, value)
    repository = Repository(world.aws.region, API)

    images = {image.digest: image for image in run(repository.images())}
    assert images[index].parts == (part,)
    assert images[index].size_bytes == images[world.tags()["latest"]].size_bytes
    assert part not in images
    assert run(repository.image(tag)) == images[index]

    with pytest.raises(ImagesKept):
        run(repository.delete([part]))
    run(repository.delete([index]))
    run(repository.delete([part]))
    assert tag not in world.tags()


def _push_index(world: World, tag: str) -> tuple[str, str]:
    """Pushes an index of an image without a tag; gives the digests of both."""

    def ask(method: str, name: str, body: str | None = None, kind: str = MANIFEST_TYPE) -> str:
        answer = requests.request(
            method,
            f"http://{world.registry.host}/v2/{API}/manifests/{name}",
            data=body,
            headers={"Accept": kind, "Content-Type": kind},
            auth=("AWS", world.registry.password()),
            timeout=30,
        )
        answer.raise_for_status()
        return answer.text

    manifest = ask("GET", "latest") + "\n"  # White space makes another digest of the same image.
    part = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    ask("PUT", part, manifest)
    described = {"mediaType": MANIFEST_TYPE, "size": len(manifest), "digest": part}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [described]})
    ask("PUT", tag, index, INDEX_TYPE)
    return part, f"sha256:{hashlib.sha256(index.encode()).hexdigest()}"


def test_a_registry_that_does_not_answer_is_not_taken_for_an_empty_one(world: World) -> None:
    before = world.tags()
    world.line.is_open = False
    assert world.plan().is_empty
    world.change()
    with pytest.raises(OpsError):
        world.deploy()
    assert world.tags() == before
    world.line.is_open = True
    assert world.deploy().builds


def test_without_an_answer_of_ecr_nothing_is_planned(world: World) -> None:
    done = world.prod_e("plan", AWS_ENDPOINT_URL_ECR="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "Cannot read the image" in done.stderr
    assert "Plan tiny-e" not in done.stderr
