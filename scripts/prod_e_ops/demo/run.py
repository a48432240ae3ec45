"""What every part of a life works with: one run of it."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedded_aws import EmbeddedAws
from prod_e_ops.context import Context
from prod_e_ops.demo.checks import Clients
from prod_e_ops.demo.report import DemoStepResult, Report, Requests
from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.processes import Finished
from prod_e_ops.terminal.terminal import Step

if TYPE_CHECKING:
    from prod_e.settings import Environment

STOP_TIMEOUT_SECONDS = 5.0
"""What a program may take to stop: what it leaves goes away with the embedded AWS."""

_LINES_SHOWN = 15


@dataclass(kw_only=True)
class DemoStep:
    """A step that is under way. `requests`: see `DemoStepResult`."""

    shown: Step
    requests: Requests | None = None

    def update(self, doing: str) -> None:
        """Shows what is being done just now."""
        self.shown.update(doing)

    @property
    def outcome(self) -> str:
        """What it came to."""
        return self.shown.outcome

    @outcome.setter
    def outcome(self, text: str) -> None:
        self.shown.outcome = text


@dataclass(frozen=True, kw_only=True)
class Run:
    """One life of an environment, on the embedded AWS or in an account of AWS's.

    `project`: a copy of the user's, which may be changed. `clients`: reach that AWS. `variables`:
    the environment of programs that shall reach it. `embedded`: where that AWS is the embedded one.
    """

    environment: "Environment"
    project: Project
    context: Context
    report: Report
    clients: Clients
    variables: Mapping[str, str] = field(repr=False)
    embedded: EmbeddedAws | None = None

    @property
    def aws(self) -> EmbeddedAws:
        """The embedded AWS, for what nobody does in an account."""
        assert self.embedded is not None, "this is an account of AWS's"
        return self.embedded

    @contextmanager
    def step(self, title: str) -> Iterator[DemoStep]:
        """A step that has its line in the report, whatever becomes of it."""
        with report_step(self.context, self.report, title) as step:
            yield step

    def note(self, title: str, result: str, *, seconds: float) -> None:
        """Reports something that was done beside a step."""
        self.context.terminal.say(f"✓ {title}: {result} ({seconds:.1f} s)")
        self.report.steps.append(
            DemoStepResult(step=title, result=result, seconds=round(seconds, 1))
        )

    async def prod_e(
        self, *arguments: str, expected_status: int = 0, is_shown: bool = True
    ) -> Finished:
        """Runs the `prod-e` command on this AWS, and shows what it says.

        Raises `OpsError` if it ends with another status than is expected.
        """
        say = self.context.terminal.say if is_shown else _ignore
        say(f"  $ prod-e {' '.join(arguments)}")

        def relay(line: str) -> None:
            # Python itself says where it was when Ctrl-C comes before the command has begun.
            if not self.context.processes.is_stopping:
                say(f"  {line}")

        finished = await self.call(
            [sys.executable, "-P", "-m", "prod_e_ops", *arguments], on_line=relay
        )
        if finished.status != expected_status:
            raise OpsError(
                f"`prod-e {' '.join(arguments)}` ended with the status {finished.status}, not"
                f" {expected_status}.",
                details=finished.stderr.strip().splitlines()[-_LINES_SHOWN:],
            )
        return finished

    async def call(
        self, command: Sequence[str], *, on_line: Callable[[str], object] | None = None
    ) -> Finished:
        """Runs a program that reaches this AWS and no other."""
        return await self.context.processes.call(
            command,
            folder=self.project.folder,
            # Whoever started this by the launcher means the user's project, and not its copy.
            environment={**self.variables, "PROD_E_PROJECT": str(self.project.folder)},
            on_stderr=on_line,
            stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
        )


def _ignore(_: str) -> None:
    """Shows nothing."""


@contextmanager
def report_step(context: Context, report: Report, title: str) -> Iterator[DemoStep]:
    """See `Run.step`."""
    with context.terminal.step(title) as shown:
        step = DemoStep(shown=shown)
        try:
            yield step
        except BaseException as error:
            step.outcome = "failed" if isinstance(error, Exception) else "interrupted"
            raise
        finally:
            report.steps.append(
                DemoStepResult(
                    step=title,
                    result=step.outcome,
                    seconds=round(shown.seconds, 1),
                    requests=step.requests,
                )
            )
