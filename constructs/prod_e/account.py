"""Where an environment lives: AWS account, partition and region."""

from typing import Annotated, Self

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.data_aws_partition import DataAwsPartition
from cdktf_cdktf_provider_aws.data_aws_region import DataAwsRegion
from constructs import Construct

from prod_e.doc import Doc

_ID = "account"


class Account(Construct):
    """The account of the credentials that Terraform runs with, and the names that follow from it.

    None of its data sources needs a permission. A stack has one, which all constructs in it share:
    see `of`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str = _ID,
        *,
        region: Annotated[
            str | None, Doc("such as us-west-2; default: the region of the AWS provider")
        ] = None,
    ) -> None:
        super().__init__(scope, id)
        # Both majors of the provider have `id` for it, and only one of them `name` or `region`.
        self.region = region or DataAwsRegion(self, "region").id
        self.id = DataAwsCallerIdentity(self, "caller").account_id
        partition = DataAwsPartition(self, "partition")
        self.partition = partition.partition
        self.registry = f"{self.id}.dkr.ecr.{region}.{partition.dns_suffix}"
        """The host of the account's ECR registry."""

    @classmethod
    def of(cls, scope: Construct) -> Self:
        """The account of the stack that `scope` is in; made there when it is first asked for."""
        stack = TerraformStack.of(scope)
        for id in (_ID, f"prod-e-{_ID}"):
            found = stack.node.try_find_child(id)
            if found is None:
                return cls(stack, id)
            if isinstance(found, cls):
                return found
        raise ValueError(f"{stack.node.id} has constructs {_ID} and prod-e-{_ID} of its own")

    def arn(
        self,
        service: Annotated[str, Doc("such as ecs")],
        resource: Annotated[str, Doc("such as cluster/company")],
    ) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.id}:{resource}"
