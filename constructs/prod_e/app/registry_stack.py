"""The stack of the ECR repositories."""

from cdktf import (
    TerraformStack,
)
from constructs import Construct

from prod_e.account import Account
from prod_e.app.stack import output, use_aws
from prod_e.delivery.delivery_role import DeliveryRole
from prod_e.delivery.image_repository import ImageRepository
from prod_e.delivery.image_tag import FOLLOWED_TAG
from prod_e.names import ServiceNames
from prod_e.settings import Environment


class RegistryStack(TerraformStack):
    """Where the environment's images live: ECR repositories, and who else may push to them."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(scope, environment.names.registry_stack)
        use_aws(self, environment)
        arns = []
        for key, service in environment.services.items():
            repository = ImageRepository(
                self,
                f"{key}-repository",
                name=ServiceNames.of(environment.name, key, service).repository,
                immutable_tags=service.immutable_tags,
                moving_tags=(FOLLOWED_TAG,)
                if service.immutable_tags and environment.providers.leaves_tags_out
                else (),
            )
            arns.append(repository.arn)
            output(self, f"{key}_repository_url", repository.repository_url, "ECR repository")
        if environment.delivery:
            Account(self, region=environment.region)
            role = DeliveryRole(
                self,
                "delivery",
                name=environment.names.delivery_role,
                github_repository=environment.delivery.github_repository,
                branch=environment.delivery.branch,
                create_oidc_provider=environment.delivery.create_oidc_provider,
                repository_arns=arns,
            )
            output(self, "delivery_role_arn", role.arn, "What GitHub Actions assumes")
