"""Elastic Container Registry.

moto keeps manifests and has no registry that images could be pushed to. Given one (see
`EmbeddedAws`), the repositories here are those of that registry: its host is in their addresses,
the tokens are its password, and images that are pushed to it, moved and deleted are so in both.
"""

import base64
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecr.exceptions import ImageAlreadyExistsException
from moto.ecr.models import ECRBackend, Image, Repository
from moto.ecr.responses import ECRResponse
from moto.events.models import events_backends

from embedded_aws.ecr_password import expiration_of, make_password

_TIMEOUT_SECONDS = 10

_MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)


class _RegistryRefusedError(ServiceException):  # type: ignore[misc]
    code = "ServerException"


class _TagIsImmutableError(ServiceException):  # type: ignore[misc]
    code = "ImageTagAlreadyExistsException"


@dataclass(frozen=True)
class _Registry:
    """A registry that speaks the distribution protocol: https://distribution.github.io."""

    host: str
    url: str
    password_file: Path

    @classmethod
    def given(cls) -> "_Registry | None":
        """The one that the server was started with."""
        values = json.loads(os.environ.get("MOTO_ECR_REGISTRY") or "null")
        return values and cls(values["host"], values["url"], Path(values["password_file"]))

    def password(self) -> str:
        return self.password_file.read_text("utf-8").strip()

    def tags(self, repository: str) -> dict[str, str]:
        """The digest that each tag names."""
        answer = self._call("GET", repository, "tags/list", missing=True)
        names = (answer.json().get("tags") if answer is not None else None) or ()
        found = {}
        for name in names:
            answer = self._call("HEAD", repository, f"manifests/{name}", missing=True)
            if answer is not None:
                found[name] = answer.headers["Docker-Content-Digest"]
        return found

    def manifest(self, repository: str, digest: str) -> tuple[str, str]:
        """The text of a manifest, and its media type."""
        answer = self._call("GET", repository, f"manifests/{digest}")
        assert answer is not None
        return answer.content.decode(), answer.headers["Content-Type"]

    def put(self, repository: str, tag: str, manifest: str, media_type: str) -> None:
        self._call("PUT", repository, f"manifests/{tag}", data=manifest, media_type=media_type)

    def delete(self, repository: str, digest: str) -> None:
        self._call("DELETE", repository, f"manifests/{digest}", missing=True)

    def _call(
        self,
        method: str,
        repository: str,
        path: str,
        *,
        data: str | None = None,
        media_type: str | None = None,
        missing: bool = False,
    ) -> requests.Response | None:
        answer = self._session.request(
            method,
            f"{self.url}/v2/{repository}/{path}",
            data=data,
            headers={
                "Accept": ", ".join(_MANIFEST_TYPES),
                **({"Content-Type": media_type} if media_type else {}),
            },
            auth=("AWS", self.password()),
            timeout=_TIMEOUT_SECONDS,
        )
        if missing and answer.status_code == requests.codes.not_found:
            return None
        if not answer.ok:
            raise _RegistryRefusedError(
                f"The registry answered {answer.status_code}: {answer.text}"
            )
        return answer

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        return session


_registry = _Registry.given()


def apply() -> None:
    Repository.__init__ = _make_repository(Repository.__init__)
    Image.get_image_digest = lambda self: _digest(self.image_manifest)
    Image.get_image_size_in_bytes = _size_in_bytes
    Image.__init__ = _make_image(Image.__init__)
    for name in ("describe_images", "list_images", "batch_get_image", "delete_repository"):
        setattr(ECRBackend, name, _after_a_look(getattr(ECRBackend, name)))
    ECRBackend.put_image = _put_image
    ECRBackend.batch_delete_image = _batch_delete_image(ECRBackend.batch_delete_image)
    ECRResponse.get_authorization_token = _get_authorization_token


