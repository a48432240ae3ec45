"""Where this program waits in threads: AWS's SDK blocks, and the rest of the program does not."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """What a call of boto3 gives, waited for in a thread; raises what it raises.

    A command that is interrupted does not wait for its end.
    """
    return await asyncio.to_thread(call)
