"""What becomes of a DB instance: what its server is told, what is reported, and what is kept."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.database import databases as module
from embedded_aws.data_plane.database.databases import Databases
from embedded_aws.data_plane.database.postgresql import PostgreSqlError
from embedded_aws.data_plane.runtimes.docker.task_network import (
    BEHIND_VIRTUAL_MACHINE,
    LOOPBACK,
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


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    for name, value in {"told": [], "configured": [], "is_up": False}.items():
        monkeypatch.setattr(Server, name, value, raising=False)
    monkeypatch.setattr(module, "Server", Server)
    monkeypatch.setattr(module, "asyncio", Hurried())
    monkeypatch.setattr(module, "find_programs", lambda *_, **__: Path("/programs"))
    yield Server


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


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def statements(server: type[Server]) -> Sequence[str]:
    return [each for each in server.told if " " in each]


def test_an_instance_is_made_with_its_user_database_and_password(
    world: World, server: type[Server]
) -> None:
    async def work() -> None:
        world.follow()
        assert world.instance == {
            "status": "creating", "address": None, "port": None, "restarts": 0,
            "password_digest": None,
        }  # fmt: skip
        await world.until_available()
        assert world.instance["password_digest"] == "1"
        assert world.instance["address"].startswith("127.")
        assert world.instance["port"] == 5432

    world.run(work)
    assert server.told == [
        "initialise",
        "start",
        "CREATE ROLE rds_superuser NOLOGIN",
        'CREATE ROLE "app" LOGIN CREATEDB CREATEROLE',
        'GRANT rds_superuser, pg_monitor TO "app"',
        'GRANT ALL ON DATABASE postgres TO "app"',
        'CREATE DATABASE "notes" OWNER "app"',
        "ALTER ROLE \"app\" PASSWORD 'it''s'",
        "stop",
    ]
    (given,) = server.configured
    told = dict(given)
    assert told.pop("address").startswith("127.")
    assert told == {
        "listens_on": None, "port": 5432, "parameters": {"work_mem": "8MB"},
        "authority": "authority",
    }  # fmt: skip
    assert world.folder.stat().st_mode & 0o077 == 0
    # Its owner is another user, who has to reach it.
    assert world.folder.parent.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("database", [None, "postgres"])
def test_no_database_is_made_where_none_is_named(
    world: World, server: type[Server], database: str | None
) -> None:
    async def work() -> None:
        world.follow(database=database)
        await world.until_available()

    world.run(work)
    assert not any("CREATE DATABASE" in each for each in server.told)


def test_names_are_quoted(world: World, server: type[Server]) -> None:
    async def work() -> None:
        world.follow(database='a"b')
        await world.until_available()

    world.run(work)
    assert 'CREATE DATABASE "a""b" OWNER "app"' in server.told


def test_a_new_password_is_set_and_remembered(world: World, server: type[Server]) -> None:
    async def work() -> None:
        world.follow()
        await world.until_available()
        server.told.clear()
        world.follow(password="other", password_digest="2")
        await world.until(lambda: world.instance["password_digest"] == "2")
        assert json.loads((world.folder / "state.json").read_text())["password_digest"] == "2"

    world.run(work)
    assert server.told == ["ALTER ROLE \"app\" PASSWORD 'other'", "stop"]


def test_a_restart_is_one_with_the_parameters_of_now(world: World, server: type[Server]) -> None:
    async def work() -> None:
        world.follow()
        await world.until_available()
        server.told.clear()
        world.follow(restarts=1, parameters={"work_mem": "9MB"})
        await world.until(lambda: world.instance["status"] == "rebooting")
        assert world.instance["restarts"] == 0
        assert world.instance["address"]
        await world.until_available()
        assert world.instance["restarts"] == 1
        assert json.loads((world.folder / "state.json").read_text())["restarts"] == 1

    world.run(work)
    assert server.told == ["stop", "start", "stop"]
    assert [told["parameters"]["work_mem"] for told in server.configured] == ["8MB", "9MB"]
    assert len({(told["address"], told["port"]) for told in server.configured}) == 1


def test_a_server_that_crashed_is_started_again(world: World, server: type[Server]) -> None:
    async def work() -> None:
        world.follow()
        await world.until_available()
        server.told.clear()
        server.is_up = False
        await world.until(lambda: server.told)

    world.run(work)
    assert server.told == ["start", "stop"]


def test_what_fails_meanwhile_is_told_and_tried_again(
    world: World,
    server: type[Server],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fails = [PostgreSqlError("no room")]

    async def copy_to(_: Server, folder: Path) -> None:
        if fails:
            raise fails.pop()
        folder.mkdir(parents=True)

    monkeypatch.setattr(Server, "copy_to", copy_to)

    async def work() -> None:
        world.follow(snapshots={"first": ID})
        await world.until(lambda: world.databases.report()["snapshots"])

    world.run(work)
    assert "The DB instance: no room" in capsys.readouterr().err


def test_an_instance_that_cannot_be_made_has_failed(
    world: World,
    server: type[Server],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(server, "refuses", "initdb failed")

    async def work() -> None:
        world.follow()
        await world.until(lambda: world.instance["status"] == "failed")

    world.run(work)
    assert "The DB instance cannot be created: initdb failed" in capsys.readouterr().err
    assert server.told == []


def test_a_snapshot_is_there_when_it_is_whole_and_goes_when_it_is_deleted(
    world: World, server: type[Server]
) -> None:
    async def work() -> None:
        wanted = {"first": ID, "others": "db-OTHER"}
        world.follow(snapshots=wanted)
        assert world.databases.report()["snapshots"] == []
        await world.until(lambda: world.databases.report()["snapshots"])
        assert world.databases.report()["snapshots"] == ["first"]
        assert [path.name for path in world.snapshots.iterdir()] == ["first"]
        (world.snapshots / "second.partial").mkdir()
        world.follow(snapshots=wanted)
        assert (world.snapshots / "first").exists()
        world.follow()
        assert [path.name for path in world.snapshots.iterdir()] == ["second.partial"]

    world.run(work)
    assert [each for each in server.told if each.startswith("copy")] == ["copy to first.partial"]


def test_an_instance_that_is_deleted_leaves_its_last_snapshot_and_nothing_else(
    world: World, server: type[Server]
) -> None:
    async def work() -> None:
        world.follow()
        await world.until_available()

        def is_gone() -> bool:
            world.databases.follow({}, {"last": ID})
            return not world.databases.report()["instances"]

        await world.until(is_gone)
        assert world.databases.report()["snapshots"] == ["last"]

    world.run(work)
    assert server.told[-1] == "stop"
    assert not world.folder.exists()
    assert (world.snapshots / "last" / "made").read_text() == "anew"


def test_an_instance_begins_with_the_snapshot_that_it_is_restored_from(
    world: World, server: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "has_user", True)
    (world.snapshots / "first").mkdir(parents=True)
    (world.snapshots / "first" / "made").write_text("before")

    async def work() -> None:
        world.follow(restored_from="first", snapshots={"first": "db-OTHER"})
        await world.until_available()

    world.run(work)
    assert server.told == ["start", "ALTER ROLE \"app\" PASSWORD 'it''s'", "stop"]
    assert (world.folder / "data" / "made").read_text() == "before"


@pytest.mark.parametrize("runs", [True, False])
def test_another_data_plane_goes_on_with_what_is_there(
    world: World, server: type[Server], monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    places = []

    async def work() -> None:
        world.follow()
        await world.until_available()
        places.append((world.instance["address"], world.instance["port"]))

    world.run(work)
    server.told.clear()
    monkeypatch.setattr(server, "runs_already", runs)
    world.run(work)
    assert places[0] == places[1]
    assert server.told == ["adopt", "start", "ALTER ROLE \"app\" PASSWORD 'it''s'", "stop"]


def test_data_is_kept_from_one_to_the_next_by_names_and_version(
    world: World, server: type[Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world.configuration = replace(world.configuration, databases_folder=tmp_path / "kept")

    async def work() -> None:
        world.follow()
        await world.until_available()

    world.run(work)
    kept = tmp_path / "kept" / "notes-app-notes-postgresql-16"
    assert [path.name for path in kept.iterdir()] == ["made"]
    (kept / "made").write_text("kept")
    later = World(tmp_path / "later")
    later.configuration = replace(later.configuration, databases_folder=tmp_path / "kept")

    async def again() -> None:
        later.follow()
        await later.until_available()
        (later.folder / "data" / "made").write_text("changed")

    server.told.clear()
    later.run(again)
    assert "initialise" not in server.told
    assert (kept / "made").read_text() == "changed"
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


@pytest.mark.parametrize(("exported", "is_told"), [(["postgresql"], True), (["upgrade"], False)])
def test_its_log_is_passed_on_where_it_is_exported(
    world: World, exported: list[str], is_told: bool
) -> None:
    async def work() -> None:
        world.follow(exported_logs=exported)
        await world.until_available()
        output = world.folder / "process" / "output"
        with output.open("ab") as log:
            log.write(b"first\nsec")
            log.flush()
            await asyncio.sleep(0.05)
            log.write(b"ond \xff\n")
        await (world.until(lambda: len(world.lines) > 1) if is_told else asyncio.sleep(0.05))

    world.run(work)
    name = "/aws/rds/instance/notes/postgresql notes.0"
    assert world.lines == ([f"{name} first", f"{name} second \ufffd"] if is_told else [])


@pytest.mark.parametrize(
    ("network", "platform", "taken", "expected"),
    [
        (SHARED, "linux", set(), ("127.", 5432)),
        # Only Linux has all of 127.0.0.0/8.
        (SHARED, "darwin", set(), (LOOPBACK, 5432)),
        (ON_BRIDGE, "linux", set(), ("172.17.0.1", 5432)),
        (BEHIND_VIRTUAL_MACHINE, "linux", set(), ("host.docker.internal", 5432)),
        (BEHIND_VIRTUAL_MACHINE, "linux", {LOOPBACK}, ("host.docker.internal", None)),
        (SHARED, "darwin", {LOOPBACK}, (LOOPBACK, None)),
    ],
)
def test_an_instance_has_its_port_where_tasks_reach_it(
    monkeypatch: pytest.MonkeyPatch,
    network: TaskNetwork,
    platform: str,
    taken: set[str],
    expected: tuple[str, int | None],
) -> None:
    tried = []

    def is_free(address: str, port: int) -> bool:
        tried.append(address)
        assert port == 5432
        return address not in taken

    monkeypatch.setattr(module, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(module, "_is_free", is_free)
    address, port = module._place(5432, network)
    assert address.startswith(expected[0])
    if expected[1]:
        assert port == expected[1]
    else:
        assert port not in (0, 5432)
    if expected[0] == "127.":
        # None of 0 and 255, which are no address of a machine's, nor the usual 127.0.0.1.
        monkeypatch.setattr(module, "secrets", SimpleNamespace(randbelow=lambda _: 0))
        assert module._place(5432, network)[0] == "127.1.1.1"
        monkeypatch.setattr(module, "secrets", SimpleNamespace(randbelow=lambda number: number - 1))
        assert module._place(5432, network)[0] == "127.253.253.253"
    else:
        assert tried == [ON_BRIDGE.machine if network is ON_BRIDGE else LOOPBACK]


@pytest.mark.parametrize(
    ("network", "listens_on"), [(BEHIND_VIRTUAL_MACHINE, LOOPBACK), (SHARED, None)]
)
def test_it_listens_where_the_virtual_machine_leads_to(
    world: World,
    server: type[Server],
    monkeypatch: pytest.MonkeyPatch,
    network: TaskNetwork,
    listens_on: str | None,
) -> None:
    world.network = network
    monkeypatch.setattr(module, "_is_free", lambda *_: True)

    async def work() -> None:
        world.follow()
        await world.until_available()

    world.run(work)
    assert server.configured[0]["listens_on"] == listens_on


def test_a_place_where_something_listens_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        port = taken.getsockname()[1]
        assert not module._is_free(LOOPBACK, port)
    assert module._is_free(LOOPBACK, port)
    # An address of somebody else's.
    assert not module._is_free("192.0.2.1", port)
    with pytest.raises(OSError, match="family"):
        module._is_free("::1", port)
