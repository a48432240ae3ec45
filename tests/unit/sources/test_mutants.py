"""The faults that `npm run mutants` makes, and the lines that it finds again after a change."""

import ast
from pathlib import Path

import pytest

from tests.mutants import measured_sources
from tests.mutants.faults import _Finder
from tests.mutants.measured_sources import MeasuredSources


def faults_of(text: str) -> set[str]:
    """A text with each of its faults."""
    finder = _Finder("file.py", text)
    finder.visit(ast.parse(text))
    return {mutant.apply(text.encode()).decode() for mutant in finder.found}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("x = 1", {"x = 2"}),
        ("x = True", {"x = False"}),
        ("x = 'a'", {"x = 'ax'"}),
        ("x = 'Nothing was changed.'", {"x = ''"}),
        ("x = a < b", {"x = a >= b"}),
        ("x = a not in b", {"x = a in b"}),
        ("if a:\n    b()", {"if False:\n    b()", "if a:\n    pass"}),
        ("raise Error", {"pass"}),
        ("x += y", {"pass"}),
        ("x = f(a, b=c)", {"x = f(a)"}),
        ("x = f(b=c)", set()),
        ('"""What it is."""', set()),
        # What a debugger shows is no behaviour.
        ("x: int = field(default=y, repr=False)", {"x: int = field(repr=False)"}),
    ],
)
def test_every_small_fault_is_made(text: str, faults: set[str]) -> None:
    assert faults_of(text) == faults


def test_lines_are_found_again_where_others_came_or_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_sources, "PROJECT", tmp_path / "today")
    for name in ("before", "today"):
        (tmp_path / name).mkdir()
    (tmp_path / "before" / "file.py").write_text("a\nb\nc\nd\n")
    (tmp_path / "today" / "file.py").write_text("new\na\nb\nother\nd\n")
    sources = MeasuredSources(folder=tmp_path / "before")
    assert sources.lines_today("file.py") == {1: 2, 2: 3, 4: 5}
    assert sources.lines_today("gone.py") == {}
