"""Work that is done beside other work."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    """Does some work beside that of the block, whose end is its end, too."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        # What it raises is raised where it is awaited, or nobody needs it any more.
        await asyncio.gather(task, return_exceptions=True)
