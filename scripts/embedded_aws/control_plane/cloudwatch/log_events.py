"""The events that CloudWatch Logs keeps of a log group: on disk, so that they take no memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Self

from moto.logs.models import LogEvent

_MOST_EVENTS = 20_000
"""Of a log group: a query reads them all."""

_CACHE_KIB = 128
"""What SQLite holds of a group in memory before it writes it to a file, which has no name."""

_NAMELESS_FILE = ""
"""https://www.sqlite.org/inmemorydb.html#temp_db."""

_LATEST = 2**63 - 1
"""SQLite's largest number."""

_SCHEMA = f"""
PRAGMA cache_size = -{_CACHE_KIB};
PRAGMA journal_mode = OFF;
CREATE TABLE events (
    id INTEGER PRIMARY KEY, stream INTEGER, timestamp INTEGER, ingestion_time INTEGER, message TEXT
);
CREATE INDEX of_stream ON events (stream, timestamp);
CREATE INDEX by_time ON events (timestamp);
"""


class StoredEvent(LogEvent):  # type: ignore[misc]
    """An event as moto has it, read again."""

    def __init__(self, id: int, timestamp: int, ingestion_time: int, message: str) -> None:
        self.event_id, self.timestamp = id, timestamp
        self.ingestion_time, self.message = ingestion_time, message


class GroupEvents:
    """Those of a log group's streams. The newest 20,000 are kept, and now and then a tenth more."""

    def __init__(self) -> None:
        # Only one request at a time touches what moto keeps, but each has a thread of its own.
        self._database = sqlite3.connect(
            _NAMELESS_FILE, check_same_thread=False, isolation_level=None
        )
        self._database.executescript(_SCHEMA)
        self._streams = count()
        self._kept = 0

    def of_new_stream(self) -> "StreamEvents":
        """Takes the place of the list in which moto keeps a stream's events."""
        return StreamEvents(self, next(self._streams))

    def rows(self, query: str, *values: object) -> Iterator[Any]:
        """What a query of the table finds."""
        return self._database.execute(query, values)

    def add(self, stream: int, events: Iterable[LogEvent]) -> None:
        """Takes over events of a stream, and forgets the oldest where there are too many."""
        rows = [(e.event_id, stream, e.timestamp, e.ingestion_time, e.message) for e in events]
        self._database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        self._kept += len(rows)
        # Now and then, and not with each event.
        if self._kept > 1.1 * _MOST_EVENTS:
            self.forget(
                "timestamp <"
                " (SELECT timestamp FROM events ORDER BY timestamp DESC LIMIT 1 OFFSET ?)",
                _MOST_EVENTS - 1,
            )

    def forget(self, condition: str, *values: object) -> None:
        """Deletes the events for which a condition of SQL holds."""
        self._kept -= self._database.execute(
            f"DELETE FROM events WHERE {condition}",  # noqa: S608 of this file's own words alone
            values,
        ).rowcount


class StreamEvents:
    """Those of a log stream, in the order in which they came."""

    def __init__(self, group: GroupEvents, stream: int) -> None:
        self._group = group
        self._stream = stream

    def __iadd__(self, events: Iterable[LogEvent]) -> Self:
        self._group.add(self._stream, events)
        return self

    def __iter__(self) -> Iterator[StoredEvent]:
        return self._read("ORDER BY id")

    def __len__(self) -> int:
        ((number,),) = self._group.rows(
            "SELECT count(*) FROM events WHERE stream = ?", self._stream
        )
        return int(number)

    def between(self, start: int | None, end: int | None) -> Iterator[StoredEvent]:
        """Those of a time in milliseconds, both ends included, by their time."""
        return self._read(
            "AND timestamp BETWEEN ? AND ? ORDER BY timestamp, id",
            0 if start is None else start,
            _LATEST if end is None else end,
        )

    def first_and_last(self) -> tuple[int | None, int | None]:
        """The earliest and the latest time of an event, in milliseconds."""
        ((first, last),) = self._group.rows(
            "SELECT min(timestamp), max(timestamp) FROM events WHERE stream = ?", self._stream
        )
        return first, last

    def clear(self) -> None:
        """Forgets them all."""
        self._group.forget("stream = ?", self._stream)

    def _read(self, rest: str, *values: object) -> Iterator[StoredEvent]:
        query = f"SELECT id, timestamp, ingestion_time, message FROM events WHERE stream = ? {rest}"  # noqa: S608
        return (StoredEvent(*row) for row in self._group.rows(query, self._stream, *values))
