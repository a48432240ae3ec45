"""What is kept of a DB instance: its snapshots, and its data where it is to be kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.embedded_aws.database.databases_world import ID, Server, World


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
