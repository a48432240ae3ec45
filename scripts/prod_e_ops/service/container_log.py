"""What the containers of a service wrote, as CloudWatch Logs has it.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
"""

from functools import cached_property
from typing import TYPE_CHECKING

from prod_e.printable import printable
from prod_e_ops.aws.clients import aws_client, aws_errors
from prod_e_ops.aws.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_logs import CloudWatchLogsClient

    from prod_e.names import ServiceNames


class ContainerLog:
    """The log of one service.

    `names`: of the service. `region`: of its environment. `client`: of CloudWatch Logs, where it is
    not the one that the user's configuration leads to.
    """

    def __init__(
        self, names: "ServiceNames", *, region: str, client: "CloudWatchLogsClient | None" = None
    ) -> None:
        self._names = names
        self._region = region
        self._given_client = client

    async def last_lines(self, *, task_id: str, container: str, count: int) -> "Sequence[str]":
        """The last lines that a container of a task wrote, the oldest first; none if it did not.

        Raises `UserMistake` for credentials that may not read them, and `OpsError` for an AWS that
        fails.
        """
        logs = self._given_client or self._client
        with aws_errors(f"Cannot read the log of the task {task_id}"):
            try:
                answer = await in_thread(
                    lambda: logs.get_log_events(
                        logGroupName=self._names.log_group,
                        logStreamName=self._names.log_stream(task_id, container),
                        limit=count,
                        startFromHead=False,
                    )
                )
            except logs.exceptions.ResourceNotFoundException:
                return []
        # A terminal would obey what a container writes.
        return [
            printable(event.get("message", "").rstrip().expandtabs(4)) for event in answer["events"]
        ]

    @cached_property
    def _client(self) -> "CloudWatchLogsClient":
        with aws_errors("Cannot call CloudWatch Logs"):
            return aws_client("logs", region=self._region)
