"""Which runtime a container of an image gets."""

from embedded_aws.data_plane.aws import Clients
from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.runtimes.docker_runtime import DockerRuntime
from embedded_aws.data_plane.runtimes.process_runtime import ProcessRuntime, repository_of
from embedded_aws.data_plane.runtimes.runtime import Runtime, StartError


class Runtimes:
    """A Docker daemon, if one answers, and processes of source folders."""

    def __init__(self, configuration: Configuration, clients: Clients) -> None:
        self._configuration = configuration
        self._clients = clients
        self._processes = ProcessRuntime(configuration)
        self._docker: DockerRuntime | None = None

    async def of(self, image: str) -> Runtime:
        """The runtime of an image; raises `StartError` if it is Docker and no daemon answers."""
        has_source = repository_of(image) in self._configuration.sources
        chosen = self._configuration.runtime
        if chosen == "process" or (chosen == "auto" and has_source):
            return self._processes
        if self._docker is None:
            try:
                self._docker = await DockerRuntime.connect(self._configuration, self._clients)
            except OSError as error:
                if chosen == "auto":
                    return self._processes
                raise StartError(
                    f"CannotStartContainerError: no Docker daemon answers: {error}"
                ) from None
        return self._docker

    async def close(self) -> None:
        """Ends what watches over containers."""
        if self._docker:
            await self._docker.close()
