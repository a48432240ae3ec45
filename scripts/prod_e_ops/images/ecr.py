"""An ECR repository: what is in it, and how it is changed."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING

from prod_e_ops.aws.clients import aws_client, aws_errors
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.errors import ImagesKept, TagsNotMoved

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import (
        BatchDeleteImageResponseTypeDef,
        BatchGetImageResponseTypeDef,
        ImageDetailTypeDef,
        ImageIdentifierTypeDef,
        PutImageRequestTypeDef,
    )

_INDEX_TYPES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    *_INDEX_TYPES,
)
"""What a tag may name: images of one architecture, and lists of such."""

_MOST_AT_ONCE = 100
"""How many images one call may name."""


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image in a repository.

    `digest`: `sha256:...` of its manifest. `tags`: sorted; none for one that lost its last tag.
    `pushed_at`: when it was first pushed. `size_bytes`: its layers, compressed; of an index, those
    of its largest part. `parts`: the digests of what an index is made of: an image for each
    architecture, and what BuildKit attests of them; none for any other image.
    `scan_status`: `COMPLETE`, `IN_PROGRESS`, `FAILED`, ...; None if it was not scanned.
    `findings`: how many per severity, such as `{"HIGH": 2}`; None unless a scan is complete.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html
    """

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime
    size_bytes: int
    scan_status: str | None = None
    findings: Mapping[str, int] | None = None
    parts: tuple[str, ...] = ()

    @property
    def digests(self) -> frozenset[str]:
        """Whatever a task that was started with it may be said to run."""
        return frozenset({self.digest, *self.parts})


@dataclass(frozen=True, kw_only=True)
class RepositoryFound:
    """A repository that exists.

    `uri`: what an image of it is called, without a tag. `registry_id`: the account's number.
    """

    uri: str
    registry_id: str
    arn: str

    @property
    def host(self) -> str:
        """The registry's host, and its port where it has one."""
        return self.uri.split("/", 1)[0]


@dataclass(frozen=True, kw_only=True)
class Login:
    """What `docker login` takes. It is worth the credentials that it was made with for 12 hours.

    `host`: of the registry that the token is for.
    """

    user: str
    token: str = field(repr=False)
    host: str
    expires_at: datetime


