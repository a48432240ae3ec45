"""Where an environment lives: AWS account, partition and region."""

from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.data_aws_partition import DataAwsPartition
from constructs import Construct


class Account(Construct):
    """The account of the credentials that Terraform runs with, and the names that follow from it.

    `region`: for example `us-west-2`. Neither data source needs a permission.
    """

    def __init__(self, scope: Construct, id: str, *, region: str) -> None:
        super().__init__(scope, id)
        self.region = region
        self.id = DataAwsCallerIdentity(self, "caller").account_id
        partition = DataAwsPartition(self, "partition")
        self.partition = partition.partition
        self.registry = f"{self.id}.dkr.ecr.{region}.{partition.dns_suffix}"
        """The host of the account's ECR registry."""

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.id}:{resource}"
