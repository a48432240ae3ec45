"""Runs Terraform for several stacks at once, as many as this machine has room for."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import psutil

T = TypeVar("T")
R = TypeVar("R")

# Terraform with the AWS provider, which holds the schemas of all its resources.
_RUN_MIB = 600


def runs_at_once(*, cores: int, available_mib: int) -> int:
    """How many runs of Terraform fit a machine, at least one; `available_mib`: its free memory."""
    return max(min(cores, available_mib // _RUN_MIB), 1)


async def for_each(items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> Sequence[R]:
    """Does the work for each, as many at once as there is room for; results are in their order.

    Raises the first error, once the others have been interrupted and have ended.
    """
    room = asyncio.Semaphore(
        runs_at_once(
            cores=_usable_cores(), available_mib=psutil.virtual_memory().available // 2**20
        )
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


def _usable_cores() -> int:
    """The cores that this process may use, where the system tells: a container may have fewer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
