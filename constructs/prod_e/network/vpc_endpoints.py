"""VPC endpoints: AWS's own services, reached without the internet."""

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from prod_e.account import Account
from prod_e.network.security_group import SecurityGroup

TASK_SERVICES = ("ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm")
"""What a task needs to start (image, logs) and to read its secrets."""

EXECUTE_COMMAND_SERVICE = "ssmmessages"
"""The Systems Manager channel of `aws ecs execute-command`."""


def s3_gateway_endpoint(
    scope: Construct, *, name: str, vpc_id: str, route_table_ids: Sequence[str]
) -> VpcEndpoint:
    """S3, for the subnets of these route tables; it costs nothing.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
    """
    return VpcEndpoint(
        scope,
        "s3",
        vpc_id=vpc_id,
        service_name=f"com.amazonaws.{Account.of(scope).region}.s3",
        vpc_endpoint_type="Gateway",
        route_table_ids=list(route_table_ids),
        tags={"Name": f"{name}-s3"},
    )


def interface_endpoint(
    scope: Construct,
    service: str,
    *,
    name: str,
    vpc_id: str,
    subnet_ids: Sequence[str],
    security_group: SecurityGroup,
) -> VpcEndpoint:
    """One service, such as `ecr.api`, under its usual host name; billed by hour and zone.

    https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
    """
    return VpcEndpoint(
        scope,
        service.replace(".", "-"),
        vpc_id=vpc_id,
        service_name=f"com.amazonaws.{Account.of(scope).region}.{service}",
        vpc_endpoint_type="Interface",
        private_dns_enabled=True,
        subnet_ids=list(subnet_ids),
        security_group_ids=[security_group.security_group_id],
        tags={"Name": f"{name}-{service}"},
    )
