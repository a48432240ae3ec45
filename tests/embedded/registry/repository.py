"""A repository of ECR's registry, asked as Docker asks it, without Docker."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import requests

from embedded_aws import EmbeddedAws

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


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error["message"]
