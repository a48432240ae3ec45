"""Metric math of alarms: numbers, `+ - * /`, brackets, other series and FILL."""

import pytest

from embedded_aws.control_plane.cloudwatch.alarms import _expression

KNOWN = {"errors": lambda _: None, "requests": lambda period: 10.0 * period, "none": lambda _: 0.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("requests + 1", 21.0),
        ("requests - 2 * 3", 14.0),
        ("(requests - 2) * 3", 54.0),
        ("requests / 4", 5.0),
        ("100 * FILL(errors, 0) / requests", 0.0),
        ("FILL(errors, requests)", 20.0),
        ("FILL(requests, 1)", 20.0),
    ],
)
def test_an_expression_is_worked_out_of_the_values_of_a_period(text: str, value: float) -> None:
    assert _expression(text, KNOWN)(2) == value


@pytest.mark.parametrize("text", ["errors + 1", "requests / none", "unknown", "RATE(requests)"])
def test_an_expression_without_a_value_has_none(text: str) -> None:
    assert _expression(text, KNOWN)(2) is None
