"""Filter patterns of CloudWatch Logs: which log events a metric filter counts.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Matches = Callable[[str], bool]
"""Whether a pattern matches an event's message."""

_Test = Callable[[Any], bool]
_TOKENS = re.compile(
    r"""\s*(?:(?P<operator>&&|\|\||!=|>=|<=|[()=<>])|(?P<selector>\$(?:\.[\w-]+|\[\d+\])+)"""
    r"""|"(?P<text>[^"]*)"|(?P<word>[\w.*+-]+))"""
)
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_ABSENT = object()


class PatternError(ValueError):
    """A pattern that is not understood."""


def compile_pattern(pattern: str) -> Matches:
    """JSON patterns in braces, and terms that all must occur; raises `PatternError` for others.

    Of JSON patterns: `&&`, `||`, brackets, comparisons of one property, `IS NULL`, `IS TRUE`,
    `IS FALSE` and `NOT EXISTS`. Of terms: plain ones.
    """
    text = pattern.strip()
    if text.startswith("{") and text.endswith("}"):
        test = _Parser(text[1:-1]).parse()

        def matches(message: str) -> bool:
            try:
                value = json.loads(message)
            except ValueError:
                return False
            return isinstance(value, dict) and test(value)

        return matches
    if text.startswith(("[", "%", "{")):
        raise PatternError(f"patterns such as {text!r} are not played here")
    terms = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', text)]
    if any(term.startswith(("?", "-")) for term in terms):
        raise PatternError(f"patterns such as {text!r} are not played here")
    return lambda message: all(term in message for term in terms)


class _Parser:
    """Reads the inside of a JSON pattern."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            found = _TOKENS.match(text, position)
            if not found or found.lastgroup is None:
                raise PatternError(f"{text[position:]!r} is not understood")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()

    def parse(self) -> _Test:
        test = self._any()
        if self._tokens:
            raise PatternError(f"{self._tokens[0][1]!r} is not understood")
        return test

    def _any(self) -> _Test:
        tests = [self._all()]
        while self._take("operator", "||"):
            tests.append(self._all())
        return lambda value: any(test(value) for test in tests)

    def _all(self) -> _Test:
        tests = [self._one()]
        while self._take("operator", "&&"):
            tests.append(self._one())
        return lambda value: all(test(value) for test in tests)

    def _one(self) -> _Test:
        if self._take("operator", "("):
            test = self._any()
            self._need("operator", ")")
            return test
        path = re.findall(r"[\w-]+", self._need("selector"))
        if self._take("word", "IS"):
            wanted = {"NULL": None, "TRUE": True, "FALSE": False}
            word = self._need("word")
            if word not in wanted:
                raise PatternError(f"{word!r} is not understood")
            return lambda value: _at(value, path) is wanted[word]
        if self._take("word", "NOT"):
            self._need("word", "EXISTS")
            return lambda value: _at(value, path) is _ABSENT
        return _comparison(path, self._need("operator"), self._next())

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise PatternError("it ends too early")
        return self._tokens.pop(0)

    def _take(self, kind: str, text: str) -> bool:
        if self._tokens[:1] == [(kind, text)]:
            self._tokens.pop(0)
            return True
        return False

    def _need(self, kind: str, text: str | None = None) -> str:
        found_kind, found = self._next()
        if found_kind != kind or text not in (None, found):
            raise PatternError(f"{found!r} is not understood")
        return found


def _comparison(path: list[str], sign: str, wanted: tuple[str, str]) -> _Test:
    kind, text = wanted
    if kind not in ("text", "word"):
        raise PatternError(f"{text!r} is not understood")
    number = _number(text) if kind == "word" else None
    if sign in ("=", "!="):
        wildcard = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)

        def equals(value: Any) -> bool:
            found = _at(value, path)
            if number is not None and isinstance(found, int | float):
                return found == number and not isinstance(found, bool)
            return isinstance(found, str) and wildcard.fullmatch(found) is not None

        if sign == "=":
            return equals
        return lambda value: _at(value, path) is not _ABSENT and not equals(value)
    if sign not in _COMPARISONS or number is None:
        raise PatternError(f"{sign} {text} is not understood")

    def compares(value: Any) -> bool:
        found = _at(value, path)
        return (
            isinstance(found, int | float)
            and not isinstance(found, bool)
            and _COMPARISONS[sign](found, number)
        )

    return compares


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return _ABSENT
    return value
