"""The data plane's loop: it reports what is, and brings about what should be."""

import asyncio
import contextlib
import json
import sys
import time

import aiohttp
from aiohttp import web

from embedded_aws.certificates import CertificateAuthority
from embedded_aws.data_plane.aws import clients_of
from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.database.databases import Databases
from embedded_aws.data_plane.gateway import pass_on
from embedded_aws.data_plane.kept_process import PATIENCE_SECONDS
from embedded_aws.data_plane.load_balancer.balancers import Balancers
from embedded_aws.data_plane.load_balancer.figures import Figures
from embedded_aws.data_plane.logs import LogStreams
from embedded_aws.data_plane.runtimes.available import Runtimes
from embedded_aws.data_plane.tasks.task_environment import TaskEnvironment
from embedded_aws.data_plane.tasks.tasks import Tasks
from embedded_aws.data_plane.tasks.utilization import Utilization
from embedded_aws.whole_file import write_whole

_EXCHANGE_SECONDS = 0.1
_BEAT_SECONDS = 1.0
_STOP_TIMEOUT_SECONDS = 3.0
"""How long tasks have when everything ends; nobody waits for them any more."""


class DataPlane:
    """All that runs here."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        clients = clients_of(configuration)
        authority = CertificateAuthority(configuration.certificate_authority_file)
        self._environment = TaskEnvironment(configuration, clients)
        self._logs = LogStreams(clients)
        self._runtimes = Runtimes(configuration, clients)
        self._tasks = Tasks(
            configuration,
            runtime_of=self._runtimes.of,
            environment=self._environment,
            logs=self._logs,
        )
        self._databases = Databases(configuration, authority=authority, logs=self._logs)
        self._figures = Figures(
            clients, account_id=configuration.account_id, region=configuration.region
        )
        tls_folder = configuration.state_folder / "listeners"
        tls_folder.mkdir(exist_ok=True)
        self._balancers = Balancers(
            figures=self._figures,
            tls=authority.tls(tls_folder, names=("localhost", "127.0.0.1")),
            address=self._tasks.address,
            ports_file=tls_folder / "ports.json",
        )
        self._utilization = Utilization(clients, running=self._tasks.running)

    async def run(self) -> None:
        """Follows the control plane until standard input closes or the control plane is gone."""
        network = await self._runtimes.begin()
        self._databases.network = network
        credentials = await self._serve_credentials()
        gateway = await pass_on(self._configuration.endpoint_url, to_address=network.gateway)
        background = [
            asyncio.ensure_future(self._beat()),
            asyncio.ensure_future(self._logs.run()),
            asyncio.ensure_future(self._figures.run()),
            asyncio.ensure_future(self._utilization.run()),
        ]
        closed = asyncio.ensure_future(asyncio.to_thread(sys.stdin.buffer.read))
        following = asyncio.ensure_future(self._follow())
        await asyncio.wait({closed, following}, return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await asyncio.gather(
            self._balancers.stop(),
            self._tasks.stop_all(within_seconds=_STOP_TIMEOUT_SECONDS),
            self._databases.stop(),
        )
        for each in background:
            each.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        # Without it, keepers end what has not ended yet.
        self._configuration.heartbeat.unlink(missing_ok=True)
        await self._tasks.stop_all(within_seconds=_STOP_TIMEOUT_SECONDS)
        await self._runtimes.close()
        await credentials.cleanup()
        if gateway:
            gateway.close()

    async def _follow(self) -> None:
        url = f"{self._configuration.endpoint_url}/_embedded/exchange"
        last_heard = time.monotonic()
        async with aiohttp.ClientSession() as session:
            while time.monotonic() - last_heard < PATIENCE_SECONDS:
                report = {
                    "tasks": self._tasks.report(),
                    "targets": self._balancers.target_report(),
                    "listeners": self._balancers.listener_report(),
                    "requests": self._figures.totals(),
                    "databases": self._databases.report(),
                }
                try:
                    async with session.post(
                        url, data=json.dumps(report), timeout=aiohttp.ClientTimeout(total=30)
                    ) as answer:
                        answer.raise_for_status()
                        desired = await answer.json()
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    print(f"The control plane does not answer: {error}", file=sys.stderr)
                    await asyncio.sleep(1)
                    continue
                last_heard = time.monotonic()
                self._tasks.follow(desired["tasks"])
                self._databases.follow(desired["databases"], desired["snapshots"])
                await self._balancers.follow(desired["load_balancers"], desired["target_groups"])
                await asyncio.sleep(_EXCHANGE_SECONDS)

    async def _beat(self) -> None:
        while True:
            self._configuration.heartbeat.touch()
            await asyncio.sleep(_BEAT_SECONDS)

    async def _serve_credentials(self) -> web.AppRunner:
        """The container credentials endpoint."""

        # https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
        async def credentials(request: web.Request) -> web.Response:
            found = await self._environment.credentials(request.match_info["token"])
            if found is None:
                return web.json_response({"message": "No such task."}, status=404)
            return web.json_response(found)

        app = web.Application()
        app.router.add_get("/credentials/{token}", credentials)
        runner = web.AppRunner(app)
        await runner.setup()
        # The same after a restart: tasks know it.
        known = self._configuration.state_folder / "credentials-port"
        port = int(known.read_text("utf-8")) if known.exists() else 0
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        here = runner.addresses[0][1]
        write_whole(known, str(here))
        self._environment.credentials_url = f"http://127.0.0.1:{here}/credentials"
        return runner
