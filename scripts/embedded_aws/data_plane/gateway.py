"""The control plane for tasks that do not share this machine's network.

It listens on loopback alone; on the address of this machine that such tasks reach, the data plane
does in its place.
"""

import asyncio
import contextlib
from urllib.parse import urlsplit

_PART_BYTES = 1 << 16


async def pass_on(url: str, *, to_address: str | None) -> asyncio.Server | None:
    """Passes connections to the address on to what serves `url`, which has the same port there.

    None if there is no such address.
    """
    if to_address is None:
        return None
    place = urlsplit(url)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(place.hostname, place.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, back), _pump(there, writer))
        back.close()
        writer.close()

    return await asyncio.start_server(connected, to_address, place.port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await reader.read(_PART_BYTES):
            writer.write(part)
            await writer.drain()
        writer.write_eof()
