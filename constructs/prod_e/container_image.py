"""A service's image, built and pushed by the docker provider."""

from cdktf_cdktf_provider_docker.image import Image, ImageBuild
from cdktf_cdktf_provider_docker.registry_image import RegistryImage
from constructs import Construct

PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""What docker calls the architectures of ECS."""


def image_tags(*, content_hash: str, commit: str | None, tag: str) -> tuple[str, ...]:
    """The tags of a build: its content hash first, the commit if known, then what is followed."""
    tags = [content_tag(content_hash)]
    if commit:
        tags.append(f"git-{commit[:12]}")
    if tag != "content":
        tags.append(tag)
    return tuple(tags)


def content_tag(content_hash: str) -> str:
    """The tag of the build with this content hash."""
    return f"content-{content_hash}"


class ContainerImage(Construct):
    """A multi-stage build of a folder, pushed under each of its tags.

    It is built anew when its content hash changes, whatever the files' times say. Destroying or
    replacing it leaves every pushed image in the registry, because a deployment may return to it.

    `repository_url`: where it goes, without a tag. `context_path`: the folder with the Dockerfile,
    seen from where Terraform runs. `architecture`: `x86_64` or `arm64`. `content_hash`, `commit`:
    see `BuildContext`. `tags`: from `image_tags`; the first is the content hash's.

    https://registry.terraform.io/providers/kreuzwerker/docker/latest/docs/resources/image
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        repository_url: str,
        context_path: str,
        architecture: str,
        content_hash: str,
        commit: str | None,
        tags: tuple[str, ...],
    ) -> None:
        super().__init__(scope, id)
        names = [f"{repository_url}:{tag}" for tag in tags]
        triggers = {"content_hash": content_hash}
        image = Image(
            self,
            "image",
            name=names[0],
            build_attribute=ImageBuild(
                context=context_path,
                dockerfile="Dockerfile",
                platform=PLATFORMS[architecture],
                build_args={"VERSION": content_hash, "COMMIT": commit or ""},
                tag=names[1:] or None,
            ),
            triggers=triggers,
            keep_locally=True,
        )
        for tag, name in zip(tags, names, strict=True):
            RegistryImage(
                self,
                # Only the kind of tag: a new hash must change the resource, not make another.
                f"push-{'latest' if tag == 'latest' else tag.split('-')[0]}",
                name=name,
                keep_remotely=True,
                triggers=triggers,
                depends_on=[image],
            )
