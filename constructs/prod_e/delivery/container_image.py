"""A service's image, built and pushed by the docker provider."""

from collections.abc import Sequence

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_docker.image import Image, ImageBuild
from cdktf_cdktf_provider_docker.registry_image import RegistryImage
from cdktf_cdktf_provider_docker.tag import Tag
from constructs import Construct

from prod_e.delivery.image_build import Build


class ContainerImage(Construct):
    """A multi-stage build of a folder, pushed under each of its tags, the followed one last.

    It is built anew when its content hash changes, whatever the files' times say, and not for
    another commit of the same content: that becomes one more tag of the image that is there.
    Destroying or replacing it leaves every pushed image in the registry, because a deployment may
    return to it.

    BuildKit writes what it does to `<id>.log` in the folder where Terraform runs.

    `repository_url`: where it goes, without a tag. `context_path`: the folder with the Dockerfile,
    seen from where Terraform runs. `build`: what is built, and its tags. `network`: the network of
    its steps: `default`, `host`, `none`, or an expression for one of them. `rebuild`: an expression
    for whether it takes nothing from the cache. `same_as`: an image of the same build, which is
    then not made again, but gets this repository's names too.

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
        network: str,
        rebuild: str,
        same_as: "ContainerImage | None" = None,
    ) -> None:
        super().__init__(scope, id)
        names = {tag: f"{repository_url}:{tag}" for tag in build.tags}
        content_tag = build.tags[0]
        self._image: Image = (
            same_as._image  # noqa: SLF001 - it is of the same class
            if same_as
            else Image(
                self,
                "image",
                name=names[content_tag],
                build_attribute=ImageBuild(
                    # With a builder's name the provider uses BuildKit and writes its log.
                    builder="default",
                    context=context_path,
                    # BuildKit looks for it from where Terraform runs, not in the context.
                    dockerfile=f"{context_path}/Dockerfile",
                    platform=build.platform,
                    build_args=build.build_args,
                    network_mode=network,
                    build_log_file=f"${{path.module}}/{id}.log",
                ),
                triggers={"content_hash": build.content_hash},
                keep_locally=True,
                # Another commit or network makes no other content. What replaces the image, its
                # name or the trigger, takes all of it as it is then.
                lifecycle=TerraformResourceLifecycle(ignore_changes=["build"]),
            )
        )
        if not same_as:
            for option in ("no_cache", "pull_parent"):
                self._image.add_override(f"build.{option}", rebuild)
        pushes: list[ITerraformDependable] = []
        for tag, name in names.items():
            is_the_build = tag == content_tag and not same_as
            local = self._image if is_the_build else self._name_locally(tag, name)
            pushes.append(self._push(tag, name, build, after=[local, *pushes]))

    def _name_locally(self, tag: str, name: str) -> Tag:
        return Tag(self, f"tag-{_kind(tag)}", source_image=self._image.image_id, target_image=name)

    def _push(
        self, tag: str, name: str, build: Build, *, after: Sequence[ITerraformDependable]
    ) -> RegistryImage:
        return RegistryImage(
            self,
            f"push-{_kind(tag)}",
            name=name,
            keep_remotely=True,
            triggers={"content_hash": build.content_hash, "image_id": self._image.image_id},
            depends_on=after,
        )


def _kind(tag: str) -> str:
    """Only the kind of tag: a new hash must change the resource, not make another."""
    return tag.split("-")[0]
