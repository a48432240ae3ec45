"""Expressions of queries: of the fields of one log event, or of many for `stats`.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from embedded_aws.control_plane.insights.scanner import Scanner

Row = Mapping[str, Any]
"""A log event's fields; absent or None: it has none of that name."""
Expression = Callable[[Row], Any]
Aggregate = Callable[[Sequence[Row]], Any]

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SUMS: Mapping[str, Callable[[float, float], float]] = {"+": operator.add, "-": operator.sub}
_PRODUCTS: Mapping[str, Callable[[float, float], float]] = {
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}
_MILLISECONDS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "ispresent": lambda value: value is not None,
    "isempty": lambda value: value in (None, ""),
    "isblank": lambda value: value is None or not str(value).strip(),
    "coalesce": lambda *values: next((v for v in values if v is not None), None),
    "concat": lambda *values: "".join(shown(v) for v in values if v is not None),
    "strlen": lambda value: None if value is None else len(shown(value)),
    "tolower": lambda value: None if value is None else shown(value).lower(),
    "toupper": lambda value: None if value is None else shown(value).upper(),
    "trim": lambda value: None if value is None else shown(value).strip(),
    "abs": lambda value: None if number(value) is None else abs(number(value) or 0),
    "ceil": lambda value: None if number(value) is None else math.ceil(number(value) or 0),
    "floor": lambda value: None if number(value) is None else math.floor(number(value) or 0),
}


def number(value: Any) -> float | None:
    """A value as a number, if it is one."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def shown(value: Any) -> str:
    """A value as results have it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return str(value)


def expression(scanner: Scanner) -> Expression:
    """Reads an expression of the fields of one event."""
    left = _and(scanner)
    while scanner.take_if("or"):
        left = _either(left, _and(scanner))
    return left


def _either(left: Expression, right: Expression) -> Expression:
    return lambda row: bool(left(row)) or bool(right(row))


def _and(scanner: Scanner) -> Expression:
    left = _not(scanner)
    while scanner.take_if("and"):
        left = _both(left, _not(scanner))
    return left


def _both(left: Expression, right: Expression) -> Expression:
    return lambda row: bool(left(row)) and bool(right(row))


def _not(scanner: Scanner) -> Expression:
    if scanner.take_if("not"):
        inner = _not(scanner)
        return lambda row: not inner(row)
    return _comparison(scanner)


def _comparison(scanner: Scanner) -> Expression:
    left = _sum(scanner)
    if sign := scanner.take_if(*_COMPARISONS):
        return _compared(left, _COMPARISONS[sign], _sum(scanner))
    is_negative = bool(scanner.take_if("not"))
    if scanner.take_if("like", "=~"):
        found = _matching(scanner)
    elif scanner.take_if("in"):
        scanner.expect("[")
        members = [expression(scanner)]
        while scanner.take_if(","):
            members.append(expression(scanner))
        scanner.expect("]")

        def found(row: Row, value: Any) -> bool:
            return any(_compare(value, operator.eq, member(row)) for member in members)

    elif is_negative:
        raise scanner.error("expected like or in")
    else:
        return left
    return lambda row: found(row, left(row)) != is_negative


def _matching(scanner: Scanner) -> Callable[[Row, Any], bool]:
    if (pattern := scanner.pattern()) is None:
        pattern = re.compile(re.escape(scanner.take()))
    return lambda _, value: value is not None and bool(pattern.search(shown(value)))


def _compared(
    left: Expression, comparison: Callable[[Any, Any], bool], right: Expression
) -> Expression:
    return lambda row: _compare(left(row), comparison, right(row))


def _compare(left: Any, comparison: Callable[[Any, Any], bool], right: Any) -> bool:
    if left is None or right is None:
        return False
    numbers = number(left), number(right)
    if None not in numbers:
        return comparison(*numbers)
    if comparison in (operator.eq, operator.ne) or (
        isinstance(left, str) and isinstance(right, str)
    ):
        return comparison(shown(left), shown(right))
    return False


def _sum(scanner: Scanner) -> Expression:
    left = _product(scanner)
    while sign := scanner.take_if(*_SUMS):
        left = _calculated(left, _SUMS[sign], _product(scanner))
    return left