@dataclass(frozen=True)
class Repository:
    """One repository of a region, whether it exists or not.

    Its methods wait for AWS, for half a minute at most, and raise `UserMistake` for credentials
    that AWS does not accept and `OpsError` for an AWS that fails.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html
    """

    region: str
    name: str

    async def find(self) -> RepositoryFound | None:
        """Its address; None if there is no such repository."""
        with aws_errors(f"Cannot read the ECR repository {self.name}"):
            try:
                answer = await in_thread(
                    lambda: self._client.describe_repositories(repositoryNames=[self.name])
                )
            except self._client.exceptions.RepositoryNotFoundException:
                return None
        found = answer["repositories"][0]
        return RepositoryFound(
            uri=found["repositoryUri"],
            registry_id=found["registryId"],
            arn=found["repositoryArn"],
        )

    async def images(self) -> Sequence[StoredImage]:
        """Every image, the one pushed last first; none if there is no such repository.

        What is only a part of an index, without a tag of its own, is no image of its own.
        """
        with aws_errors(f"Cannot list the images of {self.name}"):
            try:
                details = await in_thread(self._image_details)
            except self._client.exceptions.RepositoryNotFoundException:
                return []
        parts = await self._parts(details)
        inside = {part for found in parts.values() for part in found}
        found = [
            _stored_image(detail, parts.get(detail["imageDigest"], ()))
            for detail in details
            if detail.get("imageTags") or detail["imageDigest"] not in inside
        ]
        return sorted(found, key=lambda image: image.pushed_at, reverse=True)

    async def image(self, reference: str) -> StoredImage | None:
        """The image of that tag or digest (`sha256:...`); None if there is none."""
        with aws_errors(f"Cannot read the image {reference} of {self.name}"):
            try:
                answer = await in_thread(
                    lambda: self._client.describe_images(
                        repositoryName=self.name, imageIds=[_image_id(reference)]
                    )
                )
            except (
                self._client.exceptions.ImageNotFoundException,
                self._client.exceptions.RepositoryNotFoundException,
            ):
                return None
        (detail,) = answer["imageDetails"]
        parts = await self._parts([detail])
        return _stored_image(detail, parts.get(detail["imageDigest"], ()))

    def _image_details(self) -> "list[ImageDetailTypeDef]":
        pages = self._client.get_paginator("describe_images").paginate(repositoryName=self.name)
        return [detail for page in pages for detail in page["imageDetails"]]

    async def _parts(
        self, details: "Sequence[ImageDetailTypeDef]"
    ) -> Mapping[str, tuple[str, ...]]:
        """What each index among these images is made of."""
        indexes = [
            detail["imageDigest"]
            for detail in details
            if detail.get("imageManifestMediaType") in _INDEX_TYPES
        ]
        found = {}
        for start in range(0, len(indexes), _MOST_AT_ONCE):
            with aws_errors(f"Cannot read the images of {self.name}"):
                answer = await self._manifests(
                    indexes[start : start + _MOST_AT_ONCE], media_types=_INDEX_TYPES
                )
            for image in answer["images"]:
                manifests = json.loads(image["imageManifest"]).get("manifests", ())
                found[image["imageId"]["imageDigest"]] = tuple(each["digest"] for each in manifests)
        return found

    async def tag(self, digest: str, tags: Sequence[str]) -> None:
        """Lets the tags name this image, one after the other; nothing is uploaded.

        A tag that does so already stays as it is, and causes no event.

        Raises `TagsNotMoved` if there is no such image, and `AwsFailed` if ECR refuses a tag; those
        before it are moved then.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
        """
        with aws_errors(f"Cannot read the image {digest} of {self.name}", left="no tag moved"):
            answer = await self._manifests([digest], media_types=_MANIFEST_TYPES)
        if not answer["images"]:
            reasons = [failure.get("failureReason", "") for failure in answer.get("failures", ())]
            raise TagsNotMoved(
                f"The image {digest} is not in {self.name}.",
                details=[*(reason for reason in reasons if reason), "No tag moved."],
            )
        image = answer["images"][0]
        for position, name in enumerate(tags):
            moved = ", ".join(tags[:position])
            left = f"it is as it was{f', moved before it: {moved}' if moved else ''}"
            put: PutImageRequestTypeDef = {
                "repositoryName": self.name,
                "imageManifest": image["imageManifest"],
                "imageTag": name,
                "imageDigest": digest,
            }
            # An OCI manifest need not name its own type.
            if "imageManifestMediaType" in image:
                put["imageManifestMediaType"] = image["imageManifestMediaType"]
            with aws_errors(f"ECR did not move the tag {name} of {self.name}", left=left):
                try:
                    await in_thread(partial(self._client.put_image, **put))
                except self._client.exceptions.ImageAlreadyExistsException:
                    continue

    async def _manifests(
        self, digests: Sequence[str], *, media_types: Sequence[str]
    ) -> "BatchGetImageResponseTypeDef":
        return await in_thread(
            lambda: self._client.batch_get_image(
                repositoryName=self.name,
                imageIds=[{"imageDigest": digest} for digest in digests],
                acceptedMediaTypes=list(media_types),
            )
        )

    async def delete(self, digests: Sequence[str]) -> None:
        """Deletes images with all of their tags; one that is gone already is no error.

        Raises `ImagesKept` naming those that ECR keeps, such as one that an index refers to.
        """
        kept = []
        for start in range(0, len(digests), _MOST_AT_ONCE):
            part = digests[start : start + _MOST_AT_ONCE]
            with aws_errors(
                f"Cannot delete images of {self.name}",
                left=f"{start} of {len(digests)} were deleted before",
            ):
                answer = await in_thread(partial(self._delete, part))
            kept += [
                f"{failure['imageId'].get('imageDigest', '')}: {failure.get('failureReason', '')}"
                for failure in answer.get("failures", ())
                if failure.get("failureCode") != "ImageNotFound"
            ]
        if kept:
            raise ImagesKept(
                f"ECR did not delete {len(kept)} of {len(digests)} images of {self.name}:",
                details=kept,
            )

    def _delete(self, digests: Sequence[str]) -> "BatchDeleteImageResponseTypeDef":
        return self._client.batch_delete_image(
            repositoryName=self.name, imageIds=[{"imageDigest": each} for each in digests]
        )

    async def login(self) -> Login:
        """A new token for the registry, which may do in it what the credentials may.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
        """
        with aws_errors("Cannot log in to ECR"):
            answer = await in_thread(lambda: self._client.get_authorization_token())
        given = answer["authorizationData"][0]
        user, _, token = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        return Login(
            user=user,
            token=token,
            host=given["proxyEndpoint"].partition("://")[2].rstrip("/"),
            expires_at=given["expiresAt"],
        )

    @cached_property
    def _client(self) -> "ECRClient":
        with aws_errors("Cannot call ECR"):
            return aws_client("ecr", region=self.region)


def _image_id(reference: str) -> "ImageIdentifierTypeDef":
    if reference.startswith("sha256:"):
        return {"imageDigest": reference}
    return {"imageTag": reference}


def _stored_image(detail: "ImageDetailTypeDef", parts: tuple[str, ...]) -> StoredImage:
    findings = detail.get("imageScanFindingsSummary", {}).get("findingSeverityCounts")
    return StoredImage(
        digest=detail["imageDigest"],
        tags=tuple(sorted(detail.get("imageTags", ()))),
        pushed_at=detail["imagePushedAt"],
        size_bytes=detail.get("imageSizeInBytes") or 0,
        scan_status=detail.get("imageScanStatus", {}).get("status"),
        findings=dict(findings.items()) if findings is not None else None,
        parts=parts,
    )
