"""DB instances of a data plane whose PostgreSQL notes what it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.database.databases import Databases
from embedded_aws.data_plane.database.postgresql import PostgreSqlError
from embedded_aws.data_plane.runtimes.docker.task_network import (
    SHARED,
    TaskNetwork,
)

ID = "db-ABC"
ON_BRIDGE = TaskNetwork(mode="bridge", machine="172.17.0.1", words="on the bridge")
WANTED: Mapping[str, Any] = {
    "identifier": "notes",
    "user": "app",
    "database": "notes",
    "port": 5432,
    "password": "it's",
    "password_digest": "1",
    "parameters": {"work_mem": "8MB"},
    "restarts": 0,
    "restored_from": None,
    "exported_logs": [],
}


class Server:
    """A PostgreSQL that notes what it is told."""

    told: list[str]
    configured: list[Mapping[str, Any]]
    has_user = False
    runs_already = False
    refuses: str | None = None
    is_up = False

    def __init__(self, folder: Path, programs: Path, heartbeat: Path) -> None:
        assert programs == Path("/programs")
        assert heartbeat.name == "heartbeat"
        self.folder, self.data = folder, folder / "data"
        self.process: Any = None
        self.major_version = "16"

    async def initialise(self) -> None:
        if self.refuses:
            raise PostgreSqlError(self.refuses)
        self.data.mkdir()
        (self.data / "made").write_text("anew")
        (self.data / "postmaster.pid").touch()
        self.told.append("initialise")

    def configure(self, **told: Any) -> None:
        self.configured.append(told)

    async def start(self) -> None:
        self.told.append("start")
        output = self.folder / "process" / "output"
        output.parent.mkdir(exist_ok=True)
        output.touch()
        Server.is_up = True
        self.process = SimpleNamespace(exit_status=lambda: None if Server.is_up else 1)

    async def adopt(self) -> bool:
        self.told.append("adopt")
        if self.runs_already:
            await self.start()
        return self.runs_already

    async def stop(self) -> None:
        self.told.append("stop")

    async def copy_to(self, folder: Path) -> None:
        self.told.append(f"copy to {folder.name}")
        folder.mkdir(parents=True)

    @asynccontextmanager
    async def administration(self) -> AsyncIterator[Any]:
        async def execute(sql: str) -> None:
            self.told.append(sql)

        async def fetchval(sql: str, user: str) -> bool:
            assert (sql, user) == ("SELECT 1 FROM pg_roles WHERE rolname = $1", "app")
            return self.has_user

        yield SimpleNamespace(execute=execute, fetchval=fetchval)


class Hurried:
    """asyncio, whose clock is fifty times as fast."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def sleep(self, seconds: float) -> Awaitable[None]:
        return asyncio.sleep(seconds / 50)


class World:
    """Databases of a data plane, and what they are told of the instance."""

    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        self.configuration = Configuration(
            endpoint_url="http://127.0.0.1:1",
            account_id="123456789012",
            region="us-west-2",
            state_folder=folder / "state",
            cache_folder=folder / "cache",
        )
        self.folder = folder / "state" / "databases" / ID
        self.snapshots = folder / "state" / "snapshots"
        self.network = SHARED
        self.databases: Any = None

    def stream(self, group: str, name: str) -> Callable[[str], None]:
        return lambda line: self.lines.append(f"{group} {name} {line}")

    def follow(self, *, snapshots: Mapping[str, str] | None = None, **changes: Any) -> None:
        self.databases.follow({ID: {**WANTED, **changes}}, snapshots or {})

    @property
    def instance(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.databases.report()["instances"][ID]
        return found

    async def until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not done():
                await asyncio.sleep(0.002)

    async def until_available(self) -> None:
        await self.until(lambda: self.instance["status"] == "available")

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does something with databases, which are stopped in the end."""

        async def live() -> None:
            self.databases = Databases(
                self.configuration,
                authority=cast("Any", "authority"),
                logs=cast("Any", SimpleNamespace(stream=self.stream)),
            )
            self.databases.network = self.network
            await work()
            await self.databases.stop()

        asyncio.run(live())
