"""A run of the demo whose commands and whose AWS are a test's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from prod_e.settings import load_environment
from prod_e_ops.demo.report import DemoStepResult, Report
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import Declined
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.processes import Finished


@dataclass(kw_only=True)
class Commands:
    """Programs that are run: `ends` is how they end, by a word of theirs; the rest end well."""

    ends: Mapping[str, Finished] = field(default_factory=dict)
    run: list[list[str]] = field(default_factory=list)
    is_stopping: bool = False

    async def call(self, command: Sequence[str], **_: object) -> Finished:
        # `python -P -m prod_e_ops push` is `prod-e push`.
        words = list(command)
        if "prod_e_ops" in words:
            words[: words.index("prod_e_ops") + 1] = ["prod-e"]
        self.run.append(words)
        found = (ends for word, ends in self.ends.items() if word in words)
        return next(found, Finished(0, "", ""))


@dataclass(kw_only=True)
class Screen:
    """A terminal that notes what it is told; `declines`: the questions that are not agreed to."""

    lines: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    declines: str | None = None
    steps: list["_Shown"] = field(default_factory=list)

    async def confirm(
        self, question: str, *, declined: str = "", expected: str | None = None
    ) -> None:
        self.asked.append((question, declined))
        if self.declines and self.declines in question:
            raise Declined(declined)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        self.results += [" ".join(row) for row in rows]

    def hint(self, text: str) -> None:
        self.lines.append(f"hint: {text}")

    def say(self, text: str) -> None:
        self.lines.append(text)

    def error(self, error: Exception) -> None:
        self.lines.append(f"error: {error}")

    def result(self, text: str, *, style: str | None = None) -> None:
        self.results.append(text)

    def step(self, title: str) -> "_Shown":
        self.lines.append(title)
        self.steps.append(_Shown(title))
        return self.steps[-1]


class _Shown:
    """A step that is shown."""

    seconds = 1.26

    def __init__(self, title: str) -> None:
        self.title = title
        self.outcome = ""
        self.updates: list[str] = []

    def update(self, doing: str) -> None:
        self.updates.append(doing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def run_of(
    folder: Path,
    settings: str,
    *,
    clients: Any = None,
    commands: Commands | None = None,
    embedded: Any = None,
) -> Run:
    """A run of the environment with these settings (TOML), in a project in that folder."""
    file = folder / "environments" / "tiny-e.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'name = "tiny-e"\n{settings}')
    context: Any = SimpleNamespace(processes=commands or Commands(), terminal=Screen())
    return Run(
        environment=load_environment(file),
        project=Project(folder, folder / "cdktf.out"),
        context=context,
        report=Report(environment="tiny-e"),
        clients=clients,
        variables={"AWS_REGION": "us-west-2"},
        embedded=embedded,
    )


def commands_of(run: Run) -> list[str]:
    """The commands that were run, in a line each."""
    commands: Any = run.context.processes
    return [" ".join(words) for words in commands.run]


def said_in(run: Run) -> list[str]:
    """What the terminal was told."""
    screen: Any = run.context.terminal
    lines: list[str] = screen.lines
    return lines


def last_step(run: Run) -> DemoStepResult:
    """What the report has of the last step."""
    return run.report.steps[-1]
