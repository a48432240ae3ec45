"""What the demo did: its steps, how long they took, and how many requests they lost."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.model import SkippedStack
from prod_e_ops.stacks.results import SkippedStackResult
from prod_e_ops.terminal.terminal import Terminal

Runtime = Literal["docker", "process"]
"""What tasks run on."""


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Requests that were sent through the load balancer."""

    sent: int
    """How many."""

    lost: int
    """How many of them got no answer, or another status than 200."""

    def __str__(self) -> str:
        """For people."""
        return f"{self.sent} requests, {self.lost} lost"


@dataclass(frozen=True, kw_only=True)
class DemoStepResult:
    """One step of the demo."""

    step: str
    """Its title."""

    result: str
    """What it came to."""

    seconds: float
    """How long it took."""

    requests: Requests | None = None
    """What was sent meanwhile; null where nothing was."""


@dataclass(frozen=True, kw_only=True)
class FailedStackResult:
    """A stack that the demo went on without."""

    stack: str
    """The stack's name."""

    reason: str
    """Why."""


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demo did, as far as it came."""

    environment: str
    """The environment's name."""

    passed: bool
    """Whether everything was as it should be."""

    runtime: Runtime | None
    """What tasks ran on; null if it did not come so far."""

    seconds: float
    """How long all of it took; steps beside each other count once."""

    resources_created: int
    """How many resources Terraform created."""

    resources_destroyed: int
    """How many resources Terraform destroyed."""

    requests: Requests
    """What was sent in all steps together."""

    steps: Sequence[DemoStepResult]
    """The steps, in their order."""

    skipped: Sequence[SkippedStackResult]
    """The stacks that nothing could be done with here."""

    failed: Sequence[FailedStackResult]
    """The stacks whose provider crashed."""


@dataclass(kw_only=True)
class Report:
    """What is known of a demo that is under way."""

    environment: str
    runtime: Runtime | None = None
    resources_created: int = 0
    resources_destroyed: int = 0
    steps: list[DemoStepResult] = field(default_factory=list)
    skipped: list[SkippedStack] = field(default_factory=list)
    failed: dict[Stack, str] = field(default_factory=dict)
    """Why the demo went on without a stack."""
    passed: bool = False
    _began: float = field(default_factory=time.monotonic)

    def skip(self, step: str, reason: str) -> None:
        """Notes that a step cannot be shown here."""
        self.steps.append(DemoStepResult(step=step, result=f"skipped: {reason}", seconds=0.0))

    def result(self) -> DemoResult:
        """What it has come to by now."""
        counted = [step.requests for step in self.steps if step.requests]
        return DemoResult(
            environment=self.environment,
            passed=self.passed,
            runtime=self.runtime,
            seconds=round(time.monotonic() - self._began, 1),
            resources_created=self.resources_created,
            resources_destroyed=self.resources_destroyed,
            requests=Requests(
                sent=sum(each.sent for each in counted), lost=sum(each.lost for each in counted)
            ),
            steps=tuple(self.steps),
            skipped=tuple(map(SkippedStackResult.of, self.skipped)),
            failed=tuple(
                FailedStackResult(stack=stack.name, reason=reason)
                for stack, reason in self.failed.items()
            ),
        )


def show(result: DemoResult, terminal: Terminal) -> None:
    """Prints the table of the steps."""
    terminal.result("")
    terminal.table(list(_rows(result)))


def _rows(result: DemoResult) -> Iterator[tuple[str, ...]]:
    yield "STEP", "TIME", "SENT", "LOST", "RESULT"
    for step in result.steps:
        yield step.step, _shown(step.seconds), *_counts(step.requests), step.result
    for skipped in result.skipped:
        yield skipped.stack, "", "", "", f"skipped: {skipped.reason}"
    for failed in result.failed:
        yield failed.stack, "", "", "", f"failed: {failed.reason}"
    verdict = "passed" if result.passed else "did not pass"
    yield "Total", _shown(result.seconds), *_counts(result.requests), verdict


def _counts(requests: Requests | None) -> tuple[str, str]:
    return (str(requests.sent), str(requests.lost)) if requests and requests.sent else ("", "")


def _shown(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds else ""
