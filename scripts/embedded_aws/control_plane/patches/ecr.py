"""Elastic Container Registry.

moto keeps manifests. The registry that images are pushed to is in
`embedded_aws.control_plane.registry`: its host is in the addresses of repositories, and it takes
the passwords that are handed out here.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecr.exceptions import ImageAlreadyExistsException
from moto.ecr.models import ECRBackend, Image, Repository
from moto.ecr.responses import ECRResponse

from embedded_aws.control_plane.registry import passwords
from embedded_aws.control_plane.registry.images import Manifest, digest_of, find, parts_of, store
from embedded_aws.control_plane.registry.place import registry_host
from embedded_aws.ecr_password import expiration_of


def apply() -> None:
    Repository.__init__ = _make_repository(Repository.__init__)
    Image.get_image_digest = lambda self: digest_of(self.image_manifest)
    Image.get_image_size_in_bytes = _size_in_bytes
    Image.__init__ = _make_image(Image.__init__)
    ECRBackend.put_image = _put_image
    ECRBackend.put_lifecycle_policy = _put_lifecycle_policy(ECRBackend.put_lifecycle_policy)
    ECRBackend.batch_delete_image = _batch_delete_image(ECRBackend.batch_delete_image)
    ECRBackend.describe_image_scan_findings = _made_up(ECRBackend.describe_image_scan_findings)
    ECRResponse.get_authorization_token = _get_authorization_token


def _make_repository(make: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        self.uri = f"{registry_host(self.registry_id, self.region_name)}/{self.name}"

    return init


def _make_image(make: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        # Whole seconds would not tell which of two was pushed last.
        self.image_pushed_at = utcnow().timestamp()

    return init


def _size_in_bytes(self: Any) -> int:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html
    manifest = json.loads(self.image_manifest)
    if "manifests" in manifest:
        # "If the image is a manifest list, this will be the max size of all manifests in the list."
        return int(getattr(self, "index_size", 0))
    parts = [*manifest.get("layers", ()), manifest.get("config", {})]
    return sum(part.get("size", 0) for part in parts)


def _put_image(
    self: Any,
    repository_name: str,
    image_manifest: str,
    image_tag: str | None,
    image_manifest_mediatype: str | None = None,
    digest: str | None = None,
) -> Any:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
    repository = self._get_repository(repository_name)
    media_type = image_manifest_mediatype or json.loads(image_manifest).get("mediaType")
    manifest = Manifest(text=image_manifest, media_type=media_type)
    image = find(repository, manifest.digest)
    if image is not None and (image_tag is None or image_tag in image.image_tags):
        raise ImageAlreadyExistsException(
            registry_id=repository.registry_id,
            image_tag=image_tag,
            digest=manifest.digest,
            repository_name=repository_name,
        )
    return store(self, repository_name, manifest, image_tag)


def _batch_delete_image(delete: Callable[..., Any]) -> Callable[..., Any]:
    def batch_delete_image(
        self: Any,
        repository_name: str,
        registry_id: str | None = None,
        image_ids: list[dict[str, str]] | None = None,
    ) -> Any:
        # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html
        images = self._get_repository(repository_name, registry_id).images
        referenced = {part for image in images for part in parts_of(image.image_manifest)}
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
        return answer

    return batch_delete_image


def _put_lifecycle_policy(put: Callable[..., Any]) -> Callable[..., Any]:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutLifecyclePolicy.html
    def put_lifecycle_policy(
        self: Any, registry_id: str, repository_name: str, lifecycle_policy_text: str
    ) -> Any:
        answer = put(self, registry_id, repository_name, lifecycle_policy_text)
        # It is kept without white space.
        text = json.dumps(json.loads(lifecycle_policy_text), separators=(",", ":"))
        self._get_repository(repository_name, registry_id).lifecycle_policy = text
        return {**answer, "lifecyclePolicyText": text}

    return put_lifecycle_policy


def _made_up(describe: Callable[..., Any]) -> Callable[..., Any]:
    def describe_image_scan_findings(self: Any, *arguments: Any, **named: Any) -> Any:
        answer = describe(self, *arguments, **named)
        answer["imageScanStatus"]["description"] = (
            "Nothing was scanned: the embedded AWS has no scanner, and what it found is made up."
        )
        return answer

    return describe_image_scan_findings


def _get_authorization_token(self: Any) -> ActionResult:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
    password = passwords.hand_out()
    host = registry_host(self.current_account, self.region)
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
