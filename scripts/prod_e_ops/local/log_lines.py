"""What the containers of an environment write, line by line as CloudWatch Logs gets it."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prod_e.names import ServiceNames
from prod_e.printable import printable
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.checks import Clients

if TYPE_CHECKING:
    from prod_e.settings import Environment

_POLL_SECONDS = 1.0
_SHOWN_OF_TASK = 8


@dataclass(kw_only=True)
class LogLines:
    """The lines of all services that are written from now on. `clients`: reach their AWS."""

    environment: "Environment"
    clients: Clients
    _since: int = field(default_factory=lambda: int(time.time() * 1000))
    _seen: set[str] = field(default_factory=set)

    async def follow(self, say: Callable[[str], object]) -> None:
        """Says each line, with its service and its task, until it is cancelled."""
        while True:
            for line in await in_thread(self.new):
                say(line)
            await asyncio.sleep(_POLL_SECONDS)

    def new(self) -> Sequence[str]:
        """The lines that were written since the last time, in their order."""
        found = sorted(self._events(), key=lambda each: int(each[1]["timestamp"]))
        lines = [
            f"{key} {_task(event)} | {printable(event['message'].rstrip().expandtabs(4))}"
            for key, event in found
        ]
        if found:
            newest = int(found[-1][1]["timestamp"])
            if newest > self._since:
                self._since = newest
                self._seen.clear()
            # Others may come with the same time.
            self._seen |= {e["eventId"] for _, e in found if e["timestamp"] == self._since}
        return lines

    def _events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        logs = self.clients("logs")
        for key, service in self.environment.services.items():
            names = ServiceNames.of(self.environment.name, key, service)
            try:
                pages = logs.get_paginator("filter_log_events").paginate(
                    logGroupName=names.log_group, startTime=self._since
                )
                events = [event for page in pages for event in page["events"]]
            except logs.exceptions.ResourceNotFoundException:
                continue
            yield from ((key, event) for event in events if event["eventId"] not in self._seen)


def _task(event: dict[str, Any]) -> str:
    # PREFIX/CONTAINER/TASK
    return str(event["logStreamName"]).rpartition("/")[2][:_SHOWN_OF_TASK]
