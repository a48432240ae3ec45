"""How the soak judges what it has seen."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from benchmarks.plane_memory import Plane
from benchmarks.soak import CLIENTS, NO_ANSWER, Happened, Losses, events_of, excess, table


class Anything:
    """A service that nothing is done to."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None


@pytest.mark.parametrize(
    ("name", "lost", "too_many"),
    [
        ("deployment", {}, 0),
        *(
            (name, {"502": 1}, 1)
            for name in (
                "deployment",
                "roll-back of a version that crashes",
                "rotation",
                "rotation amid a deployment",
                "scale-out",
                "scale-in",
                "stop of a task",
                "failover",
            )
        ),
        ("kill of a task", {"502": CLIENTS - 1, NO_ANSWER: 1}, 0),
        ("kill of a task amid a deployment", {"502": CLIENTS + 2}, 2),
        ("failover", {"503": 1_000, NO_ANSWER: 1}, 1),
        ("failover amid a deployment", {"503": 1_000}, 0),
        ("kill of a task", {"503": CLIENTS + 1}, 1),
    ],
)
def test_each_thing_may_cost_what_it_must_and_no_more(
    name: str, lost: Mapping[str, int], too_many: int
) -> None:
    service: Any = Anything()
    assert excess(events_of(service)[name], lost) == too_many


def test_losses_are_those_since_by_their_cause() -> None:
    load: Any = Anything()
    load.statuses, load.broken = Counter({200: 10, 502: 1, 503: 4}), 2
    before = Losses(by_cause={"502": 1, "503": 1, NO_ANSWER: 0})
    assert Losses.of(load).since(before).by_cause == {"503": 3, NO_ANSWER: 2}


@pytest.mark.parametrize(("growth", "told"), [(0.0, 0.0), (0.05, 3.0)])
def test_memory_is_judged_after_what_is_loaded_at_first(growth: float, told: float) -> None:
    loading = [(float(at), 100.0 + 10 * at) for at in range(10)]
    later = [(float(at), 200.0 + growth * at) for at in range(10, 30)]
    plane = Plane.of("data plane", [*loading, *later])
    assert plane.growth == told
    assert (plane.first_mib, plane.last_mib) == (100.0, round(later[-1][1], 1))


def test_the_table_adds_up_what_happened_more_than_once() -> None:
    lost = [{}, {"502": 1}, {"502": 2, NO_ANSWER: 1}]
    happened = [
        Happened(what="kill of a task", seconds=1.0, sent=10, lost=each, excess=0) for each in lost
    ]
    _, row = table(happened)
    assert row.split(maxsplit=6)[4:] == ["3", "30", "3 lost: 502, 1 lost: no answer"]
