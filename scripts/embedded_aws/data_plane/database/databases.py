"""DB instances: a PostgreSQL server for each, with the password that its secret has."""

import asyncio
import errno
import json
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from embedded_aws.certificates import CertificateAuthority
from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.database.postgresql import PostgreSqlError, Server, find_programs
from embedded_aws.data_plane.logs import LogStreams
from embedded_aws.data_plane.runtimes.docker.task_network import (
    BEHIND_VIRTUAL_MACHINE,
    LOOPBACK,
    SHARED,
    TaskNetwork,
)
from embedded_aws.protocol import DatabaseReport, DatabasesReport, DesiredDatabase
from embedded_aws.whole_file import write_whole

_TAIL_SECONDS = 0.5
_FAILOVER_SECONDS = 2.0
"""How long nothing answers when an instance restarts; RDS takes some 60 to 120 seconds."""


class Databases:
    """All DB instances of this data plane, and their snapshots."""

    def __init__(
        self, configuration: Configuration, *, authority: CertificateAuthority, logs: LogStreams
    ) -> None:
        self.network: TaskNetwork = SHARED
        """From where tasks reach instances."""
        self._configuration = configuration
        self._authority = authority
        self._logs = logs
        self._folder = configuration.state_folder / "databases"
        self._snapshots = configuration.state_folder / "snapshots"
        self._databases: dict[str, _Database] = {}
        self._wanted_snapshots: Mapping[str, str] = {}

    def follow(self, desired: Mapping[str, DesiredDatabase], snapshots: Mapping[str, str]) -> None:
        """Follows the instances that are desired, by resource id, and their snapshots."""
        self._wanted_snapshots = snapshots
        for id, wanted in desired.items():
            if id not in self._databases:
                self._databases[id] = _Database(
                    folder=self._folder / id,
                    configuration=self._configuration,
                    authority=self._authority,
                    logs=self._logs,
                    snapshots=self._snapshots,
                    network=self.network,
                )
            self._databases[id].desired = wanted
            self._databases[id].wanted_snapshots = self._missing_snapshots(id)
        for id in set(self._databases) - set(desired):
            self._databases[id].wanted_snapshots = self._missing_snapshots(id)
            self._databases[id].is_deleted = True
            if self._databases[id].runner.done():
                del self._databases[id]
        if self._snapshots.exists():
            for folder in self._snapshots.iterdir():
                if folder.name not in snapshots and not folder.name.endswith(".partial"):
                    shutil.rmtree(folder, ignore_errors=True)

    def report(self) -> DatabasesReport:
        """What is: `instances` by resource id, and the `snapshots` that are there."""
        return {
            "instances": {id: each.as_json() for id, each in self._databases.items()},
            "snapshots": [name for name in self._wanted_snapshots if self._has(name)],
        }

    async def stop(self) -> None:
        """Stops all servers."""
        for each in self._databases.values():
            each.is_stopped = True
        await asyncio.gather(
            *(each.runner for each in self._databases.values()), return_exceptions=True
        )

    def _missing_snapshots(self, id: str) -> list[str]:
        return [
            name for name, of in self._wanted_snapshots.items() if of == id and not self._has(name)
        ]

    def _has(self, snapshot: str) -> bool:
        return (self._snapshots / snapshot).exists()


