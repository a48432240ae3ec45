"""Which runtime a container of an image gets."""

import sys

from embedded_aws.data_plane.aws import Clients
from embedded_aws.data_plane.configuration import Configuration, DockerNetwork
from embedded_aws.data_plane.runtimes.docker.runtime import DockerRuntime
from embedded_aws.data_plane.runtimes.docker.task_network import SHARED, TaskNetwork
from embedded_aws.data_plane.runtimes.process_runtime import ProcessRuntime, repository_of
from embedded_aws.data_plane.runtimes.runtime import Runtime, StartError
from embedded_aws.whole_file import write_whole


class Runtimes:
    """A Docker daemon, if one answers, and processes of source folders."""

    def __init__(self, configuration: Configuration, clients: Clients) -> None:
        self._configuration = configuration
        self._clients = clients
        self._processes = ProcessRuntime(configuration)
        self._docker: DockerRuntime | None = None
        self._why_no_docker = ""

    async def begin(self) -> TaskNetwork:
        """Looks for a daemon where there are no processes; says where what tasks ask for is."""
        words = "as processes of this machine"
        network = SHARED
        if self._looks_at_once:
            await self._connect(self._configuration.docker_network)
            if self._docker:
                network = self._docker.network
                words = f"as containers {network.words}"
            elif self._configuration.runtime == "docker":
                words = f"nowhere: no Docker daemon answers: {self._why_no_docker}"
        write_whole(Configuration.words_in(self._configuration.state_folder), words)
        return network

    async def of(self, image: str) -> Runtime:
        """The runtime of an image; raises `StartError` if it is Docker and no daemon answers."""
        has_source = repository_of(image) in self._configuration.sources
        chosen = self._configuration.runtime
        if chosen == "process" or (chosen == "auto" and has_source):
            return self._processes
        if self._docker is None:
            # What tasks ask for is on loopback alone; and containers of a task reach one another,
            # whatever they run on.
            await self._connect("host" if sys.platform == "linux" else "auto")
        if self._docker is None:
            if chosen == "auto":
                return self._processes
            raise StartError(
                f"CannotStartContainerError: no Docker daemon answers: {self._why_no_docker}"
            )
        return self._docker

    async def close(self) -> None:
        """Ends what watches over containers."""
        if self._docker:
            await self._docker.close()

    @property
    def _looks_at_once(self) -> bool:
        configuration = self._configuration
        return configuration.runtime == "docker" or (
            configuration.runtime == "auto"
            and (not configuration.sources or configuration.docker_network == "bridge")
        )

    async def _connect(self, asked: DockerNetwork) -> None:
        try:
            self._docker = await DockerRuntime.connect(
                self._configuration, self._clients, asked=asked
            )
        except OSError as error:
            self._why_no_docker = str(error)
