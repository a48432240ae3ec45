"""EventBridge's rules."""

from prod_e_ops.aws.clients import aws_client, aws_errors
from prod_e_ops.aws.threads import in_thread


async def rule_is_enabled(name: str, *, region: str) -> bool:
    """Whether there is a rule of that name on the default bus, and it is enabled.

    Raises as `aws_errors` says.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html
    """
    with aws_errors(f"Cannot read the EventBridge rule {name}"):
        events = await in_thread(lambda: aws_client("events", region=region))
        try:
            rule = await in_thread(lambda: events.describe_rule(Name=name))
        except events.exceptions.ResourceNotFoundException:
            return False
    return str(rule.get("State")) == "ENABLED"
