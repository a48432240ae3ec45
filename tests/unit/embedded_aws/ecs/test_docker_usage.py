"""What a container of the embedded AWS uses, by what Docker's daemon answers."""

import asyncio
from typing import Any, cast

import pytest

from embedded_aws.data_plane.runtimes.docker.engine import DockerEngine, DockerError
from embedded_aws.data_plane.runtimes.docker.runtime import DockerContainer
from embedded_aws.data_plane.runtimes.runtime import Start, Usage

STATS = {
    "memory_stats": {"usage": 300, "stats": {"inactive_file": 100}},
    "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
}


class Engine:
    """A daemon that answers every call alike."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def call(self, *_: object, **__: object) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def usage(answer: Any) -> Usage | None:
    engine, start = cast("DockerEngine", Engine(answer)), cast("Start", None)
    return asyncio.run(DockerContainer(engine, "id", None, start).usage())


def test_what_is_cached_of_files_is_no_use_of_memory() -> None:
    assert usage(STATS) == Usage(cpu_seconds=2.5, memory_bytes=200)


@pytest.mark.parametrize("answer", ["", {"memory_stats": {}}, DockerError(404, "no container")])
def test_nothing_is_known_of_a_container_that_ends(answer: Any) -> None:
    assert usage(answer) is None
