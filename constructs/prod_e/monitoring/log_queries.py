"""Saved queries of a service's log, for CloudWatch Logs Insights."""

from cdktf_cdktf_provider_aws.cloudwatch_query_definition import CloudwatchQueryDefinition
from constructs import Construct

_QUERIES = {
    "errors": """fields @timestamp, @message
| filter level in ["error", "fatal"] or level >= 50
| sort @timestamp desc
| limit 100""",
    "slow-requests": """fields @timestamp, method, path, status, durationMs
| filter durationMs > 500
| sort durationMs desc
| limit 100""",
    "requests-by-status": """filter ispresent(status)
| stats count(*) as requests, pct(durationMs, 95) as p95 by status, bin(5m)""",
}


def add_log_queries(scope: Construct, id: str, *, name: str, log_group_name: str) -> None:
    """Saves the queries of a log group as `<name>/<title>`.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-saving-queries.html
    """
    for title, query in _QUERIES.items():
        CloudwatchQueryDefinition(
            scope,
            f"{id}-query-{title}",
            name=f"{name}/{title}",
            log_group_names=[log_group_name],
            query_string=query,
        )