class _Database:
    """One instance, which a task of its own keeps as desired."""

    def __init__(
        self,
        *,
        folder: Path,
        configuration: Configuration,
        authority: CertificateAuthority,
        logs: LogStreams,
        snapshots: Path,
        network: TaskNetwork,
    ) -> None:
        self.desired: Mapping[str, Any] = {}
        self.wanted_snapshots: list[str] = []
        self.is_deleted = False
        self.is_stopped = False
        self.runner = asyncio.ensure_future(self._run())
        self._folder = folder
        self._configuration = configuration
        self._authority = authority
        self._logs = logs
        self._snapshots = snapshots
        self._network = network
        self._status = "creating"
        self._known: dict[str, Any] = {"restarts": 0, "password_digest": None}

    def as_json(self) -> DatabaseReport:
        """For the report."""
        is_up = self._status != "creating"
        return {
            "status": self._status,
            "address": self._known.get("address") if is_up else None,
            "port": self._known.get("port") if is_up else None,
            "restarts": self._known["restarts"],
            "password_digest": self._known["password_digest"],
        }

    async def _run(self) -> None:
        await asyncio.sleep(0)
        try:
            near = [*self._configuration.sources.values(), Path.cwd()]
            programs = find_programs(self._configuration.postgresql_folder, near=near)
            server = Server(self._folder, programs, self._configuration.heartbeat)
            await self._begin(server)
        except (PostgreSqlError, OSError, asyncpg.PostgresError) as error:
            print(f"The DB instance cannot be created: {error}", file=sys.stderr)
            self._status = "failed"
            return
        tail = asyncio.ensure_future(self._export_log())
        try:
            while not (self.is_deleted or self.is_stopped):
                try:
                    await self._keep_up(server)
                except (PostgreSqlError, OSError, asyncpg.PostgresError) as error:
                    print(f"The DB instance: {error}", file=sys.stderr)
                    await asyncio.sleep(1)
                await asyncio.sleep(0.1)
        finally:
            tail.cancel()
        await server.stop()
        if kept := self._kept(server):
            await asyncio.to_thread(_replace, server.data, kept)
        if self.is_deleted:
            for name in self.wanted_snapshots:
                await asyncio.to_thread(_keep, server.data, self._snapshots / name)
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _begin(self, server: Server) -> None:
        state = self._folder / "state.json"
        if state.exists():
            self._known = json.loads(state.read_text("utf-8"))
            if not await server.adopt():
                await server.start()
        else:
            self._folder.mkdir(parents=True, mode=0o700)
            self._folder.parent.chmod(0o755)
            origin = self.desired["restored_from"]
            kept = self._kept(server)
            if origin:
                await asyncio.to_thread(_keep, self._snapshots / origin, server.data)
            elif kept and kept.exists():
                await asyncio.to_thread(_keep, kept, server.data)
            else:
                await server.initialise()
            address, port = _place(int(self.desired["port"]), self._network)
            self._known |= {
                "address": address,
                "port": port,
                "restarts": self.desired["restarts"],
                "password_digest": None,
            }
            self._configure(server)
            await server.start()
            await self._make_user_and_database(server)
        await self._set_password(server)
        self._status = "available"

    def _kept(self, server: Server) -> Path | None:
        """Where its data is kept: another version of PostgreSQL could not read it."""
        folder = self._configuration.databases_folder
        if folder is None:
            return None
        named = (self.desired[key] for key in ("identifier", "user", "database"))
        return folder / "-".join([*map(str, named), "postgresql", server.major_version])

    def _configure(self, server: Server) -> None:
        server.configure(
            address=self._known["address"],
            listens_on=LOOPBACK if self._network is BEHIND_VIRTUAL_MACHINE else None,
            port=self._known["port"],
            parameters=self.desired["parameters"],
            authority=self._authority,
        )

    async def _make_user_and_database(self, server: Server) -> None:
        user, database = _name(self.desired["user"]), self.desired["database"]
        async with server.administration() as connection:
            if await connection.fetchval(
                "SELECT 1 FROM pg_roles WHERE rolname = $1", self.desired["user"]
            ):
                return
            await connection.execute("CREATE ROLE rds_superuser NOLOGIN")
            # The master user is no superuser.
            await connection.execute(f"CREATE ROLE {user} LOGIN CREATEDB CREATEROLE")
            await connection.execute(f"GRANT rds_superuser, pg_monitor TO {user}")
            await connection.execute(f"GRANT ALL ON DATABASE postgres TO {user}")
            if database and database != "postgres":
                await connection.execute(f"CREATE DATABASE {_name(database)} OWNER {user}")

    async def _keep_up(self, server: Server) -> None:
        if server.process is None or server.process.exit_status() is not None:
            # A server that crashed recovers by itself.
            await server.start()
        if self._known["restarts"] != self.desired["restarts"]:
            self._status = "rebooting"
            wanted = self.desired["restarts"]
            await server.stop()
            self._configure(server)
            await asyncio.sleep(_FAILOVER_SECONDS)
            await server.start()
            self._known["restarts"] = wanted
            self._remember()
            self._status = "available"
        if self._known["password_digest"] != self.desired["password_digest"]:
            await self._set_password(server)
        for name in self.wanted_snapshots:
            if not (self._snapshots / name).exists():
                partial = self._snapshots / f"{name}.partial"
                await server.copy_to(partial)
                partial.rename(self._snapshots / name)

    async def _set_password(self, server: Server) -> None:
        wanted = self.desired
        quoted = wanted["password"].replace("'", "''")
        async with server.administration() as connection:
            await connection.execute(f"ALTER ROLE {_name(wanted['user'])} PASSWORD '{quoted}'")
        self._known["password_digest"] = wanted["password_digest"]
        self._remember()

    def _remember(self) -> None:
        write_whole(self._folder / "state.json", json.dumps(self._known))

    async def _export_log(self) -> None:
        """Passes the server's log on where it is to be exported."""
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html
        identifier = self.desired["identifier"]
        log = self._logs.stream(f"/aws/rds/instance/{identifier}/postgresql", f"{identifier}.0")
        with (self._folder / "process" / "output").open("rb") as output:
            rest = b""
            while True:
                *lines, rest = (rest + output.read()).split(b"\n")
                if "postgresql" in self.desired["exported_logs"]:
                    for line in lines:
                        log(line.decode("utf-8", "replace"))
                await asyncio.sleep(_TAIL_SECONDS)


def _place(port: int, network: TaskNetwork) -> tuple[str, int]:
    """An address that reaches this machine and has the port free, so that instances keep theirs.

    Where all of 127.0.0.0/8 is this machine, as on Linux, each instance has an address of its own;
    elsewhere, and for tasks that do not share this machine's network, the first has the port, and
    others any.
    """
    for _ in range(100 if network.is_shared and sys.platform == "linux" else 0):
        address = ".".join(["127", *(str(1 + secrets.randbelow(253)) for _ in range(3))])
        if _is_free(address, port):
            return address, port
    here = network.gateway or LOOPBACK
    if _is_free(here, port):
        return network.machine, port
    with socket.socket() as any_port:
        any_port.bind((here, 0))
        return network.machine, int(any_port.getsockname()[1])


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind((address, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
                return False
            raise
    return True


def _keep(data: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.copytree(data, partial, dirs_exist_ok=True)
    partial.rename(folder)


def _replace(data: Path, kept: Path) -> None:
    """Keeps data in place of what was kept before, which is there until the new is complete."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    former = kept.with_name(f"{kept.name}.former")
    partial = kept.with_name(f"{kept.name}.partial")
    for each in (former, partial):
        shutil.rmtree(each, ignore_errors=True)
    shutil.copytree(data, partial, ignore=shutil.ignore_patterns("postmaster.*"))
    if kept.exists():
        kept.rename(former)
    partial.rename(kept)
    shutil.rmtree(former, ignore_errors=True)


def _name(text: str) -> str:
    """A name as SQL quotes it."""
    quoted = text.replace('"', '""')
    return f'"{quoted}"'
