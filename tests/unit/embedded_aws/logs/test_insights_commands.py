"""Commands of Logs Insights' queries, as AWS's guide explains them."""

from typing import Any

import pytest

from embedded_aws.control_plane.insights import QueryError, execute

Event = dict[str, Any]

REQUESTS: list[Event] = [
    {"path": "/b", "status": 200, "took": 4},
    {"path": "/a", "status": 200, "took": 10},
    {"path": "/a", "status": 404},
    {"path": "/c", "status": 500, "took": "slow"},
]


def found(query: str, *events: Event) -> list[dict[str, str]]:
    """Of events of which each is a second after the one before."""
    timed = [{"@timestamp": 1000 * at, "@ptr": str(at), **each} for at, each in enumerate(events)]
    return execute(query, timed)


def of_requests(query: str) -> list[tuple[str | None, ...]]:
    """The values of each row; those of `@ptr` are not asked for."""
    rows = found(query, *REQUESTS)
    return [tuple(value for name, value in row.items() if name != "@ptr") for row in rows]


def test_an_event_has_its_time_its_message_and_where_it_is_and_the_newest_is_first() -> None:
    rows = found("filter 1", {"@message": "old"}, {"@message": "new", "level": "info"})
    assert rows == [
        {"@timestamp": "1970-01-01 00:00:01.000", "@message": "new", "@ptr": "1"},
        {"@timestamp": "1970-01-01 00:00:00.000", "@message": "old", "@ptr": "0"},
    ]


def test_fields_are_added_and_display_shows_its_own_alone() -> None:
    event = {"a": 1, "b": 2, "x": 3, "@ingestionTime": 61_007}
    (fields,) = found("fields a as one, a + b | fields @ingestionTime, one", event)
    assert fields == {
        "one": "1", "a + b": "3", "@ingestionTime": "1970-01-01 00:01:01.007", "@ptr": "0",
    }  # fmt: skip
    (display,) = found("fields a | display b, `x`, @ptr", event)
    assert list(display) == ["b", "x", "@ptr"]


def test_a_field_of_an_event_is_not_replaced_by_one_of_its_name() -> None:
    assert found("fields 5 as a", {"a": 1}) == [{"a": "1", "@ptr": "0"}]


def test_a_period_is_shown_as_a_time_by_any_name() -> None:
    (row,) = found("fields bin(1m), datefloor(@timestamp, 1m), BIN(1h) as hour, 60000", {})
    time = "1970-01-01 00:00:00.000"
    assert list(row.values()) == [time, time, time, "60000", "0"]
    assert list(row) == ["bin(1m)", "datefloor(@timestamp, 1m)", "hour", "60000", "@ptr"]


def test_a_query_has_comments() -> None:
    query = "# the first\nfields a # and\n# more\n| limit 1 # one"
    assert found(query, {"a": 1}) == [{"a": "1", "@ptr": "0"}]


@pytest.mark.parametrize(
    ("order", "paths"),
    [
        ("path", ["/c", "/b", "/a"]),
        ("path desc", ["/c", "/b", "/a"]),
        ("path asc", ["/a", "/b", "/c"]),
    ],
)
def test_rows_are_sorted_descending_unless_told(order: str, paths: list[str]) -> None:
    rows = of_requests(f"filter status != 404 | display path | sort {order}")
    assert rows == [(path,) for path in paths]


def test_numbers_are_sorted_before_texts_and_rows_without_a_value_come_last() -> None:
    ascending = of_requests("display status, took | sort took asc")
    assert ascending == [("200", "4"), ("200", "10"), ("500", "slow"), ("404",)]
    descending = of_requests("display status, took | sort took desc")
    assert descending == [("500", "slow"), ("200", "10"), ("200", "4"), ("404",)]


def test_what_is_equal_is_sorted_by_the_next_key() -> None:
    rows = of_requests("display status, path | sort status asc, path asc")
    assert rows == [("200", "/a"), ("200", "/b"), ("404", "/a"), ("500", "/c")]


def test_values_are_sorted_as_numbers_and_as_letters() -> None:
    numbers = found("display a | sort a asc", {"a": 0.5}, {"a": 0}, {"a": 10}, {"a": 9})
    assert [row["a"] for row in numbers] == ["0", "0.5", "9", "10"]
    rows = found("display a | sort a asc", {"a": "z"}, {"a": "b"}, {"a": "x"})
    assert [row["a"] for row in rows] == ["b", "x", "z"]


