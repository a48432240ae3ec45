"""Queries of CloudWatch Logs Insights give results."""

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws
from prod_e.monitoring import log_queries
from tests.support.aws.aws_clients import client_of

Ask = Callable[[str], list[dict[str, str]]]

EVENTS: list[str | dict[str, Any]] = [
    {"level": "info", "message": "starting", "version": "1"},
    {"level": 30, "method": "GET", "path": "/", "status": 200, "durationMs": 4},
    {"level": 30, "method": "GET", "path": "/slow", "status": 200, "durationMs": 900.5},
    {"level": 30, "method": "PUT", "path": "/b", "status": 404, "durationMs": 700},
    {"level": "error", "message": "it broke", "error": {"code": "E1", "causes": ["disk"]}},
    {"level": 50, "message": "so did this"},
    "user=anna took 12 ms",
]


@pytest.fixture(scope="module")
def ask(aws: EmbeddedAws) -> Ask:
    """Answers a query of a log group: events a second apart, the last two ten minutes later."""
    logs: Any = client_of(aws, "logs")
    group = f"/ecs/{uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    begin = int(time.time() * 1000) // 300_000 * 300_000 - 900_000
    logs.put_log_events(
        logGroupName=group,
        logStreamName="one",
        logEvents=[
            {
                "timestamp": begin + 1000 * number + (600_000 if number >= 5 else 0),
                "message": event if isinstance(event, str) else json.dumps(event),
            }
            for number, event in enumerate(EVENTS)
        ],
    )

    def answer(query: str) -> list[dict[str, str]]:
        id = logs.start_query(
            logGroupNames=[group],
            startTime=begin // 1000 - 60,
            endTime=begin // 1000 + 3600,
            queryString=query,
        )["queryId"]
        found = logs.get_query_results(queryId=id)
        assert found["status"] == "Complete"
        return [{each["field"]: each["value"] for each in row} for row in found["results"]]

    return answer


def column(rows: list[dict[str, str]], name: str) -> list[str | None]:
    return [row.get(name) for row in rows]


def saved(title: str) -> str:
    """A query that the environment's stack saves."""
    return log_queries._QUERIES[title]


def test_the_saved_query_of_errors_finds_them_the_newest_first(ask: Ask) -> None:
    rows = ask(saved("errors"))
    messages = [json.loads(row["@message"])["message"] for row in rows]
    assert messages == ["so did this", "it broke"]
    assert all(list(row) == ["@timestamp", "@message", "@ptr"] for row in rows)
    assert rows[0]["@timestamp"].endswith("05.000")


def test_the_saved_query_of_slow_requests_has_the_slowest_first(ask: Ask) -> None:
    rows = ask(saved("slow-requests"))
    assert column(rows, "path") == ["/slow", "/b"]
    assert column(rows, "durationMs") == ["900.5", "700"]


def test_the_saved_query_of_statuses_counts_by_period(ask: Ask) -> None:
    rows = {row["status"]: row for row in ask(saved("requests-by-status"))}
    assert set(rows) == {"200", "404"}
    assert (rows["200"]["requests"], rows["200"]["p95"]) == ("2", "900.5")
    assert list(rows["404"]) == ["status", "bin(5m)", "requests", "p95"]
    assert rows["404"]["bin(5m)"].endswith(":00.000")


def test_fields_of_json_are_found_by_their_path(ask: Ask) -> None:
    (row,) = ask("filter error.code = \"E1\" and error.causes.0 = 'disk' | fields level")
    assert row["level"] == "error"


def test_events_are_summed_up(ask: Ask) -> None:
    (row,) = ask(
        "filter ispresent(durationMs) | stats count() as n, avg(durationMs) as mean,"
        " min(durationMs), max(durationMs) as most, sum(durationMs), count_distinct(method)"
    )
    assert row == {
        "n": "3",
        "mean": "534.8333",
        "min(durationMs)": "4",
        "most": "900.5",
        "sum(durationMs)": "1604.5",
        "count_distinct(method)": "2",
    }
    periods = ask("stats count(*) as n by bin(5m) as period | sort period asc")
    assert column(periods, "n") == ["5", "2"]


def test_fields_are_read_out_of_text(ask: Ask) -> None:
    (row,) = ask(
        'parse @message "user=* took * ms" as user, took'
        " | filter took > 10 | display user, @logStream"
    )
    assert (row["user"], row["@logStream"]) == ("anna", "one")


def test_the_newest_come_first_and_no_more_than_asked_for(ask: Ask) -> None:
    first, second = ask("fields @timestamp, @message | limit 2")
    assert first["@message"] == EVENTS[-1]
    assert first["@timestamp"] > second["@timestamp"]
    (oldest,) = ask("sort @timestamp asc | limit 1")
    assert json.loads(oldest["@message"])["message"] == "starting"


def test_a_query_that_cannot_be_read_is_refused(ask: Ask) -> None:
    with pytest.raises(ClientError, match="MalformedQueryException"):
        ask("fields @message | dedup @message")
