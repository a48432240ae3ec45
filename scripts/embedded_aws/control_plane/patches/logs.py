"""CloudWatch Logs."""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.exceptions import ServiceException
from moto.logs import models
from moto.logs.metric_filters import MetricFilters
from moto.logs.responses import LogsResponse

from embedded_aws.control_plane import insights
from embedded_aws.control_plane.cloudwatch.filter_patterns import (
    Matches,
    PatternError,
    compile_pattern,
)
from embedded_aws.control_plane.cloudwatch.log_events import GroupEvents


def apply() -> None:
    _logs_keeps_query_definitions()
    _logs_answers_queries()
    _log_groups_have_a_class()
    _metric_filters_count()
    _events_are_on_disk()
    _events_are_filtered_by_patterns()


def _logs_answers_queries() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
    def answer(
        log_groups: list[Any], query: str, start_time: int, end_time: int
    ) -> list[dict[str, str]]:
        events = (
            _fields_of(event, group=group, stream=stream)
            for group in log_groups
            for stream in group.streams.values()
            for event in stream.events
            if start_time * 1000 <= event.timestamp <= end_time * 1000
        )
        try:
            return insights.execute(query, events)
        except insights.QueryError as error:
            raise _MalformedQueryError(str(error)) from None

    models.execute_query = answer


class _MalformedQueryError(ServiceException):  # type: ignore[misc]
    code = "MalformedQueryException"


def _fields_of(event: Any, *, group: Any, stream: Any) -> dict[str, Any]:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
    try:
        message = json.loads(event.message)
    except ValueError:
        message = None
    return {
        **(dict(_flat(message)) if isinstance(message, dict) else {}),
        "@timestamp": event.timestamp,
        "@ingestionTime": event.ingestion_time,
        "@message": event.message,
        "@logStream": stream.log_stream_name,
        "@log": f"{group.account_id}:{group.name}",
        "@ptr": event.event_id,
    }


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a JSON value: `a.b` of objects and `a.0` of lists."""
    parts = enumerate(value) if isinstance(value, list) else value.items()
    for name, part in parts:
        if isinstance(part, dict | list):
            yield from _flat(part, f"{path}{name}.")
        else:
            yield f"{path}{name}", part


def _logs_keeps_query_definitions() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html
    def definitions_of(self: Any) -> dict[str, dict[str, Any]]:
        kept: dict[str, dict[str, Any]] = vars(self.logs_backend).setdefault("definitions", {})
        return kept

    def put_query_definition(self: Any) -> str:
        id = self._get_param("queryDefinitionId") or str(uuid.uuid4())
        definitions_of(self)[id] = {
            "queryDefinitionId": id,
            "queryLanguage": "CWLI",
            "name": self._get_param("name"),
            "queryString": self._get_param("queryString"),
            "logGroupNames": self._get_param("logGroupNames") or [],
            "lastModified": int(time.time() * 1000),
        }
        return json.dumps({"queryDefinitionId": id})

    def describe_query_definitions(self: Any) -> str:
        prefix = self._get_param("queryDefinitionNamePrefix") or ""
        known = definitions_of(self).values()
        return json.dumps({"queryDefinitions": [d for d in known if d["name"].startswith(prefix)]})

    def delete_query_definition(self: Any) -> str:
        found = definitions_of(self).pop(self._get_param("queryDefinitionId"), None)
        return json.dumps({"success": found is not None})

    LogsResponse.put_query_definition = put_query_definition
    LogsResponse.describe_query_definitions = describe_query_definitions
    LogsResponse.delete_query_definition = delete_query_definition


def _log_groups_have_a_class() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html
    describe = models.LogGroup.to_describe_dict

    def to_describe_dict(self: Any) -> dict[str, Any]:
        return {**describe(self), "logGroupClass": "STANDARD"}

    models.LogGroup.to_describe_dict = to_describe_dict


class _InvalidParameterError(ServiceException):  # type: ignore[misc]
    code = "InvalidParameterException"


def _compiled(pattern: str, *, of: str) -> Matches:
    try:
        return compile_pattern(pattern)
    except PatternError as error:
        raise _InvalidParameterError(f"Invalid {of} pattern: {error}") from None


def _metric_filters_count() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
    add, put = MetricFilters.add_filter, models.LogStream.put_log_events

    def add_filter(self: Any, name: str, pattern: str, log_group: str, metrics: Any) -> None:
        _compiled(pattern, of="metric filter")
        self.delete_filter(name, log_group)
        add(self, name, pattern, log_group, metrics)
        self.metric_filters[-1]["creationTime"] = int(datetime.now(UTC).timestamp() * 1_000)

    def put_log_events(self: Any, log_events: list[dict[str, Any]]) -> Any:
        token = put(self, log_events)
        group = self.log_group
        backend = models.logs_backends[group.account_id][group.region]
        for each in backend.filters.get_matching_filters(log_group_name=group.name):
            _count(each, log_events, account_id=group.account_id, region=group.region)
        return token

    MetricFilters.add_filter = add_filter
    models.LogStream.put_log_events = put_log_events


def _events_are_on_disk() -> None:
    begin_group, begin = models.LogGroup.__init__, models.LogStream.__init__
    delete_stream = models.LogGroup.delete_log_stream

    def init_group(self: Any, *arguments: Any, **named: Any) -> None:
        begin_group(self, *arguments, **named)
        self.events = GroupEvents()

    def init(self: Any, log_group: Any, name: str) -> None:
        begin(self, log_group, name)
        self.events = log_group.events.of_new_stream()

    def update(self: Any) -> None:
        self.first_event_timestamp, self.last_event_timestamp = self.events.first_and_last()

    def delete_log_stream(self: Any, log_stream_name: str) -> None:
        stream = self.streams.get(log_stream_name)
        delete_stream(self, log_stream_name)
        stream.events.clear()

    models.LogGroup.__init__ = init_group
    models.LogGroup.delete_log_stream = delete_log_stream
    models.LogStream.__init__ = init
    models.LogStream._update = update  # noqa: SLF001 moto's own


def _events_are_filtered_by_patterns() -> None:
    # moto knows terms alone, and finds all events by other patterns.
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
    def filter_log_events(
        self: Any, start_time: int | None, end_time: int | None, filter_pattern: str | None
    ) -> list[dict[str, Any]]:
        matches = _compiled(filter_pattern or "", of="filter")
        return [
            {**event.to_filter_dict(), "logStreamName": self.log_stream_name}
            for event in self.events.between(start_time, end_time)
            if matches(event.message)
        ]

    models.LogStream.filter_log_events = filter_log_events


def _count(
    metric_filter: dict[str, Any],
    log_events: list[dict[str, Any]],
    *,
    account_id: str,
    region: str,
) -> None:
    """Puts a value into the filter's metric for each event that it matches."""
    matches = compile_pattern(metric_filter["filterPattern"])
    found = [event for event in log_events if matches(event["message"])]
    for transformation in metric_filter["metricTransformations"] if found else ():
        cloudwatch_backends[account_id][region].put_metric_data(
            transformation["metricNamespace"],
            [
                {
                    "MetricName": transformation["metricName"],
                    "Value": float(transformation["metricValue"]),
                    "Unit": transformation.get("unit", "None"),
                    "Timestamp": _moment(event["timestamp"]),
                }
                for event in found
            ],
        )


def _moment(milliseconds: int) -> datetime:
    """As moto's metrics have it: UTC, which it does not say."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC).replace(tzinfo=None)
