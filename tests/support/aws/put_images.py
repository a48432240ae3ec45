"""Images in ECR that nobody has built."""

import json

from embedded_aws import EmbeddedAws
from tests.support.aws.aws_clients import client_of
from tests.support.aws.service_on_aws import MANIFEST_TYPE


def put_images(aws: EmbeddedAws, repository: str) -> None:
    """Puts one that `latest` names into a repository, and another one that no tag names."""
    ecr = client_of(aws, "ecr")
    for layers in ([], [{"size": 1, "digest": f"sha256:{'1' * 64}"}]):
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": layers}
        ecr.put_image(
            repositoryName=repository,
            imageManifest=json.dumps(manifest),
            imageManifestMediaType=MANIFEST_TYPE,
            imageTag="latest",
        )
    ecr.close()


def delete_images(aws: EmbeddedAws, repository: str) -> None:
    """Deletes all of a repository's images, as its owner would by hand."""
    ecr = client_of(aws, "ecr")
    images = ecr.list_images(repositoryName=repository)["imageIds"]
    ecr.batch_delete_image(repositoryName=repository, imageIds=images)
    ecr.close()
