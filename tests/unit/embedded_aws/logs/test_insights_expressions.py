"""Expressions of Logs Insights' queries, as AWS's guide explains them."""

import pytest

from embedded_aws.control_plane.insights import QueryError, execute

EVENT = {
    "@timestamp": 1_700_000_123_456,
    "status": 200,
    "took": 12.5,
    "path": "/a b",
    "digits": "12",
    "none": None,
    "blank": " ",
    "empty": "",
    "on": True,
    "off": False,
}


def value(expression: str) -> str | None:
    (row,) = execute(f"display {expression} as found", [EVENT])
    return row.get("found")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("status", "200"),
        ("`path`", "/a b"),
        ("absent", None),
        ("none", None),
        ("on", "1"),
        ("off", "0"),
        (r"'it\'s'", "it's"),
        (r'"a \"b\""', 'a "b"'),
        ("1 / 3", "0.3333"),
        ("0.5", "0.5"),
        ("100", "100"),
    ],
)
def test_fields_and_values_are_shown(expression: str, expected: str | None) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("7 - 2 - 1", "4"),
        ("8 / 4 / 2", "1"),
        ("7 % 4", "3"),
        ("took * 2", "25"),
        ("digits + 1", "13"),
        ("1 / 0", None),
        ("path + 1", None),
        ("1 + path", None),
        ("on + 1", None),
    ],
)
def test_numbers_are_calculated_with(expression: str, expected: str | None) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize("sign", ["=", "!=", "<", "<=", ">", ">="])
def test_numbers_and_texts_are_compared(sign: str) -> None:
    holds = {"=": (2,), "!=": (1, 3), "<": (1,), "<=": (1, 2), ">": (3,), ">=": (2, 3)}[sign]
    numbers = [value(f"{left} {sign} 2") for left in (1, 2, 3)]
    texts = [value(f"'a{left}' {sign} 'a2'") for left in (1, 2, 3)]
    assert numbers == texts == [str(int(left in holds)) for left in (1, 2, 3)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("status = '200'", True),
        ("digits < 100", True),
        ("path = 1", False),
        ("path != 1", True),
        ("path < 1", False),
        ("path > 1", False),
        ("on = 1", True),
        ("on < 'x'", False),
        ("'x' > on", False),
        ("absent = 1", False),
        ("absent != 1", False),
        ("1 != absent", False),
        ("status in [1, 200]", True),
        ("status in [1]", False),
        ("status not in [1]", True),
        ("status not in [1, 200]", False),
        ("absent in [1]", False),
        ("path like 'a b'", True),
        ("path like 'a.b'", False),
        ("path like /a.b/", True),
        (r"path like /^\/a/", True),
        ("path =~ /^b/", False),
        ("path not like 'x'", True),
        ("path not like 'a'", False),
        ("absent like /None/", False),
        ("absent not like /x/", True),
        ("status like '00'", True),
    ],
)
def test_a_condition_holds_or_does_not(condition: str, *, expected: bool) -> None:
    assert value(condition) == str(int(expected))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("0 or 0", False),
        ("0 or 1", True),
        ("1 or 0", True),
        ("0 or 0 or 1", True),
        ("1 and 1", True),
        ("0 and 1", False),
        ("1 and 0", False),
        ("1 and 1 and 0", False),
        ("1 or 0 and 0", True),
        ("not 0", True),
        ("not not 0", False),
        ("not 1 or 1", True),
        ("NOT (1 OR 1)", False),
        ("not status = 200", False),
    ],
)
def test_conditions_are_joined(condition: str, *, expected: bool) -> None:
    assert value(condition) == str(int(expected))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("ispresent(path)", "1"),
        ("ispresent(none)", "0"),
        ("isEmpty(empty)", "1"),
        ("isempty(none)", "1"),
        ("isempty(blank)", "0"),
        ("isblank(blank)", "1"),
        ("isblank(none)", "1"),
        ("isblank(path)", "0"),
        ("coalesce(none, path, status)", "/a b"),
        ("coalesce(none)", None),
        ("concat(path, none, status)", "/a b200"),
        ("strlen(path)", "4"),
        ("strlen(status)", "3"),
        ("tolower('Ab')", "ab"),
        ("toupper('Ab')", "AB"),
        ("trim(' x ')", "x"),
        ("abs(0 - 2.5)", "2.5"),
        ("abs(0)", "0"),
        ("ceil(took)", "13"),
        ("ceil(0)", "0"),
        ("floor(took)", "12"),
        ("floor(0)", "0"),
    ],
)
def test_a_function_gives_a_value(call: str, expected: str | None) -> None:
    assert value(call) == expected


@pytest.mark.parametrize("name", ["strlen", "tolower", "toupper", "trim", "abs", "ceil", "floor"])
def test_a_function_of_what_is_absent_is_absent(name: str) -> None:
    assert value(f"{name}(none)") is None


@pytest.mark.parametrize("name", ["abs", "ceil", "floor"])
def test_a_function_of_numbers_gives_nothing_for_texts(name: str) -> None:
    assert value(f"{name}(path)") is None


@pytest.mark.parametrize(
    ("period", "begin"),
    [
        ("1ms", "2023-11-14 22:15:23.456"),
        ("50ms", "2023-11-14 22:15:23.450"),
        ("10s", "2023-11-14 22:15:20.000"),
        ("1m", "2023-11-14 22:15:00.000"),
        ("1h", "2023-11-14 22:00:00.000"),
        ("1d", "2023-11-14 00:00:00.000"),
        ("1w", "2023-11-09 00:00:00.000"),
    ],
)
def test_a_time_belongs_to_a_period(period: str, begin: str) -> None:
    assert value(f"bin({period})") == begin
    assert value(f"dateFloor(@timestamp, {period})") == begin


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("1 +", "at 'the end': expected a field or a value"),
        ("(1", r"expected \)"),
        ("path not 3", "expected like or in"),
        ("status in 1", r"expected \["),
        ("status in [1", r"expected \]"),
        ("unheard(1)", "the function unheard is not known here"),
        ("strlen(path path)", "expected ,"),
        ("bin(5)", "expected a period such as 5m"),
        ("bin(5y)", "expected a period such as 5m"),
        ("bin(5m, 1)", r"expected \)"),
        ("datefloor(@timestamp 5m)", "expected ,"),
        ("abcdefghijklmnopqrstuvwxyz ]", r"at '\]': expected \|"),
        ("1 ] abcdefghijklmnopqrstuvwxyz", r"at '\] abcdefghijklmnopqr': expected \|"),
        ("1 ; 2", "at '; 2': nothing begins like this"),
    ],
)
def test_what_cannot_be_read_is_refused(expression: str, why: str) -> None:
    with pytest.raises(QueryError, match=f"^Malformed query.*{why}$"):
        execute(f"filter {expression}", [EVENT])
