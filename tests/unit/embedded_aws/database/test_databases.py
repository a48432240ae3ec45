"""What becomes of a DB instance: what its server is told, and what is reported."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from embedded_aws.data_plane.database.postgresql import PostgreSqlError
from tests.unit.embedded_aws.database.databases_world import ID, Server, World


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
