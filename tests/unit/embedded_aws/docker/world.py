"""A data plane's Docker, in memory."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import EndpointConnectionError

from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.runtimes.docker.runtime import DockerRuntime
from embedded_aws.data_plane.runtimes.docker.task_network import SHARED, TaskNetwork
from tests.unit.embedded_aws.docker.memory_engine import MemoryEngine

T = TypeVar("T")


class Ecr:
    """The registry's control plane. `is_away`: it does not answer."""

    is_away = False

    def get_authorization_token(self) -> Any:
        if self.is_away:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        token = base64.b64encode(b"AWS:canary").decode()
        return {
            "authorizationData": [
                {"authorizationToken": token, "proxyEndpoint": "http://127.0.0.1:5000"}
            ]
        }


@dataclass(kw_only=True)
class World:
    """A data plane. `watched`: what became of what watches over its containers."""

    configuration: Configuration
    loop: asyncio.Runner
    engine: MemoryEngine = field(default_factory=MemoryEngine)
    ecr: Ecr = field(default_factory=Ecr)
    network: TaskNetwork = SHARED
    watched: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def run(self, work: Callable[[DockerRuntime], Awaitable[T]]) -> T:
        """Does some work with a runtime of its own; what it began goes on with the next work."""

        async def run() -> T:
            return await work(self.runtime())

        return self.loop.run(run())

    def runtime(self) -> DockerRuntime:
        engine: Any = self.engine
        return DockerRuntime(
            engine, self.configuration, lambda name: {"ecr": self.ecr}[name], network=self.network
        )
