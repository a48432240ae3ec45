"""Reads a query word by word."""

import re

_SPACE = re.compile(r"(\s+|#[^\n]*)*")
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<quoted>`[^`]+`)
    |(?P<number>\d+(?:\.\d+)?(?![\w.]))
    |(?P<word>[@A-Za-z_0-9][\w@.]*)
    |(?P<sign>=~|!=|<=|>=|[-|=<>+*/%^(),\[\]])""",
    re.VERBOSE,
)
_REGULAR_EXPRESSION = re.compile(r"/((?:[^/\\]|\\.)*)/")


class QueryError(Exception):
    """The query is not one that Logs Insights, or this part of it, understands."""


class Scanner:
    """A query and where one is in it. `kind` and `text`: of the token there; `end` at the end."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._at = self._next = self._end = 0
        self.kind = self.text = ""
        self._look()

    @property
    def position(self) -> int:
        """Where the next token begins."""
        return self._at

    def since(self, position: int) -> str:
        """What was read from there on, without a comment after it."""
        return self._query[position : self._end]

    def is_word(self, *words: str) -> bool:
        """Whether one of these words is next, in any case."""
        return self.kind == "word" and self.text.lower() in words

    def is_sign(self, *signs: str) -> bool:
        """Whether one of these signs is next."""
        return self.kind == "sign" and self.text in signs

    def take(self) -> str:
        """The token, which is over."""
        text = self.text
        if self.kind in ("string", "quoted"):
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        self._at = self._end = self._next
        self._look()
        return text

    def take_if(self, *expected: str) -> str | None:
        """The same if it is one of these words or signs."""
        return self.take() if self.is_word(*expected) or self.is_sign(*expected) else None

    def expect(self, *expected: str) -> str:
        """The same; raises `QueryError` for all others."""
        found = self.take_if(*expected)
        if found is None:
            raise self.error(f"expected {' or '.join(expected)}")
        return found

    def pattern(self) -> re.Pattern[str] | None:
        """A regular expression between slashes, if one is next."""
        found = _REGULAR_EXPRESSION.match(self._query, self._at)
        if found is None:
            return None
        self._at = self._end = found.end()
        self._look()
        # Named groups are written as in other languages.
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", found[1]))

    def error(self, what: str) -> QueryError:
        """At the token that is next."""
        near = self._query[self._at : self._at + 20].strip() or "the end"
        return QueryError(f"Malformed query at {near!r}: {what}")

    def _look(self) -> None:
        space = _SPACE.match(self._query, self._at)
        self._at = space.end() if space else self._at
        found = _TOKEN.match(self._query, self._at)
        if found is None:
            if self._at < len(self._query) and self._query[self._at] != "/":
                raise self.error("nothing begins like this")
            self.kind, self.text, self._next = "end", "", self._at
            return
        assert found.lastgroup is not None
        self.kind, self.text, self._next = found.lastgroup, found[0], found.end()