def _product(scanner: Scanner) -> Expression:
    left = _value(scanner)
    while sign := scanner.take_if(*_PRODUCTS):
        left = _calculated(left, _PRODUCTS[sign], _value(scanner))
    return left


def _calculated(
    left: Expression, calculation: Callable[[float, float], float], right: Expression
) -> Expression:
    def value(row: Row) -> float | None:
        one, other = number(left(row)), number(right(row))
        if one is None or other is None:
            return None
        try:
            return calculation(one, other)
        except ZeroDivisionError:
            return None

    return value


def _value(scanner: Scanner) -> Expression:
    if scanner.take_if("("):
        inner = expression(scanner)
        scanner.expect(")")
        return inner
    if scanner.kind == "string":
        text = scanner.take()
        return lambda _: text
    if scanner.kind == "number":
        value = float(scanner.take())
        return lambda _: value
    if scanner.kind not in ("word", "quoted"):
        raise scanner.error("expected a field or a value")
    name = scanner.take()
    if not scanner.take_if("("):
        return lambda row: row.get(name)
    if name.lower() in ("bin", "datefloor"):
        return _bin(scanner, name)
    if name.lower() not in _FUNCTIONS:
        raise scanner.error(f"the function {name} is not known here")
    function, given = _FUNCTIONS[name.lower()], _arguments(scanner)
    return lambda row: function(*(each(row) for each in given))


def _bin(scanner: Scanner, name: str) -> Expression:
    if name.lower() == "datefloor":
        scanner.take()
        scanner.expect(",")
    period = period_ms(scanner)
    scanner.expect(")")
    return lambda row: row["@timestamp"] // period * period


def period_ms(scanner: Scanner) -> int:
    """A length of time such as 5m."""
    found = re.fullmatch(r"(\d+)([a-z]+)", scanner.text)
    if found is None or found[2] not in _MILLISECONDS:
        raise scanner.error("expected a period such as 5m")
    scanner.take()
    return int(found[1]) * _MILLISECONDS[found[2]]


def _arguments(scanner: Scanner) -> list[Expression]:
    given: list[Expression] = []
    while not scanner.take_if(")"):
        if given:
            scanner.expect(",")
        given.append(expression(scanner))
    return given


def aggregate(scanner: Scanner) -> Aggregate:
    """Reads a function of many events, such as `count(*)`."""
    name = scanner.take().lower()
    scanner.expect("(")
    if name == "count" and scanner.take_if("*"):
        scanner.expect(")")
        return len
    given = _arguments(scanner)
    if name == "count" and not given:
        return len
    if name in ("pct", "percentile"):
        of, share = given
        return lambda rows: _percentile(_numbers(rows, of), number(share({})) or 0)
    functions: Mapping[str, Callable[[Sequence[Row], Expression], Any]] = {
        "count": lambda rows, of: len(_values(rows, of)),
        "count_distinct": lambda rows, of: len({shown(v) for v in _values(rows, of)}),
        "sum": lambda rows, of: sum(_numbers(rows, of)),
        "avg": lambda rows, of: _mean(_numbers(rows, of)),
        "min": lambda rows, of: min(_comparable(rows, of), default=None),
        "max": lambda rows, of: max(_comparable(rows, of), default=None),
        "earliest": lambda rows, of: of(min(rows, key=lambda row: row["@timestamp"])),
        "latest": lambda rows, of: of(max(rows, key=lambda row: row["@timestamp"])),
    }
    if name not in functions or len(given) != 1:
        raise scanner.error(f"the function {name} of stats is not known here")
    (of,), function = given, functions[name]
    return lambda rows: function(rows, of)


def _values(rows: Sequence[Row], of: Expression) -> list[Any]:
    return [value for row in rows if (value := of(row)) is not None]


def _numbers(rows: Sequence[Row], of: Expression) -> list[float]:
    return [value for row in rows if (value := number(of(row))) is not None]


def _comparable(rows: Sequence[Row], of: Expression) -> list[Any]:
    return _numbers(rows, of) or [shown(value) for value in _values(rows, of)]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percentile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share / 100 * len(values)) - 1)]
