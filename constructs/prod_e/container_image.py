"""A service's image, built and pushed by the docker provider."""

from cdktf_cdktf_provider_docker.image import Image, ImageBuild
from cdktf_cdktf_provider_docker.registry_image import RegistryImage
from constructs import Construct

from prod_e.image_build import Build


class ContainerImage(Construct):
    """A multi-stage build of a folder, pushed under each of its tags.

    It is built anew when its content hash changes, whatever the files' times say. Destroying or
    replacing it leaves every pushed image in the registry, because a deployment may return to it.

    `repository_url`: where it goes, without a tag. `context_path`: the folder with the Dockerfile,
    seen from where Terraform runs. `build`: what is built, and its tags.

    https://registry.terraform.io/providers/kreuzwerker/docker/latest/docs/resources/image
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        repository_url: str,
        context_path: str,
        build: Build,
    ) -> None:
        super().__init__(scope, id)
        names = [f"{repository_url}:{tag}" for tag in build.tags]
        triggers = {"content_hash": build.content_hash}
        image = Image(
            self,
            "image",
            name=names[0],
            build_attribute=ImageBuild(
                context=context_path,
                dockerfile="Dockerfile",
                platform=build.platform,
                build_args=build.build_args,
                tag=names[1:] or None,
            ),
            triggers=triggers,
            keep_locally=True,
        )
        for tag, name in zip(build.tags, names, strict=True):
            RegistryImage(
                self,
                # Only the kind of tag: a new hash must change the resource, not make another.
                f"push-{'latest' if tag == 'latest' else tag.split('-')[0]}",
                name=name,
                keep_remotely=True,
                triggers=triggers,
                depends_on=[image],
            )
