"""Events of CloudWatch Logs are found by stream, time and pattern."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws
from tests.support.aws.aws_clients import client_of

NOW = int(time.time() * 1_000)


class Group:
    """A log group with two streams, whose events follow one another by a second."""

    def __init__(self, logs: Any) -> None:
        self.logs, self.name = logs, f"/ecs/{uuid4().hex[:8]}"
        logs.create_log_group(logGroupName=self.name)
        for stream, messages in (
            ("one", ["starting", json.dumps({"level": "warn", "status": 503})]),
            ("two", ["starting", json.dumps({"level": "info", "status": 200})]),
        ):
            logs.create_log_stream(logGroupName=self.name, logStreamName=stream)
            logs.put_log_events(
                logGroupName=self.name,
                logStreamName=stream,
                logEvents=[
                    {"timestamp": NOW + 1_000 * number, "message": message}
                    for number, message in enumerate(messages)
                ],
            )

    def found(self, **arguments: Any) -> list[tuple[str, str]]:
        answer = self.logs.filter_log_events(logGroupName=self.name, **arguments)
        return [(event["logStreamName"], event["message"]) for event in answer["events"]]

    def streams(self) -> dict[str, dict[str, Any]]:
        answer = self.logs.describe_log_streams(logGroupName=self.name)
        return {stream["logStreamName"]: stream for stream in answer["logStreams"]}


@pytest.fixture
def group(aws: EmbeddedAws) -> Group:
    return Group(client_of(aws, "logs"))


def test_a_stream_has_its_own_events_in_order(group: Group) -> None:
    answer = group.logs.get_log_events(
        logGroupName=group.name, logStreamName="one", startFromHead=True
    )
    assert [event["message"][:8] for event in answer["events"]] == ["starting", '{"level"']
    assert [event["timestamp"] for event in answer["events"]] == [NOW, NOW + 1_000]


def test_a_time_has_both_of_its_ends(group: Group) -> None:
    first = [("one", "starting"), ("two", "starting")]
    assert group.found(startTime=NOW, endTime=NOW) == first
    assert group.found(endTime=NOW + 999) == first
    assert len(group.found(startTime=NOW + 1_000)) == 2
    assert len(group.found(startTime=NOW, endTime=NOW + 1_000)) == 4
    assert group.found(startTime=NOW + 1_001) == []


def test_events_come_by_their_time_and_not_as_they_were_put(group: Group) -> None:
    group.logs.put_log_events(
        logGroupName=group.name,
        logStreamName="one",
        logEvents=[{"timestamp": NOW - 1_000, "message": "earlier"}],
    )
    assert [message[:8] for _, message in group.found(logStreamNames=["one"])] == [
        "earlier",
        "starting",
        '{"level"',
    ]


def test_events_are_found_by_a_pattern_of_json(group: Group) -> None:
    assert [stream for stream, _ in group.found(filterPattern="{ $.status >= 500 }")] == ["one"]
    assert [stream for stream, _ in group.found(filterPattern="starting")] == ["one", "two"]


def test_a_pattern_that_is_not_understood_is_refused(group: Group) -> None:
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        group.found(filterPattern="{ $.status }")


def test_a_stream_says_when_its_first_and_last_event_were(group: Group) -> None:
    group.logs.create_log_stream(logGroupName=group.name, logStreamName="empty")
    of_one = group.streams()["one"]
    assert (of_one["firstEventTimestamp"], of_one["lastEventTimestamp"]) == (NOW, NOW + 1_000)
    assert "firstEventTimestamp" not in group.streams()["empty"]


def test_a_stream_that_was_deleted_and_made_anew_has_no_events(group: Group) -> None:
    stream = {"logGroupName": group.name, "logStreamName": "one"}
    group.logs.delete_log_stream(**stream)
    assert {name for name, _ in group.found()} == {"two"}
    group.logs.create_log_stream(**stream)
    assert {name for name, _ in group.found()} == {"two"}
