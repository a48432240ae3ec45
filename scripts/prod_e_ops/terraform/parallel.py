"""Runs Terraform for several stacks at once, as many as this machine has room for."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Terraform with the AWS provider, which holds the schemas of all its resources.
_RUN_MIB = 600


def runs_at_once(*, cores: int, available_mib: int | None) -> int:
    """How many runs of Terraform this machine has room for, at least one.

    `available_mib`: the memory that is free; absent: nobody knows, so only the cores count.
    """
    room = cores if available_mib is None else min(cores, available_mib // _RUN_MIB)
    return max(room, 1)


async def for_each(items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> Sequence[R]:
    """Does the work for each, as many at once as there is room for; results are in their order.

    Raises the first error, once the others have been interrupted and have ended.
    """
    room = asyncio.Semaphore(
        runs_at_once(cores=len(os.sched_getaffinity(0)), available_mib=_available_mib())
        if hasattr(os, "sched_getaffinity")
        else runs_at_once(cores=os.cpu_count() or 1, available_mib=None)
    )

    async def run(item: T) -> R:
        async with room:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(item)) for item in items]
    except ExceptionGroup as errors:
        error: Exception = errors
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    return [task.result() for task in tasks]


def _available_mib(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = meminfo.read_text("ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) // 1024 if found else None
