"""A data plane's Docker, in memory."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.runtimes.docker import runtime as module
from tests.unit.embedded_aws.docker.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A data plane whose daemon has an image, on the network of this machine."""
    loop = asyncio.Runner()
    world = World(
        loop=loop,
        configuration=Configuration(
            endpoint_url="http://127.0.0.1:1",
            account_id="123456789012",
            region="us-west-2",
            state_folder=tmp_path / "state",
            cache_folder=tmp_path / "cache",
        ),
    )
    world.engine.images["app:latest"] = {"Architecture": "amd64"}

    class Watch:
        def __init__(self, engine: object, configuration: object) -> None:
            assert engine is world.engine
            assert configuration is world.configuration

        async def start(self, image: str) -> None:
            world.watched.append(f"watches as {image} over {sorted(world.engine.containers)}")

        async def end(self) -> None:
            assert not world.engine.is_closed
            world.watched.append("ended")

    monkeypatch.setattr(module, "DockerWatch", Watch)
    with loop:
        yield world
