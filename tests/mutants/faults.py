"""Every small fault that a file's syntax tree has room for."""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = ("constructs", "scripts")

_OPPOSITES: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip

_WORDING = re.compile(r"[A-Za-z]{2}[^A-Za-z]? [A-Za-z]{2}")
"""What a text for people has, and no name or expression of AWS, Docker or Terraform. How it is
worded is nobody's fault, and tests that quote it are in the way: it is missing, or it is there."""

_SAYS_NOTHING = {"repr", "strict"}
"""Arguments that change nothing for a user: what a debugger shows of a field (`test_conventions.py`
says which must not be shown), and that `zip` is given as many of one as of the other, which is so
by construction and which ruff asks for."""

_SHOWN_IN_COLOUR = {"print", "result"}
"""Methods of a terminal whose line has no colour without `style`; what it says is in its words.
That the colour is one is to be noticed: the terminal fails at any other."""

_BOUNDS_A_WAIT = re.compile(r"(\w*_)?(TIMEOUT_SECONDS|POLL_SECONDS|timeout|timeout_seconds)")
"""Constants of a module, and arguments of a call, that say how long something is waited for at
most, or how often it is looked at. One second more is nobody's fault: who needs the wait to end
soon gives it in a test. Not in `constructs/`, whose numbers reach AWS; and that there is a bound is
to be noticed everywhere."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One fault: `before`, which begins at an offset (in bytes) of a file, becomes `after`."""

    file: str
    line: int
    at_import: bool
    offset: int
    before: str
    after: str

    def __str__(self) -> str:
        """One line for people."""
        before, after = (" ".join(text.split()) or "nothing" for text in (self.before, self.after))
        return f"{self.file}:{self.line}: {before[:60]} -> {after[:60]}"

    def apply(self, text: bytes) -> bytes:
        """The file with the fault."""
        end = self.offset + len(self.before.encode())
        return text[: self.offset] + self.after.encode() + text[end:]


class _Finder(ast.NodeVisitor):
    """Finds every mutant of a file."""

    def __init__(self, file: str, text: str) -> None:
        self.found: list[Mutant] = []
        self._file = file
        self._text = text
        self._starts = [0]
        for line in text.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._depth = 0

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def _span(self, start: ast.expr | ast.stmt, end: ast.expr | ast.stmt | None = None) -> str:
        last = end or start
        assert last.end_lineno is not None
        assert last.end_col_offset is not None
        begins = self._offset(start.lineno, start.col_offset)
        ends = self._offset(last.end_lineno, last.end_col_offset)
        return self._text.encode()[begins:ends].decode()

    def _add(self, node: ast.expr | ast.stmt, after: str, before: str | None = None) -> None:
        self.found.append(
            Mutant(
                file=self._file,
                line=node.lineno,
                at_import=self._depth == 0,
                offset=self._offset(node.lineno, node.col_offset),
                before=self._span(node) if before is None else before,
                after=after,
            )
        )

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        for part in (*node.decorator_list, *defaults):
            self.visit(part)
        self._depth += 1
        for statement in node.body:
            self.visit(statement)
        self._depth -= 1

    def visit_Assign(self, node: ast.Assign) -> None:
        names = [each.id for each in node.targets if isinstance(each, ast.Name)]
        if self._depth or not self._only_bounds_a_wait(names, node.value):
            self.generic_visit(node)

    def _only_bounds_a_wait(self, names: Sequence[str | None], value: ast.expr) -> bool:
        return (
            not self._file.startswith("constructs/")
            and any(name and _BOUNDS_A_WAIT.fullmatch(name) for name in names)
            and isinstance(value, ast.Constant)
            and type(value.value) in (int, float)
        )

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._add(node.test, "False")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1:
            (right,) = node.comparators
            opposite = _OPPOSITES[type(node.ops[0])]
            self._add(node, f"{self._span(node.left)} {opposite} {self._span(right)}")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool():
                self._add(node, str(not node.value))
            case int() | float():
                self._add(node, repr(node.value + 1))
            case str() if node.value and self._span(node)[0] in "\"'":
                after = "" if _WORDING.search(node.value) else f"{node.value}x"
                self._add(node, repr(after))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """The texts between the braces have no place of their own before Python 3.12."""

    def visit_Call(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg in _SAYS_NOTHING:
                continue
            if keyword.arg == "style" and getattr(node.func, "attr", "") in _SHOWN_IN_COLOUR:
                continue
            if keyword.arg and len(node.args) + len(node.keywords) > 1:
                others = [self._span(each) for each in node.args]
                others += [
                    f"{each.arg}={self._span(each.value)}"
                    if each.arg
                    else f"**{self._span(each.value)}"
                    for each in node.keywords
                    if each is not keyword
                ]
                self._add(node, f"{self._span(node.func)}({', '.join(others)})")
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in _SAYS_NOTHING and not self._only_bounds_a_wait([node.arg], node.value):
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # Documentation.
        self._add(node, "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add(node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add(node, "pass")
        self.generic_visit(node)


def mutants_of(file: Path) -> Sequence[Mutant]:
    """Every mutant of a file, in the order of its lines."""
    text = file.read_text("utf-8")
    finder = _Finder(file.relative_to(PROJECT).as_posix(), text)
    finder.visit(ast.parse(text))
    return finder.found
