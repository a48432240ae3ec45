"""What RDS writes a database's enhanced monitoring with: the figures of its operating system."""

from constructs import Construct

from prod_e.account import Account
from prod_e.iam import ServiceRole, Statement


def monitoring_role(scope: Construct, *, name: str) -> ServiceRole:
    """The role that RDS assumes: it may write to its log groups, which begin with `RDS`.

    Its permissions are those of AWS's policy AmazonRDSEnhancedMonitoringRole, in this account and
    region. `name`: at most 64 characters.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html
    """
    account = Account.of(scope)
    log_groups = account.arn("logs", "log-group:RDS*")
    return ServiceRole(
        scope,
        "monitoring-role",
        name=name,
        service="monitoring.rds.amazonaws.com",
        account_id=account.id,
        statements=(
            Statement(
                actions=("logs:CreateLogGroup", "logs:PutRetentionPolicy"), resources=(log_groups,)
            ),
            Statement(
                actions=(
                    "logs:CreateLogStream",
                    "logs:DescribeLogStreams",
                    "logs:GetLogEvents",
                    "logs:PutLogEvents",
                ),
                resources=(f"{log_groups}:log-stream:*",),
            ),
        ),
    )
