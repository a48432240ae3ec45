"""What the stacks of an environment have in common: provider, state, outputs."""

from cdktf import (
    LocalBackend,
    S3Backend,
    TerraformOutput,
    TerraformStack,
)
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags

from prod_e.names import ENVIRONMENT_TAG
from prod_e.settings import Environment, State

FROM_STACK_TO_PROJECT = "../../.."
"""The way from `cdktf.out/stacks/<stack>`, where Terraform runs, to the project's root."""


def use_aws(stack: TerraformStack, environment: Environment) -> None:
    """Gives a stack the AWS provider, the tested versions, and the place of its state."""
    AwsProvider(
        stack,
        "aws",
        region=environment.region,
        allowed_account_ids=[environment.account] if environment.account else None,
        default_tags=[
            AwsProviderDefaultTags(tags={**environment.tags, ENVIRONMENT_TAG: environment.name})
        ],
    )
    # Whatever the bindings were made from, the synthesised JSON keeps to what versions 5.100 and 6
    # both have.
    stack.add_override("terraform.required_providers.aws.version", environment.providers.aws)
    stack.add_override("terraform.required_version", ">= 1.10")
    _keep_state(stack, environment.state, environment.region, stack.node.id)


def _keep_state(stack: TerraformStack, state: State, region: str, name: str) -> None:
    if state.kind == "local":
        LocalBackend(stack, path=f"{FROM_STACK_TO_PROJECT}/terraform.{name}.tfstate")
        return
    S3Backend(
        stack,
        bucket=state.bucket or "",
        key=f"prod-e/{name}.tfstate",
        region=state.region or region,
        encrypt=True,
    )
    stack.add_override("terraform.backend.s3.use_lockfile", True)


def output(stack: TerraformStack, name: str, value: str, description: str) -> None:
    """Adds an output to a stack, under that very name."""
    TerraformOutput(stack, name, value=value, description=description, static_id=True)
