"""The VPC's flow log: who talked to whom."""

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.flow_log import FlowLog
from constructs import Construct

from prod_e.account import Account
from prod_e.iam import ServiceRole, Statement


def add_flow_log(scope: Construct, *, name: str, vpc_id: str, retention_days: int) -> FlowLog:
    """Records all traffic of a VPC in the log group `/vpc/<name>-flow-log`.

    `retention_days`: as CloudWatch offers.

    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html
    """
    log_group = CloudwatchLogGroup(
        scope,
        "flow-log-group",
        name=f"/vpc/{name}-flow-log",
        retention_in_days=retention_days,
    )
    role = ServiceRole(
        scope,
        "flow-log-role",
        name=f"{name}-flow-log",
        service="vpc-flow-logs.amazonaws.com",
        account_id=Account.of(scope).id,
        statements=(
            Statement(
                actions=(
                    "logs:CreateLogStream",
                    "logs:DescribeLogStreams",
                    "logs:PutLogEvents",
                ),
                resources=(log_group.arn, f"{log_group.arn}:*"),
            ),
        ),
    )
    return FlowLog(
        scope,
        "flow-log",
        vpc_id=vpc_id,
        traffic_type="ALL",
        log_destination=log_group.arn,
        iam_role_arn=role.arn,
        tags={"Name": name},
    )
