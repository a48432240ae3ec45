"""Starts the data plane, and starts it again when it dies."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from embedded_aws.data_plane.configuration import Configuration, DockerNetwork, Runtime

_STOP_TIMEOUT_SECONDS = 20
_PAUSE_SECONDS = 0.2


def default_cache_folder() -> Path:
    """Where builds are kept from one embedded AWS to the next."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "embedded-aws"


@dataclass(frozen=True, kw_only=True)
class DataPlane:
    """That tasks, load balancers and databases run for real, and how.

    `sources`: the source folder of ECR repositories, by their names; tasks of their images run as
    processes: `npm ci`, the scripts `build` and `start` of its package.json. `runtime`: `auto` is
    Docker for all other images where a daemon answers; `docker` or `process` is for all.
    `docker_network`: of containers; `host` is this machine's, `bridge` Docker's own, `auto` is
    `bridge` where the daemon has one and no tasks run as processes. `task_environment`: variables
    that each task gets on top of its definition; in them, `{free_port}` is a port of this machine
    that is free, `{listen_address}` the address to listen on, `{certificate_authority_file}` the
    certificate to trust for databases, and `{image_digest}` what ECR says of the image.
    `postgresql_folder`: has the programs initdb and postgres; default: looked for, in
    `node_modules` of source folders too. `cache_folder`: builds of sources.
    `databases_folder`: where data of DB instances is put in the end, and what an instance of the
    same identifier, master user, database and major version of PostgreSQL begins with; default:
    data ends with everything else.
    """

    sources: Mapping[str, Path] = field(default_factory=dict)
    runtime: Runtime = "auto"
    docker_network: DockerNetwork = "auto"
    task_environment: Mapping[str, str] = field(default_factory=dict)
    postgresql_folder: Path | None = None
    cache_folder: Path = field(default_factory=default_cache_folder)
    databases_folder: Path | None = None

    def configuration(
        self, *, endpoint_url: str, account_id: str, region: str, state_folder: Path
    ) -> Configuration:
        """What its process is told."""
        return Configuration(
            endpoint_url=endpoint_url,
            account_id=account_id,
            region=region,
            state_folder=state_folder,
            cache_folder=self.cache_folder,
            sources={name: Path(folder).resolve() for name, folder in self.sources.items()},
            runtime=self.runtime,
            docker_network=self.docker_network,
            task_environment=dict(self.task_environment),
            postgresql_folder=self.postgresql_folder,
            databases_folder=self.databases_folder,
        )


class DataPlaneProcess:
    """The process of a data plane. `environment`: what it, and npm in it, get of this one's."""

    def __init__(self, configuration: Configuration, *, environment: Mapping[str, str]) -> None:
        self._configuration = configuration
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Its number."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts it, and a thread that starts it again whenever it dies."""
        self._process = self._started()
        self._thread = threading.Thread(target=self._start_again, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it and all that it runs."""
        self._is_stopping.set()
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=_STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._thread:
            self._thread.join(timeout=_STOP_TIMEOUT_SECONDS)

    def _started(self) -> "subprocess.Popen[bytes]":
        with (self._configuration.state_folder / "data-plane.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "embedded_aws.data_plane"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={
                    **self._environment,
                    "EMBEDDED_AWS_CONFIGURATION": self._configuration.to_json(),
                },
                # Ctrl-C in a terminal is for those who use it.
                start_new_session=True,
            )

    def _start_again(self) -> None:
        while not self._is_stopping.is_set():
            assert self._process is not None and self._process.stdin is not None
            self._process.wait()
            self._process.stdin.close()
            if self._is_stopping.wait(_PAUSE_SECONDS):
                return
            self._process = self._started()