def test_no_more_rows_are_shown_than_asked_for_and_than_ten_thousand() -> None:
    assert [path for (path,) in of_requests("display path | limit 2")] == ["/c", "/a"]
    assert len(found("fields a", *({"a": 1} for _ in range(10_001)))) == 10_000


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("count(*)", "4"),
        ("count()", "4"),
        ("COUNT(took)", "3"),
        ("count_distinct(path)", "3"),
        ("sum(took)", "14"),
        ("avg(took)", "7"),
        ("min(took)", "4"),
        ("max(took)", "10"),
        ("min(path)", "/a"),
        ("max(path)", "/c"),
        ("earliest(path)", "/b"),
        ("latest(path)", "/c"),
        ("pct(status, 0)", "200"),
        ("pct(status, 50)", "200"),
        ("pct(status, 51)", "404"),
        ("percentile(status, 75)", "404"),
        ("pct(status, 100)", "500"),
        ("avg(path)", None),
        ("min(absent)", None),
        ("max(absent)", None),
        ("pct(path, 50)", None),
    ],
)
def test_events_are_summed_up(aggregate: str, expected: str | None) -> None:
    (row,) = found(f"stats {aggregate}", *REQUESTS)
    assert row == ({} if expected is None else {aggregate: expected})


def test_values_that_are_shown_alike_are_counted_once() -> None:
    (row,) = found("stats count_distinct(a) as n", {"a": 1}, {"a": "1"}, {"a": 2})
    assert row == {"n": "2"}


def test_events_are_summed_up_by_what_they_have_in_common() -> None:
    rows = found("stats count(*) as n, sum(took) by status, path | sort n desc", *REQUESTS)
    assert rows == [
        {"status": "500", "path": "/c", "n": "1", "sum(took)": "0"},
        {"status": "404", "path": "/a", "n": "1", "sum(took)": "0"},
        {"status": "200", "path": "/a", "n": "1", "sum(took)": "10"},
        {"status": "200", "path": "/b", "n": "1", "sum(took)": "4"},
    ]
    assert found("stats count(*) by status as code | filter code = 200", *REQUESTS) == [
        {"code": "200", "count(*)": "2"}
    ]


def test_where_there_is_no_event_a_sum_is_of_none_and_there_is_no_group() -> None:
    assert found("stats count(*) as n") == [{"n": "0"}]
    assert found("stats count(*) as n by path") == []


@pytest.mark.parametrize(
    "parse",
    [
        'parse "user=* took * ms" as user, took',
        "parse @message 'user=* took * ms' as user, took",
        "parse `@message` /user=(?<user>\\w+) took (?<took>\\d+)/",
    ],
)
def test_fields_are_read_out_of_text(parse: str) -> None:
    rows = found(
        f"{parse} | display user, took", {"@message": "user=anna took 12 ms"}, {"@message": "?"}, {}
    )
    assert rows == [{"@ptr": "2"}, {"@ptr": "1"}, {"user": "anna", "took": "12", "@ptr": "0"}]


def test_a_text_is_read_to_its_end_and_over_several_lines() -> None:
    event = {"text": "a=1 b=x\ny"}
    assert found("parse text 'a=* b=*' as a, b | display b", event) == [{"b": "x\ny", "@ptr": "0"}]


def test_numbers_are_read_as_texts_are() -> None:
    assert found("parse n '1*' as rest | display rest", {"n": 123}) == [{"rest": "23", "@ptr": "0"}]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("nonsense", "the command 'nonsense' is not known here"),
        ("dedup path", "the command 'dedup' is not known here"),
        ("fields path path", r"at 'path': expected \|"),
        ("fields path | limit many", "at 'many': expected a number"),
        ("parse @message path", "at 'path': expected a pattern"),
        ("parse @message '*' path", "expected as"),
        ("stats count", r"expected \("),
        ("stats count(* )) by path", r"expected \|"),
        ("stats count(*, path)", r"expected \)"),
        ("stats median(path)", "the function median of stats is not known here"),
        ("stats sum(path, took)", "the function sum of stats is not known here"),
    ],
)
def test_a_query_that_cannot_be_read_is_refused(query: str, why: str) -> None:
    with pytest.raises(QueryError, match=f"^Malformed query.*{why}$"):
        execute(query, [])
