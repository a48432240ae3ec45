"""The stack of the images that Terraform builds."""

from collections.abc import Mapping

from cdktf import (
    TerraformLocal,
    TerraformStack,
    TerraformVariable,
)
from cdktf_cdktf_provider_aws.data_aws_ecr_authorization_token import DataAwsEcrAuthorizationToken
from cdktf_cdktf_provider_docker.provider import DockerProvider, DockerProviderRegistryAuth
from constructs import Construct

from prod_e.account import Account
from prod_e.app.stack import FROM_STACK_TO_PROJECT, use_aws
from prod_e.delivery.build_context import BuildContext
from prod_e.delivery.container_image import ContainerImage
from prod_e.delivery.image_build import BUILD_NETWORK_VARIABLE, REBUILD_VARIABLE, Build
from prod_e.names import ServiceNames
from prod_e.settings import Environment


class ImageStack(TerraformStack):
    """The images that Terraform builds and pushes: those of services with `build = "terraform"`.

    A service that is pinned to a build that exists is left out: it was built and pushed before.
    Services of one source are built once.

    Its state holds the registry's password (a token that lasts twelve hours), as the provider's
    data source gives it: keep it private.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        contexts: Mapping[str, BuildContext],
    ) -> None:
        super().__init__(scope, environment.names.image_stack)
        use_aws(self, environment)
        self.add_override(
            "terraform.required_providers.docker.version", environment.providers.docker
        )
        account = Account(self, "account", region=environment.region)
        # By this name an override file can lead all of it to another registry.
        registry = TerraformLocal(self, "registry", account.registry).as_string
        token = DataAwsEcrAuthorizationToken(self, "token")
        DockerProvider(
            self,
            "docker",
            registry_auth=[
                DockerProviderRegistryAuth(
                    address=registry, username=token.user_name, password=token.password
                )
            ],
        )
        network = TerraformVariable(
            self,
            BUILD_NETWORK_VARIABLE,
            type="string",
            default="",
            description="The network of a build's steps where the settings name none.",
        ).string_value
        rebuild = TerraformVariable(
            self,
            REBUILD_VARIABLE,
            type="bool",
            default=False,
            description="Whether a build takes nothing from the cache, and the newest base image.",
        ).fqn
        built: dict[object, ContainerImage] = {}
        for key, service in environment.services.items():
            if not service.is_built:
                continue
            context = contexts[key]
            build = Build.of(
                context,
                architecture=service.architecture,
                image_tag=service.image_tag,
                immutable_tags=service.immutable_tags,
            )
            # What these agree on is one image.
            source = (context.folder, build.content_hash, build.platform, service.build_network)
            repository = ServiceNames.of(environment.name, key, service).repository
            image = ContainerImage(
                self,
                f"{key}-image",
                repository_url=f"{registry}/{repository}",
                context_path=(
                    f"${{path.module}}/{FROM_STACK_TO_PROJECT}/{context.folder.as_posix()}"
                ),
                build=build,
                network=service.build_network or network,
                rebuild=rebuild,
                same_as=built.get(source),
            )
            built.setdefault(source, image)
