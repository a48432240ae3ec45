"""The registry's place on loopback: HTTP and TLS on one port.

Docker takes both on loopback; Terraform's docker provider takes TLS alone.
"""

import asyncio
import select
import shutil
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_TLS_HANDSHAKE = b"\x16"
_WAITING_CONNECTIONS = 128


class RegistryServer:
    """Takes connections from when it is made; what it needs is loaded with the first of them.

    `account_id`, `region`: whose repositories it has. `host`: what clients call it; default: its
    own address. `state_folder`: for blobs and the authority of its certificate. `state`: held while
    moto's state is read or changed. `load`: loads moto's ECR with its patches.
    """

    def __init__(
        self,
        *,
        account_id: str,
        region: str,
        host: str | None,
        state_folder: Path,
        state: threading.Lock,
        load: Callable[[], None],
    ) -> None:
        self._account_id = account_id
        self._region = region
        self._state_folder = state_folder
        self._state = state
        self._load = load
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_WAITING_CONNECTIONS)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        """Where it is."""
        self.host = host or self.address

    def start(self) -> None:
        """Serves in a thread."""
        threading.Thread(target=self._serve, daemon=True).start()

    def remove_blobs(self) -> None:
        """Removes what was pushed, at the end of everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _folder(self) -> Path:
        return self._state_folder / "registry"

    def _serve(self) -> None:
        select.select([self._socket], [], [])
        # Late, because most embedded AWSs never see a push.
        from aiohttp import web

        from embedded_aws.certificates import CertificateAuthority

        self._load()
        with self._state:
            from embedded_aws.control_plane.registry.blobs import Blobs
            from embedded_aws.control_plane.registry.images import Images
            from embedded_aws.control_plane.registry.protocol import Answer, Registry
        images = Images(account_id=self._account_id, region=self._region)

        async def ask(question: Callable[[Images], Answer]) -> Answer:
            def answer() -> Answer:
                with self._state:
                    return question(images)

            return await asyncio.to_thread(answer)

        async def run() -> None:
            registry = Registry(blobs=Blobs(self._folder), images=ask, host=self.host)
            runner = web.AppRunner(registry.app(), access_log=None)
            await runner.setup()
            assert runner.server is not None
            authority = CertificateAuthority(self._state_folder / "certificate-authority.pem")
            tls = authority.tls(self._folder, names=("localhost", "127.0.0.1"))
            await self._accept(runner.server, tls)

        asyncio.run(run())

    async def _accept(self, protocol: Callable[[], Any], tls: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        connecting: set[asyncio.Task[None]] = set()
        while True:
            connection, _ = await loop.sock_accept(self._socket)
            task = asyncio.create_task(_connect(connection, protocol, tls))
            connecting.add(task)
            task.add_done_callback(connecting.discard)


async def _connect(
    connection: socket.socket, protocol: Callable[[], Any], tls: ssl.SSLContext
) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection)
    try:
        begins_tls = connection.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
        await loop.connect_accepted_socket(protocol, connection, ssl=tls if begins_tls else None)
    except OSError:
        connection.close()
