"""The faults that `npm run mutants` makes, and the lines that it finds again after a change."""

import ast
from pathlib import Path

import pytest

from tests.mutants import measured_sources
from tests.mutants.faults import PROJECT, _Finder, mutants_of
from tests.mutants.measured_sources import MeasuredSources
from tests.mutants.relevant_tests import READ_EVERY_FILE, RelevantTests


def faults_of(text: str, *, file: str = "scripts/file.py") -> set[str]:
    """A text with each of its faults."""
    finder = _Finder(file, text)
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
        ("x = zip(a, b, strict=True)", set()),
        # What is said is in words; a colour that is none is a fault.
        ("x = t.result(a, style='red')", {"x = t.result(a, style='redx')"}),
        ("x = f(a, style='red')", {"x = f(a, style='redx')", "x = f(a)"}),
    ],
)
def test_every_small_fault_is_made(text: str, faults: set[str]) -> None:
    assert faults_of(text) == faults


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("_ANSWER_TIMEOUT_SECONDS = 5", set()),
        ("_POLL_SECONDS = 0.2", set()),
        ("f(a, timeout=5)", {"pass", "f(a)"}),
        ("f(a, stop_timeout_seconds=5)", {"pass", "f(a)"}),
        # What it decides is no wait, or there is none.
        ("_PERIOD_SECONDS = 5", {"_PERIOD_SECONDS = 6"}),
        ("f(timeout=True)", {"pass", "f(timeout=False)"}),
        ("def f():\n    _POLL_SECONDS = 5", {"def f():\n    _POLL_SECONDS = 6"}),
    ],
)
def test_how_long_something_is_waited_for_is_nobodys_fault(text: str, faults: set[str]) -> None:
    assert faults_of(text) == faults


@pytest.mark.parametrize("text", ["_POLL_SECONDS = 5", "f(timeout=5)"])
def test_what_aws_is_told_is_somebodys_fault(text: str) -> None:
    assert text.replace("5", "6") in faults_of(text, file="constructs/prod_e/file.py")


def test_what_one_test_synthesises_others_look_at() -> None:
    tests = {f"tests/{name}.py::test": 1.0 for name in ("unit/a", "synthesis/a", "synthesis/b")}
    file = "constructs/prod_e/names.py"
    first, *_ = (each for each in mutants_of(PROJECT / file) if not each.at_import)
    relevant = RelevantTests(
        lines={file: {first.line: frozenset({"tests/synthesis/a.py::test"})}}, seconds=tests
    )
    assert set(relevant.of(first, seconds=60)) - set(READ_EVERY_FILE) == {
        "tests/synthesis/a.py::test", "tests/synthesis/b.py::test",
    }  # fmt: skip


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
