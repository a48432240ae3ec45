"""The commands of queries, one after the other.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from embedded_aws.control_plane.insights.expressions import (
    Expression,
    Row,
    aggregate,
    expression,
    number,
    shown,
)
from embedded_aws.control_plane.insights.scanner import QueryError, Scanner

_MOST_ROWS = 10_000
_TIMES = ("@timestamp", "@ingestionTime")


@dataclass(kw_only=True)
class _Results:
    """What there is after a command. `shown`: the fields of the answer; None: the default's."""

    rows: list[dict[str, Any]]
    shown: list[str] | None = None
    times: set[str] = field(default_factory=lambda: set(_TIMES))


def execute(query: str, events: Iterable[Row]) -> list[dict[str, str]]:
    """The rows of the answer: the fields of each by name, as text. Raises `QueryError`.

    `events`: the fields of each log event, among them `@timestamp` in milliseconds.
    """
    results = _Results(rows=sorted((dict(e) for e in events), key=_timestamp, reverse=True))
    scanner = Scanner(query)
    while True:
        command = scanner.take().lower()
        if command not in _COMMANDS:
            raise QueryError(f"Malformed query: the command {command!r} is not known here")
        _COMMANDS[command](scanner, results)
        if scanner.kind == "end":
            break
        scanner.expect("|")
    # What is summed up is no event, and has no pointer to one.
    columns = [*dict.fromkeys([*(results.shown or ("@timestamp", "@message")), "@ptr"])]
    return [
        {
            name: _time(row[name]) if name in results.times else shown(row[name])
            for name in columns
            if row.get(name) is not None
        }
        for row in results.rows[:_MOST_ROWS]
    ]


def _timestamp(row: Row) -> int:
    timestamp: int = row["@timestamp"]
    return timestamp


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03}"


def _named(scanner: Scanner, results: _Results) -> tuple[str, Expression]:
    """An expression and what it is called: what is written there, or the name after `as`."""
    begin = scanner.position
    value = expression(scanner)
    name = scanner.since(begin)
    if name.lower().startswith(("bin(", "datefloor(")):
        results.times.add(name)
    if scanner.take_if("as"):
        alias = scanner.take()
        if name in results.times:
            results.times.add(alias)
        name = alias
    return name.strip("`"), value


def _list(scanner: Scanner, results: _Results) -> list[tuple[str, Expression]]:
    found = [_named(scanner, results)]
    while scanner.take_if(","):
        found.append(_named(scanner, results))
    return found


def _fields(scanner: Scanner, results: _Results) -> None:
    given = _list(scanner, results)
    for row in results.rows:
        row.update({name: value(row) for name, value in given if name not in row})
    results.shown = [*dict.fromkeys([*(results.shown or ()), *(name for name, _ in given)])]


def _display(scanner: Scanner, results: _Results) -> None:
    results.shown = None
    _fields(scanner, results)


def _filter(scanner: Scanner, results: _Results) -> None:
    condition = expression(scanner)
    results.rows = [row for row in results.rows if condition(row)]


def _stats(scanner: Scanner, results: _Results) -> None:
    columns: dict[str, Callable[[Sequence[Row]], Any]] = {}
    while True:
        begin = scanner.position
        value = aggregate(scanner)
        name = scanner.since(begin)
        columns[scanner.take() if scanner.take_if("as") else name] = value
        if not scanner.take_if(","):
            break
    by = _list(scanner, results) if scanner.take_if("by") else []
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in results.rows:
        groups.setdefault(tuple(value(row) for _, value in by), []).append(row)
    if not by and not groups:
        groups[()] = []
    results.rows = [
        {
            **dict(zip((name for name, _ in by), key, strict=True)),
            **{name: value(rows) for name, value in columns.items()},
        }
        for key, rows in groups.items()
    ]
    results.shown = [*(name for name, _ in by), *columns]


def _sort(scanner: Scanner, results: _Results) -> None:
    keys: list[tuple[Expression, bool]] = []
    while True:
        value = expression(scanner)
        keys.append((value, scanner.take_if("asc", "desc") != "asc"))
        if not scanner.take_if(","):
            break
    # The last key first: sorting keeps the order of what is equal.
    for value, is_descending in reversed(keys):
        known = [row for row in results.rows if value(row) is not None]
        unknown = [row for row in results.rows if value(row) is None]
        known.sort(key=_sorted_by(value), reverse=is_descending)
        results.rows = [*known, *unknown]


def _sorted_by(value: Expression) -> Callable[[Row], tuple[bool, float, str]]:
    def key(row: Row) -> tuple[bool, float, str]:
        found = value(row)
        as_number = number(found)
        return as_number is None, as_number or 0, shown(found)

    return key


def _limit(scanner: Scanner, results: _Results) -> None:
    if scanner.kind != "number":
        raise scanner.error("expected a number")
    results.rows = results.rows[: int(scanner.take())]


def _parse(scanner: Scanner, results: _Results) -> None:
    source = scanner.take() if scanner.kind in ("word", "quoted") else "@message"
    names: list[str] = []
    if (pattern := scanner.pattern()) is None:
        if scanner.kind != "string":
            raise scanner.error("expected a pattern")
        pattern = re.compile(re.escape(scanner.take()).replace(r"\*", "(.*?)") + "$", re.DOTALL)
        scanner.expect("as")
        names.append(scanner.take())
        while scanner.take_if(","):
            names.append(scanner.take())
    for row in results.rows:
        text = row.get(source)
        if text is None or (found := pattern.search(shown(text))) is None:
            continue
        row.update(zip(names, found.groups(), strict=False) if names else found.groupdict())


_COMMANDS: Mapping[str, Callable[[Scanner, _Results], None]] = {
    "fields": _fields,
    "display": _display,
    "filter": _filter,
    "stats": _stats,
    "sort": _sort,
    "limit": _limit,
    "parse": _parse,
}