def _make_repository(make: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        if _registry:
            self.uri = f"{_registry.host}/{self.name}"

    return init


def _make_image(make: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        # Whole seconds would not tell which of two was pushed last.
        self.image_pushed_at = utcnow().timestamp()

    return init


def _digest(manifest: str) -> str:
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


def _size_in_bytes(self: Any) -> int:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html
    manifest = json.loads(self.image_manifest)
    if "manifests" in manifest:
        # "If the image is a manifest list, this will be the max size of all manifests in the list."
        return int(getattr(self, "index_size", 0))
    parts = [*manifest.get("layers", ()), manifest.get("config", {})]
    return sum(part.get("size", 0) for part in parts)


def _after_a_look(action: Callable[..., Any]) -> Callable[..., Any]:
    """Lets an action know what was pushed to the registry before."""

    def act(self: Any, repository_name: str, *arguments: Any, **named: Any) -> Any:
        _look(self, repository_name)
        return action(self, repository_name, *arguments, **named)

    return act


def _parts(image: Any) -> list[str]:
    """The digests of the images that an index is made of; none of any other image."""
    return [part["digest"] for part in json.loads(image.image_manifest).get("manifests", ())]


def _look(backend: Any, repository_name: str) -> None:
    repository = backend.repositories.get(repository_name)
    if repository is None:
        return
    if _registry is not None:
        _look_into_registry(backend, repository_name, _registry)
    for image in repository.images:
        found = [_find(repository, digest) for digest in _parts(image)]
        image.index_size = max((_size_in_bytes(part) for part in found if part), default=0)


def _look_into_registry(backend: Any, repository_name: str, registry: _Registry) -> None:
    repository = backend.repositories[repository_name]

    def add(digest: str) -> Any:
        manifest, media_type = registry.manifest(repository_name, digest)
        image = Image(backend.account_id, None, manifest, repository_name, media_type, digest)
        repository.images.append(image)
        # Docker pushes what an index is made of without a tag.
        for part in _parts(image):
            if _find(repository, part) is None:
                add(part)
        return image

    for tag, digest in registry.tags(repository_name).items():
        _move(repository, tag, _find(repository, digest) or add(digest))


def _find(repository: Any, digest: str) -> Any:
    return next((i for i in repository.images if i.get_image_digest() == digest), None)


def _move(repository: Any, tag: str, to: Any) -> None:
    for image in repository.images:
        if image is not to and tag in image.image_tags:
            image.image_tags.remove(tag)
            image.image_tag = image.image_tags[-1] if image.image_tags else None
    to.update_tag(tag)


def _put_image(
    self: Any,
    repository_name: str,
    image_manifest: str,
    image_tag: str,
    image_manifest_mediatype: str | None = None,
    digest: str | None = None,
) -> Any:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
    _look(self, repository_name)
    repository = self._get_repository(repository_name)
    media_type = image_manifest_mediatype or json.loads(image_manifest).get("mediaType")
    digest = _digest(image_manifest)
    image = _find(repository, digest)
    if image is not None and image_tag in image.image_tags:
        raise ImageAlreadyExistsException(
            registry_id=repository.registry_id,
            image_tag=image_tag,
            digest=digest,
            repository_name=repository_name,
        )
    if repository.is_tag_immutable() and any(image_tag in i.image_tags for i in repository.images):
        raise _TagIsImmutableError(
            f"The image tag '{image_tag}' already exists in the '{repository_name}' repository and"
            " cannot be overwritten because the tag is immutable."
        )
    if _registry:
        _registry.put(repository_name, image_tag, image_manifest, media_type)
    if image is None:
        image = Image(self.account_id, None, image_manifest, repository_name, media_type, digest)
        repository.images.append(image)
    _move(repository, image_tag, image)
    _tell_of_push(self, repository_name, digest, image_tag)
    return image


def _tell_of_push(backend: Any, repository_name: str, digest: str, tag: str) -> None:
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
    detail = {
        "result": "SUCCESS",
        "repository-name": repository_name,
        "image-digest": digest,
        "action-type": "PUSH",
        "image-tag": tag,
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


def _batch_delete_image(delete: Callable[..., Any]) -> Callable[..., Any]:
    def batch_delete_image(
        self: Any,
        repository_name: str,
        registry_id: str | None = None,
        image_ids: list[dict[str, str]] | None = None,
    ) -> Any:
        _look(self, repository_name)
        # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html
        images = self.repositories[repository_name].images
        referenced = {part for image in images for part in _parts(image)}
        kept = [id for id in image_ids or () if id.get("imageDigest") in referenced]
        gone = [id for id in image_ids or () if id not in kept]
        answer: dict[str, Any] = {"imageIds": [], "failures": []}
        if gone or not image_ids:
            answer = delete(self, repository_name, registry_id, gone)
        answer["failures"] += [
            {
                "imageId": {"imageDigest": id["imageDigest"]},
                "failureCode": "ImageReferencedByManifestList",
                "failureReason": "Requested image referenced by manifest list",
            }
            for id in kept
        ]
        if _registry:
            for image_id in gone:
                if "imageDigest" in image_id and "imageTag" not in image_id:
                    _registry.delete(repository_name, image_id["imageDigest"])
        return answer

    return batch_delete_image


def _get_authorization_token(self: Any) -> ActionResult:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
    account, region = self.current_account, self.region
    password = _registry.password() if _registry else make_password()
    host = _registry.host if _registry else f"{account}.dkr.ecr.{region}.amazonaws.com"
    return ActionResult(
        {
            "authorizationData": [
                {
                    "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
                    "expiresAt": expiration_of(password),
                    "proxyEndpoint": f"https://{host}",
                }
            ]
        }
    )
