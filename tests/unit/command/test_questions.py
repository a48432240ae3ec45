"""What a command asks before it changes something, and what it takes for a yes."""

import asyncio
import io
import os
import sys
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from rich.console import Console

from prod_e_ops.errors import Declined, NoTerminal, OpsError
from prod_e_ops.terminal.terminal import Terminal

T = TypeVar("T")


class Typed:
    """A terminal whose user types a line; `shown`: what is asked and told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, isatty: bool = True) -> None:
        self.shown = io.StringIO()
        self.terminal = Terminal()
        self.terminal.progress = Console(file=self.shown, width=200, soft_wrap=True)
        self._monkeypatch = monkeypatch
        self._isatty = isatty

    def types(self, line: str, ask: Callable[[Terminal], Coroutine[Any, Any, T]]) -> T:
        reading, writing = os.pipe()
        with os.fdopen(reading) as typed:
            os.write(writing, line.encode())
            os.close(writing)
            stdin = SimpleNamespace(
                isatty=lambda: self._isatty, fileno=lambda: reading, readline=typed.readline
            )
            self._monkeypatch.setattr(sys, "stdin", stdin)
            return asyncio.run(ask(self.terminal))


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> Typed:
    return Typed(monkeypatch)


@pytest.mark.parametrize("line", ["y\n", "Y\n", "yes\n", " YES \n"])
def test_a_yes_goes_on(user: Typed, line: str) -> None:
    user.types(line, lambda terminal: terminal.confirm("Deploy tiny-e?"))
    assert user.shown.getvalue() == "Deploy tiny-e? [y/N] "


@pytest.mark.parametrize("line", ["\n", "n\n", "no\n", "yess\n", ""])
def test_all_else_declines(user: Typed, line: str) -> None:
    with pytest.raises(Declined, match=r"^Nothing was changed\.$"):
        user.types(line, lambda terminal: terminal.confirm("Deploy tiny-e?"))
    with pytest.raises(Declined, match="The image stays"):
        user.types(line, lambda terminal: terminal.confirm("Deploy?", declined="The image stays."))


def test_what_is_dangerous_is_typed_in_full(user: Typed) -> None:
    user.types("tiny-e\n", lambda it: it.confirm("Type tiny-e:", expected="tiny-e"))
    assert user.shown.getvalue() == "Type tiny-e: "
    for line in ("y\n", "yes\n", "TINY-E\n"):
        with pytest.raises(Declined):
            user.types(line, lambda it: it.confirm("Type tiny-e:", expected="tiny-e"))


@pytest.mark.parametrize(("line", "chosen"), [("\n", "1"), ("2\n", "2")])
def test_enter_takes_the_proposal(user: Typed, line: str, chosen: str) -> None:
    assert user.types(line, lambda it: it.choose("Which?", proposal="1", instead="-")) == chosen
    assert user.shown.getvalue() == "Which? [1; n for none] "
    assert user.types(line, lambda it: it.ask("Its name", proposal="1")) == chosen
    assert user.shown.getvalue().endswith("Its name [1]: ")


@pytest.mark.parametrize("line", ["n\n", "No\n", "none\n", ""])
def test_none_is_a_choice(user: Typed, line: str) -> None:
    with pytest.raises(Declined, match="Nothing was changed"):
        user.types(line, lambda it: it.choose("Which?", proposal="1", instead="-"))


@pytest.mark.parametrize(
    ("ask", "instead"),
    [
        (lambda it: it.confirm("Deploy?"), "Run it again with --yes."),
        (lambda it: it.choose("Which?", proposal="1", instead="Say --to."), "Say --to."),
        (lambda it: it.ask("Its name", proposal="a"), "Give it as an option."),
    ],
)
def test_without_a_terminal_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[Terminal], Any], instead: str
) -> None:
    user = Typed(monkeypatch, isatty=False)
    with pytest.raises(NoTerminal, match="there is no terminal to ask on") as refused:
        user.types("y\n", ask)
    assert refused.value.details == ("Nothing was changed.",)
    assert refused.value.next_step == instead
    assert user.shown.getvalue() == ""


def test_an_error_is_told_with_its_details_and_a_hint_of_its_own(user: Typed) -> None:
    error = OpsError("It failed:\n[because]", details=["aws_lb.a"], next_step="Run it again.")
    user.terminal.error(error)
    assert user.shown.getvalue() == "It failed:\n[because]\n  aws_lb.a\nhint: Run it again.\n"
    user.terminal.error(OpsError("It failed."))
    assert user.shown.getvalue().endswith("\nIt failed.\n")


def test_a_step_that_fails_is_marked(user: Typed) -> None:
    with pytest.raises(OpsError), user.terminal.step("Deploy tiny-e"):
        raise OpsError("It failed.")
    assert user.shown.getvalue().splitlines()[-1].startswith("✗ 0.")
    with user.terminal.step("Deploy tiny-e"):
        pass
    assert user.shown.getvalue().splitlines()[-1].startswith("✓ 0.")
