"""Shows what became of many faults."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import median

from tests.faults.drawn import Kind
from tests.faults.trial import Outcome

_TITLES = ("fault", "struck", "converged", "commands", "seconds", "named", "orphans")


def one_line(outcome: Outcome) -> str:
    """A line about a fault, as soon as it is over."""
    fault = outcome.fault
    what = "first" if fault.before is None else "changed"
    became = f"{outcome.commands} more, {outcome.seconds:.0f} s"
    if outcome.deleted:
        became += f", {len(outcome.deleted)} named and deleted"
    if not outcome.converged:
        became += f"; NOT converged: {'; '.join([*outcome.problems, *outcome.orphans])}"
    return (
        f"{fault.number:3}  {fault.kind.value:22}  {what:7}  {outcome.struck or '-':32}"
        f"  exit {outcome.status}, {became}"
    )


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The lines of a table by kind of fault, and one below it about all of them."""
    rows = [_TITLES, *(_row(kind, outcomes) for kind in Kind)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    for row in rows:
        first, *numbers = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *numbers]).rstrip()
    converged = sum(outcome.converged for outcome in outcomes)
    named = sum(len(outcome.deleted) for outcome in outcomes)
    orphans = sum(len(outcome.orphans) for outcome in outcomes)
    yield (
        f"{converged} of {len(outcomes)} converged, {orphans} orphans"
        f" ({named} more were named by `deploy`, and deleted by what it named)."
    )


def _row(kind: Kind, outcomes: Sequence[Outcome]) -> Sequence[str]:
    of_kind = [outcome for outcome in outcomes if outcome.fault.kind is kind]
    if not of_kind:
        return (kind.value, "0", "", "", "", "", "")
    return (
        kind.value,
        str(len(of_kind)),
        str(sum(outcome.converged for outcome in of_kind)),
        _middle_and_most([outcome.commands for outcome in of_kind]),
        _middle_and_most([outcome.seconds for outcome in of_kind]),
        str(sum(len(outcome.deleted) for outcome in of_kind)),
        str(sum(len(outcome.orphans) for outcome in of_kind)),
    )


def _middle_and_most(values: Sequence[float]) -> str:
    return f"{median(values):.0f} (at most {max(values):.0f})"


def as_json(seed: int, outcomes: Sequence[Outcome]) -> str:
    """All that is known of each, for programs."""
    return json.dumps(
        {
            "seed": seed,
            "faults": [{**asdict(outcome), "converged": outcome.converged} for outcome in outcomes],
        },
        indent=2,
        default=lambda value: value.value if isinstance(value, Kind) else str(value),
    )
