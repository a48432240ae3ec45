"""An ECR repository: what is in it, and how it is changed."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from prod_e_ops.aws import aws_client, aws_errors
from prod_e_ops.errors import OpsError

_MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
"""What a tag may name: images of one architecture, and lists of such."""

_MOST_DELETED_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image in a repository.

    `digest`: `sha256:...` of its manifest. `tags`: sorted; none for one that lost its last tag.
    `pushed_at`: when it was first pushed. `size_bytes`: its layers, compressed; 0 for an index of
    images, whose layers count with each of them.
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
    """One repository of a region, whether it exists or not. Its methods may run in any thread.

    All of them wait for AWS, for half a minute at most, and raise `UserMistake` for credentials
    that AWS does not accept and `OpsError` for an AWS that fails.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html
    """

    region: str
    name: str

    def find(self) -> RepositoryFound | None:
        """Its address; None if there is no such repository."""
        with aws_errors(f"The ECR repository {self.name} cannot be looked up"):
            try:
                answer = self._client.describe_repositories(repositoryNames=[self.name])
            except self._client.exceptions.RepositoryNotFoundException:
                return None
        found = answer["repositories"][0]
        return RepositoryFound(
            uri=found["repositoryUri"],
            registry_id=found["registryId"],
            arn=found["repositoryArn"],
        )

    def images(self) -> Sequence[StoredImage]:
        """Every image, the one pushed last first; none if there is no such repository."""
        with aws_errors(f"The images of {self.name} cannot be listed"):
            try:
                found = [
                    _stored_image(detail)
                    for page in self._client.get_paginator("describe_images").paginate(
                        repositoryName=self.name
                    )
                    for detail in page["imageDetails"]
                ]
            except self._client.exceptions.RepositoryNotFoundException:
                return []
        return sorted(found, key=lambda image: image.pushed_at, reverse=True)

    def image(self, reference: str) -> StoredImage | None:
        """The image of that tag or digest (`sha256:...`); None if there is none."""
        exceptions = self._client.exceptions
        with aws_errors(f"The image {reference} of {self.name} cannot be looked up"):
            try:
                answer = self._client.describe_images(
                    repositoryName=self.name, imageIds=[_image_id(reference)]
                )
            except (
                exceptions.ImageNotFoundException,
                exceptions.RepositoryNotFoundException,
            ):
                return None
        return _stored_image(answer["imageDetails"][0])

    def tag(self, digest: str, tags: Sequence[str]) -> None:
        """Lets the tags name this image, one after the other; nothing is uploaded.

        A tag that does so already stays as it is, and causes no event.

        Raises `OpsError` if ECR refuses one; those before it are moved then.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
        """
        with aws_errors(f"The image {digest} of {self.name} cannot be read", left="no tag moved"):
            answer = self._client.batch_get_image(
                repositoryName=self.name,
                imageIds=[{"imageDigest": digest}],
                acceptedMediaTypes=list(_MANIFEST_TYPES),
            )
        if not answer["images"]:
            reasons = [failure.get("failureReason", "") for failure in answer.get("failures", ())]
            raise OpsError(
                f"The image {digest} is not in {self.name}.",
                details=[reason for reason in reasons if reason],
                next_step="No tag moved.",
            )
        image = answer["images"][0]
        for position, name in enumerate(tags):
            moved = ", ".join(tags[:position])
            left = f"it is as it was{f', moved before it: {moved}' if moved else ''}"
            with aws_errors(f"ECR did not move the tag {name} of {self.name}", left=left):
                try:
                    self._client.put_image(
                        repositoryName=self.name,
                        imageManifest=image["imageManifest"],
                        # An OCI manifest need not name its own type.
                        **(
                            {"imageManifestMediaType": image["imageManifestMediaType"]}
                            if "imageManifestMediaType" in image
                            else {}
                        ),
                        imageTag=name,
                        imageDigest=digest,
                    )
                except self._client.exceptions.ImageAlreadyExistsException:
                    continue

    def delete(self, digests: Sequence[str]) -> None:
        """Deletes images with all of their tags; one that is gone already is no error.

        Raises `OpsError` naming those that ECR keeps, such as one that an index refers to.
        """
        kept = []
        for start in range(0, len(digests), _MOST_DELETED_AT_ONCE):
            part = digests[start : start + _MOST_DELETED_AT_ONCE]
            with aws_errors(
                f"Images of {self.name} cannot be deleted",
                left=f"{start} of {len(digests)} were deleted before",
            ):
                answer = self._client.batch_delete_image(
                    repositoryName=self.name, imageIds=[{"imageDigest": each} for each in part]
                )
            kept += [
                f"{failure['imageId'].get('imageDigest', '')}: {failure.get('failureReason', '')}"
                for failure in answer.get("failures", ())
                if failure.get("failureCode") != "ImageNotFound"
            ]
        if kept:
            raise OpsError(
                f"ECR did not delete {len(kept)} of {len(digests)} images of {self.name}:",
                details=kept,
            )

    def login(self) -> Login:
        """A new token for the registry, which may do in it what the credentials may.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
        """
        with aws_errors("ECR gives no token to log in with"):
            answer = self._client.get_authorization_token()
        given = answer["authorizationData"][0]
        user, _, token = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        return Login(
            user=user,
            token=token,
            host=given["proxyEndpoint"].partition("://")[2].rstrip("/"),
            expires_at=given["expiresAt"],
        )

    @cached_property
    def _client(self) -> Any:
        with aws_errors("ECR cannot be asked"):
            return aws_client("ecr", region=self.region)


def _image_id(reference: str) -> dict[str, str]:
    kind = "imageDigest" if reference.startswith("sha256:") else "imageTag"
    return {kind: reference}


def _stored_image(detail: Mapping[str, Any]) -> StoredImage:
    findings = detail.get("imageScanFindingsSummary", {}).get("findingSeverityCounts")
    return StoredImage(
        digest=detail["imageDigest"],
        tags=tuple(sorted(detail.get("imageTags", ()))),
        pushed_at=detail["imagePushedAt"],
        size_bytes=detail.get("imageSizeInBytes") or 0,
        scan_status=detail.get("imageScanStatus", {}).get("status"),
        findings=dict(findings) if findings is not None else None,
    )
