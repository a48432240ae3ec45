"""What the control plane keeps has bounds, as AWS's services have theirs."""

import json
import time
from datetime import UTC, datetime, timedelta
from urllib.request import ProxyHandler, build_opener
from uuid import uuid4

import psutil

from embedded_aws import EmbeddedAws
from tests.embedded.control_plane.clients import Clients


def test_moto_has_no_list_of_all_that_it_ever_made(aws: EmbeddedAws, clients: Clients) -> None:
    clients("sns").create_topic(Name="topic")
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"{aws.endpoint_url}/moto-api/data.json", timeout=60) as answer:
        shown = json.loads(answer.read())
    assert shown["sns"]["Topic"] == []


def test_its_threads_share_one_heap(aws: EmbeddedAws) -> None:
    # Each has one of its own otherwise, and keeps there what it needed most of: 17 of 237 MiB.
    assert psutil.Process(aws.control_plane_pid).environ()["MALLOC_ARENA_MAX"] == "1"


def test_a_log_group_keeps_its_newest_events(clients: Clients) -> None:
    logs, group = clients("logs"), f"group-{uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    now = int(time.time() * 1_000)
    for stream in ("first", "second", "third"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        logs.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": now + n, "message": stream} for n in range(8_000)],
        )
        now += 8_000

    def kept(stream: str) -> int:
        found = logs.get_log_events(
            logGroupName=group, logStreamName=stream, limit=10_000, startFromHead=True
        )
        return len(found["events"])

    assert [kept(stream) for stream in ("first", "second", "third")] == [4_000, 8_000, 8_000]


def test_log_events_take_no_memory(aws: EmbeddedAws, clients: Clients) -> None:
    logs, name = clients("logs"), f"group-{uuid4().hex[:8]}"
    stream = {"logGroupName": name, "logStreamName": "stream"}
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(**stream)
    now = int(time.time() * 1_000)

    def taken_mib_after(*, first: int, last: int) -> float:
        for begin in range(first, last, 20):
            numbers = range(begin, begin + 20)
            events = [{"timestamp": now + n, "message": f"{n}".ljust(2_000)} for n in numbers]
            logs.put_log_events(**stream, logEvents=events)
        return float(psutil.Process(aws.control_plane_pid).memory_info().rss / 2**20)

    # SQLite's cache has the first ones, and requests take memory once.
    before = taken_mib_after(first=0, last=2_000)
    # Of 15 MiB.
    assert taken_mib_after(first=2_000, last=10_000) - before < 3


def test_a_secret_has_a_hundred_versions_without_a_label(clients: Clients) -> None:
    secrets = clients("secretsmanager")
    arn = secrets.create_secret(Name=uuid4().hex, SecretString="0")["ARN"]
    current = secrets.get_secret_value(SecretId=arn)["VersionId"]
    for number in range(1, 106):
        pending = secrets.put_secret_value(
            SecretId=arn, SecretString=str(number), VersionStages=["AWSPENDING"]
        )["VersionId"]
        secrets.update_secret_version_stage(
            SecretId=arn,
            VersionStage="AWSCURRENT",
            MoveToVersionId=pending,
            RemoveFromVersionId=current,
        )
        current = pending
    versions = secrets.list_secret_version_ids(
        SecretId=arn, IncludeDeprecated=True, MaxResults=100
    )["Versions"]
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "105"
    assert sum(not version.get("VersionStages") for version in versions) <= 100


def test_a_percentile_is_read_from_values_that_came_together(clients: Clients) -> None:
    cloudwatch, name = clients("cloudwatch"), f"n{uuid4().hex[:8]}"
    now = datetime.now(UTC)
    cloudwatch.put_metric_data(
        Namespace=name,
        MetricData=[
            {"MetricName": "time", "Timestamp": now, "Values": [1.0, 2.0, 9.0], "Counts": [5, 4, 1]}
        ],
    )
    stats = {"average": "Average", "middle": "p50", "most": "p90", "all": "p100"}
    answers = cloudwatch.get_metric_data(
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        MetricDataQueries=[
            {
                "Id": id,
                "MetricStat": {
                    "Metric": {"Namespace": name, "MetricName": "time"},
                    "Period": 3_600,
                    "Stat": stat,
                },
            }
            for id, stat in stats.items()
        ],
    )["MetricDataResults"]
    assert {answer["Id"]: answer["Values"] for answer in answers} == {
        "average": [2.2],
        "middle": [1.0],
        "most": [2.0],
        "all": [9.0],
    }
