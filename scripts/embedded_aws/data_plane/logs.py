"""What containers and databases write, in CloudWatch Logs within a second.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
"""

import asyncio
import contextlib
import time

from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.data_plane.aws import Clients
from embedded_aws.data_plane.runtimes.runtime import LogLine
from embedded_aws.protocol import Definition

_FLUSH_SECONDS = 0.5
_MOST_WAITING = 10_000
"""Lines of a stream that are kept while the control plane is away; the oldest go first."""
_BATCH = 1_000
_LONGEST_MESSAGE = 262_144 - 26


class LogStreams:
    """Collects lines, and puts them into their streams."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._waiting: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self._made: set[tuple[str, str]] = set()

    def of(self, definition: Definition, *, task_id: str) -> LogLine:
        """Where a container's lines go: nowhere unless its log driver is awslogs."""
        configuration = definition.get("logConfiguration")
        options = (configuration.get("options") if configuration else None) or {}
        group = options.get("awslogs-group")
        if not configuration or configuration.get("logDriver") != "awslogs" or not group:
            return lambda line: None
        prefix = options.get("awslogs-stream-prefix")
        stream = f"{prefix}/{definition['name']}/{task_id}" if prefix else task_id
        return self.stream(group, stream, creates_group="awslogs-create-group" in options)

    def stream(self, group: str, name: str, *, creates_group: bool = False) -> LogLine:
        """Where lines of one stream go."""
        key = (group, name)

        def log(line: str) -> None:
            lines = self._waiting.setdefault(key, [])
            lines.append((int(time.time() * 1000), line[:_LONGEST_MESSAGE]))
            del lines[:-_MOST_WAITING]

        if creates_group:
            with contextlib.suppress(ClientError, BotoCoreError):
                self._clients("logs").create_log_group(logGroupName=group)
        return log

    async def run(self) -> None:
        """Puts lines into streams until it is cancelled."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Puts all lines that wait into their streams."""
        for key in list(self._waiting):
            lines = self._waiting.pop(key)
            try:
                await asyncio.to_thread(self._put, key, lines)
            except (BotoCoreError, ClientError):
                # Not there, or no such group: as with ECS's non-blocking mode, the oldest are lost.
                kept = [*lines, *self._waiting.get(key, ())]
                self._waiting[key] = kept[-_MOST_WAITING:]

    def _put(self, key: tuple[str, str], lines: list[tuple[int, str]]) -> None:
        group, name = key
        logs = self._clients("logs")
        if key not in self._made:
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_stream(logGroupName=group, logStreamName=name)
            self._made.add(key)
        events = [{"timestamp": at, "message": text} for at, text in lines if text.strip()]
        for begin in range(0, len(events), _BATCH):
            logs.put_log_events(
                logGroupName=group, logStreamName=name, logEvents=events[begin : begin + _BATCH]
            )
