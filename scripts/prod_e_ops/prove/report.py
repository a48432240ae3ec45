"""What a proof found, as files that can be attached to a report of a bug."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prod_e_ops.analysis.prices import AS_OF, PricedItem, total
from prod_e_ops.demo.report import DemoStepResult, Report
from prod_e_ops.prove.redaction import Redaction
from prod_e_ops.terminal.json_output import to_json


@dataclass(frozen=True, kw_only=True)
class ProveResult:
    """What `prod-e prove` found, as far as it came; nothing in it says whose account it was."""

    environment: str
    """The environment that was made for it."""

    region: str
    """The AWS region."""

    embedded: bool
    """Whether it was the embedded AWS, and no account."""

    passed: bool
    """Whether everything was as it should be, and nothing is left."""

    versions: Sequence[str]
    """Of prod-e, Python, Terraform and its providers."""

    prices: Sequence[PricedItem]
    """What an hour of it costs."""

    seconds: float
    """How long all of it took."""

    steps: Sequence[DemoStepResult]
    """What was done, in order."""

    failed: Sequence[str]
    """What went wrong, in sentences."""

    left: Sequence[str] | None
    """What AWS still has of it; null if that was not looked at."""


@dataclass(kw_only=True)
class Proof:
    """What is known of a proof that is under way. `steps`: see `Report`."""

    region: str
    embedded: bool
    prices: list[PricedItem]
    steps: Report
    versions: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: list[str] | None = None

    def result(self) -> ProveResult:
        """What it has come to by now, without what is anybody's."""
        steps = self.steps.result()
        redact = Redaction(environment=steps.environment)
        return ProveResult(
            environment=steps.environment,
            region=self.region,
            embedded=self.embedded,
            passed=steps.passed,
            versions=self.versions,
            prices=self.prices,
            seconds=steps.seconds,
            steps=[
                DemoStepResult(
                    step=each.step,
                    result=redact(each.result),
                    seconds=each.seconds,
                    requests=each.requests,
                )
                for each in steps.steps
            ],
            failed=[redact(line) for line in self.failed],
            left=None if self.left is None else [redact(each) for each in self.left],
        )


def write(result: ProveResult, folder: Path) -> tuple[Path, Path]:
    """Writes `report.json` and `report.md` into a folder."""
    as_json, as_markdown = folder / "report.json", folder / "report.md"
    as_json.write_text(to_json(result) + "\n", "utf-8")
    as_markdown.write_text("\n".join(_markdown(result)) + "\n", "utf-8")
    return as_json, as_markdown


def _markdown(result: ProveResult) -> Iterator[str]:
    where = "the embedded AWS" if result.embedded else f"an account, {result.region}"
    verdict = "passed" if result.passed else "did not pass"
    yield f"# prod-e prove {verdict} ({where}, {result.seconds / 60:.0f} minutes)"
    yield ""
    yield from (f"- {version}" for version in result.versions)
    cost = total(list(result.prices))
    yield f"- about {cost:.2f} USD an hour at the prices of {AS_OF}"
    yield ""
    yield "| step | result | seconds | requests | lost |"
    yield "|---|---|---|---|---|"
    for step in result.steps:
        sent, lost = (step.requests.sent, step.requests.lost) if step.requests else ("", "")
        yield f"| {step.step} | {_cell(step.result)} | {step.seconds} | {sent} | {lost} |"
    if result.failed:
        yield ""
        yield "## What went wrong"
        yield ""
        yield "```"
        yield from result.failed
        yield "```"
    if result.left is not None:
        yield ""
        yield "Nothing is left." if not result.left else "Left:"
        yield from (f"- {each}" for each in result.left)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
