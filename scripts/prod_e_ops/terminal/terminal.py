"""What the user sees: results on stdout, progress and messages on stderr."""

import asyncio
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.status import Status
from rich.text import Text

from prod_e_ops.errors import Declined, NoTerminal, OpsError

# A line that says nothing new may come this often where nobody watches a terminal.
_HEARTBEAT_SECONDS = 10.0

# What such a line may have, with the two spaces before it.
_HEARTBEAT_COLUMNS = 80


class Terminal:
    """The two streams of one command."""

    def __init__(self) -> None:
        self.results = Console(highlight=False, soft_wrap=True, emoji=False)
        self.progress = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

    def say(self, text: str) -> None:
        """Tells the user something about the work, on stderr."""
        self.progress.print(text, markup=False)

    def result(self, text: str, *, style: str | None = None) -> None:
        """Prints a line of the command's result, on stdout."""
        self.results.print(text, markup=False, style=style)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Prints rows on stdout, the columns aligned by spaces.

        Where a row is wider than the terminal, its last cell stands in lines of its own below it.
        """
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)]
            line = "  ".join(cells).rstrip()
            if not self.results.is_terminal or len(line) <= self.results.width:
                self.result(line)
                continue
            self.result("  ".join(cells[:-1]).rstrip())
            for part in textwrap.wrap(row[-1], self.results.width - 4):
                self.result(f"    {part}")

    async def confirm(
        self,
        question: str,
        *,
        expected: str | None = None,
        declined: str = "Nothing was changed.",
    ) -> None:
        """Asks before something is changed; returns only if the user agrees.

        `expected`: what must be typed; default: y or yes. `declined`: what then holds.

        Raises `NoTerminal` if there is no terminal to ask on, `Declined` if the user declines.
        """
        hint = "" if expected else " [y/N]"
        answer = await self._answer(f"{question}{hint} ", instead="Run it again with --yes.")
        if answer != expected if expected else answer.lower() not in ("y", "yes"):
            raise Declined(declined)

    async def choose(self, question: str, *, proposal: str, instead: str) -> str:
        """Asks for one of several things before something is changed; Enter takes the proposal.

        `instead`: how to do without the question, where there is no terminal to ask on.

        Raises `NoTerminal` if there is none to ask on, `Declined` if the user declines.
        """
        answer = await self._answer(f"{question} [{proposal}; n for none] ", instead=instead)
        if answer.lower() in ("n", "no", "none"):
            raise Declined("Nothing was changed.")
        return answer or proposal

    async def ask(self, question: str, *, proposal: str) -> str:
        """Asks for a value; Enter takes the proposal. Raises `NoTerminal` if there is none."""
        answer = await self._answer(f"{question} [{proposal}]: ", instead="Give it as an option.")
        return answer or proposal

    async def _answer(self, question: str, *, instead: str) -> str:
        if not sys.stdin.isatty():
            raise NoTerminal(
                "This command asks before it changes anything, and there is no terminal to ask on.",
                details=["Nothing was changed."],
                next_step=instead,
            )
        self.progress.print(question, markup=False, end="")
        # Waiting for the line must not keep Ctrl-C from being handled.
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()

        def read() -> None:
            if not line.done():
                line.set_result(sys.stdin.readline())

        loop.add_reader(sys.stdin, read)
        try:
            answer = await line
        finally:
            loop.remove_reader(sys.stdin)
        # Without even a line's end it is the end of the input, which agrees to nothing.
        return answer.strip() if answer else "n"

    def error(self, error: OpsError) -> None:
        """Prints what failed, the details and the next step, on stderr."""
        for number, line in enumerate(error.message.splitlines()):
            self.progress.print(line, markup=False, style="bold red" if number == 0 else None)
        for line in error.details:
            self.progress.print(f"  {line}", markup=False)
        if error.next_step:
            self.hint(error.next_step)

    def hint(self, text: str) -> None:
        """Tells what can be done next, on stderr, in a line of its own."""
        self.progress.print(f"hint: {text}", markup=False)

    @contextmanager
    def step(self, title: str) -> Iterator["Step"]:
        """Shows one step of the work: a live line while it runs, one with its time at the end."""
        step = Step(self.progress, title)
        try:
            yield step
        except BaseException:
            step.end("✗")
            raise
        step.end("✓")


class Step:
    """One step of a command, its live line, and what it came to."""

    def __init__(self, console: Console, title: str) -> None:
        self.title = title
        self.outcome = ""
        self._console = console
        self._started = time.monotonic()
        self._last_line = self._started
        self._status: Status | None = None
        self._doing = "..."
        if console.is_terminal:
            self._status = console.status(_LiveLine(self), spinner="dots")
            self._status.start()
        else:
            console.print(f"{title} ...", markup=False)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started

    def update(self, doing: str) -> Self:
        """Shows what is being done just now."""
        self._doing = doing
        if self._status is None and time.monotonic() - self._last_line >= _HEARTBEAT_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(f"  {self.fitted(_HEARTBEAT_COLUMNS - 2)}", markup=False)
        return self

    @property
    def line(self) -> str:
        """How long it has been running, and what is being done just now."""
        doing = " ..." if self._doing == "..." else f": {self._doing}"
        return f"{self.seconds:.0f}s  {self.title}{doing}"

    def fitted(self, columns: int) -> str:
        """The line in so many columns: what does not fit loses the title, and then its end."""
        line = self.line
        if len(line) > columns and self._doing != "...":
            line = f"{self.seconds:.0f}s  {self._doing}"
        return line if len(line) <= columns else f"{line[: columns - 1]}…"

    def end(self, mark: str) -> None:
        """Replaces the live line by what the step came to."""
        if self._status:
            self._status.stop()
        outcome = f": {self.outcome}" if self.outcome else ""
        style = None if mark == "✓" else "red"
        self._console.print(
            f"{mark} {self.seconds:.1f}s  {self.title}{outcome}", markup=False, style=style
        )


class _LiveLine:
    """A step's live line: the clock ticks each time that the terminal is drawn."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # The spinner and a space stand before it.
        yield Text(self._step.fitted(max(console.width - 4, 20)), no_wrap=True)
