"""Filter patterns of CloudWatch Logs, as AWS's guide explains them."""

import json

import pytest

from embedded_aws.control_plane.cloudwatch.filter_patterns import PatternError, compile_pattern

EVENT = json.dumps(
    {
        "level": "warn",
        "status": 503,
        "code": "database_unavailable",
        "none": None,
        "on": True,
        "list": [{"x": 1}, {"x": 2}],
        "text": "503",
        "tag": "[a?]",
    }
)


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.level = "warn" }',
        '{ $.level = "w*" }',
        "{ $.level = warn }",
        '{ $.level != "info" }',
        "{ $.status = 503 }",
        "{$.status=503}",
        "{ $.status <= 503 }",
        '{ $.tag = "[*?]" }',
        "{ $.status >= 500 && $.status < 600 }",
        '{ ($.status = 503) && ($.code = "database_unavailable") }',
        "{ $.status = 200 || ($.status = 503 && $.on IS TRUE) }",
        "{ $.none IS NULL }",
        "{ $.absent NOT EXISTS }",
        "{ $.list[1].x = 2 }",
        "warn database_unavailable",
        '"database_unavailable"',
        "",
    ],
)
def test_a_pattern_matches(pattern: str) -> None:
    assert compile_pattern(pattern)(EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.level = "Warn" }',
        '{ $.level != "warn" }',
        '{ $.absent != "warn" }',
        "{ $.status = 500 }",
        "{ $.text = 503 && $.status = 200 }",
        '{ $.status = "503" }',
        '{ $.tag = "[???" }',
        "{ $.status <= 502 }",
        "{ $.status > 503 }",
        "{ $.level > 1 }",
        '{ ($.status = 503) && ($.code = "other") }',
        "{ $.none NOT EXISTS }",
        "{ $.on IS FALSE }",
        "{ $.list[2].x = 2 }",
        "warn other",
    ],
)
def test_a_pattern_does_not_match(pattern: str) -> None:
    assert not compile_pattern(pattern)(EVENT)


@pytest.mark.parametrize("pattern", ["{ }", "{ $.a }", "{ $.a = 1 && }"])
def test_a_pattern_that_lacks_its_end_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match="ends too early"):
        compile_pattern(pattern)


def test_a_json_pattern_matches_no_other_text() -> None:
    matches = compile_pattern('{ $.level != "info" }')
    assert not matches("level: warn")
    assert not matches('"warn"')


@pytest.mark.parametrize(
    "pattern",
    ["{ $.a ~ 1 }", "{ $.a = 1 $.b = 2 }", "{ $.a IS 1 }", "{ $.a = ( }", "{ $.a = }",
     "{ ($.a = 1 }", "{ $.a > x }", "{ a = 1 }",
     "[ip, user]", "?a ?b", "{ $.a = 1", "%a%", "-a"],
)  # fmt: skip
def test_a_pattern_that_is_not_understood_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"is not understood|are not played here|ends"):
        compile_pattern(pattern)
