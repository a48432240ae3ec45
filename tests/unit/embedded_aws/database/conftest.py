from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws.data_plane.database import databases as module
from tests.unit.embedded_aws.database.databases_world import Hurried, Server, World


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    for name, value in {"told": [], "configured": [], "is_up": False}.items():
        monkeypatch.setattr(Server, name, value, raising=False)
    monkeypatch.setattr(module, "Server", Server)
    monkeypatch.setattr(module, "asyncio", Hurried())
    monkeypatch.setattr(module, "find_programs", lambda *_, **__: Path("/programs"))
    yield Server


@pytest.fixture
def world(tmp_path: Path, server: type[Server]) -> World:
    del server  # It has taken the place of PostgreSQL.
    return World(tmp_path)
