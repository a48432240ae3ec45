"""Stacks are planned beside each other, as many as there is room for."""

import asyncio

import pytest

from prod_e_ops.terraform.parallel import for_each, runs_at_once


@pytest.mark.parametrize(
    ("cores", "available_mib", "expected"),
    [
        (2, 16_000, 2),
        (8, 1_900, 3),
        (8, 100, 1),
        (1, 16_000, 1),
    ],
)
def test_cores_and_memory_say_how_many_runs_there_are_at_once(
    cores: int, available_mib: int, expected: int
) -> None:
    assert runs_at_once(cores=cores, available_mib=available_mib) == expected


def test_results_are_in_the_order_of_what_was_asked_and_no_more_run_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prod_e_ops.terraform.parallel.runs_at_once", lambda **_: 2)
    running, most = 0, 0

    async def work(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        # The later ones have less to do.
        for _ in range(10 - item):
            await asyncio.sleep(0)
        running -= 1
        return item * item

    assert asyncio.run(_all(work)) == [0, 1, 4, 9, 16]
    assert most == 2


async def _all(work: object) -> object:
    return await for_each(range(5), work)  # type: ignore[arg-type]


def test_one_failure_interrupts_the_others_and_is_told_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prod_e_ops.terraform.parallel.runs_at_once", lambda **_: 2)
    interrupted = []

    async def work(item: int) -> None:
        if item:
            raise LookupError(item)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            interrupted.append(item)
            raise

    with pytest.raises(LookupError):
        asyncio.run(_all(work))
    assert interrupted == [0]
