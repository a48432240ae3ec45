"""The images of ECR's repositories, as the registry and ECR's API both see them.

There is one record of them, moto's: what is pushed is in `DescribeImages` at once, and what
`BatchDeleteImage` deletes cannot be pulled any more.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from moto.core.exceptions import ServiceException
from moto.ecr.models import ECRBackend, Image, Repository, ecr_backends
from moto.events.models import events_backends

from embedded_aws.control_plane.registry.errors import (
    RegistryError,
    digest_invalid,
    no_such_repository,
)

DIGEST_PREFIX = "sha256:"


class TagIsImmutableError(ServiceException):  # type: ignore[misc]
    """What PutImage answers, and the registry too.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
    """

    code = "ImageTagAlreadyExistsException"

    def __init__(self, tag: str, repository: str) -> None:
        super().__init__(
            f"The image tag '{tag}' already exists in the '{repository}' repository and"
            " cannot be overwritten because the tag is immutable."
        )


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What describes an image or an index of images. `text` is as it was pushed."""

    text: str
    media_type: str

    @property
    def digest(self) -> str:
        """By which the image is known."""
        return digest_of(self.text)


def digest_of(manifest: str) -> str:
    """The digest of a manifest's text."""
    return f"{DIGEST_PREFIX}{hashlib.sha256(manifest.encode()).hexdigest()}"


def parts_of(manifest: str) -> list[str]:
    """The digests of the images that an index is made of; none of any other manifest."""
    return [part["digest"] for part in json.loads(manifest).get("manifests", ())]


def find(repository: Repository, reference: str) -> Image | None:
    """The image that has a digest or a tag."""
    return next(
        (
            image
            for image in repository.images
            if reference in image.image_tags or reference == image.image_digest
        ),
        None,
    )


def store(backend: ECRBackend, name: str, manifest: Manifest, tag: str | None) -> Image:
    """Keeps an image in a repository, has the tag name it, and lets EventBridge know.

    A tag that names the image already changes nothing. Raises `TagIsImmutableError`.
    """
    repository = backend.repositories[name]
    image = find(repository, manifest.digest)
    tagged = find(repository, tag) if tag else None
    if tagged and repository.is_tag_immutable():
        assert tag is not None
        raise TagIsImmutableError(tag, name)
    if image is not None and (tag is None or tagged is image):
        return image
    if image is None:
        image = Image(
            backend.account_id, None, manifest.text, name, manifest.media_type, manifest.digest
        )
        image.index_size = max(
            (found.image_size_in_bytes for found in _images(repository, manifest) if found),
            default=0,
        )
        repository.images.append(image)
    if tagged:
        tagged.image_tags.remove(tag)
        tagged.image_tag = tagged.image_tags[-1] if tagged.image_tags else None
    if tag:
        image.update_tag(tag)
    _tell_of_push(backend, name, manifest.digest, tag)
    return image


def _images(repository: Repository, manifest: Manifest) -> Iterator[Image | None]:
    for digest in parts_of(manifest.text):
        yield find(repository, digest)


def _tell_of_push(backend: ECRBackend, name: str, digest: str, tag: str | None) -> None:
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
    detail = {
        "result": "SUCCESS",
        "repository-name": name,
        "image-digest": digest,
        "action-type": "PUSH",
        **({"image-tag": tag} if tag else {}),
    }
    events_backends[backend.account_id][backend.region_name].put_events(
        [
            {
                "Source": "aws.ecr",
                "DetailType": "ECR Image Action",
                "Detail": json.dumps(detail),
            }
        ]
    )


class Images:
    """What the registry asks of ECR, of one account and region.

    Whoever calls these holds the lock on moto's state. All raise `RegistryError`.
    """

    def __init__(self, *, account_id: str, region: str) -> None:
        self._account_id = account_id
        self._backend = ecr_backends[account_id][region]

    def has_blob(self, name: str, digest: str) -> bool:
        """Whether a blob was pushed to a repository."""
        return digest in self._repository(name).layers

    def add_blob(self, name: str, digest: str, size: int) -> None:
        """That a blob was pushed to a repository, of that many bytes."""
        self._repository(name).layers[digest] = size

    def mount_blob(self, name: str, digest: str, *, source: str) -> bool:
        """Has a repository share a blob of another one; false if that has no such blob."""
        to = self._repository(name)
        found = self._backend.repositories.get(source)
        if found is None or digest not in found.layers:
            return False
        to.layers[digest] = found.layers[digest]
        return True

    def check(self, name: str) -> None:
        """That there is such a repository."""
        self._repository(name)

    def tags(self, name: str) -> list[str]:
        """All tags of a repository in order."""
        return sorted(tag for image in self._repository(name).images for tag in image.image_tags)

    def manifest(self, name: str, reference: str) -> Manifest:
        """The manifest that has a tag or a digest."""
        image = find(self._repository(name), reference)
        if image is None:
            raise RegistryError(404, "MANIFEST_UNKNOWN", "Requested image not found")
        return Manifest(text=image.image_manifest, media_type=image.image_manifest_media_type)

    def put_manifest(self, name: str, reference: str, manifest: Manifest) -> None:
        """Keeps a manifest, all parts of which are there, under a tag or its digest."""
        repository = self._repository(name)
        try:
            content = json.loads(manifest.text)
            blobs = [content["config"], *content["layers"]] if "config" in content else []
            # Layers of Windows' base images are elsewhere.
            missing = [
                each["digest"]
                for each in blobs
                if not each.get("urls") and each["digest"] not in repository.layers
            ] + [part for part in parts_of(manifest.text) if find(repository, part) is None]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RegistryError(
                400, "MANIFEST_INVALID", "The manifest is not one of an image or an index"
            ) from None
        if missing:
            raise RegistryError(
                404,
                "MANIFEST_BLOB_UNKNOWN",
                f"Not in the repository with name '{name}': {', '.join(missing)}",
            )
        by_digest = reference.startswith(DIGEST_PREFIX)
        if by_digest and reference != manifest.digest:
            raise digest_invalid(reference, manifest.digest)
        try:
            store(self._backend, name, manifest, None if by_digest else reference)
        except TagIsImmutableError as error:
            raise RegistryError(400, "TAG_INVALID", error.message) from None

    def _repository(self, name: str) -> Repository:
        found = self._backend.repositories.get(name)
        if found is None:
            raise no_such_repository(name, self._account_id)
        return found
