"""What a data plane is started with."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Runtime = Literal["auto", "docker", "process"]
DockerNetwork = Literal["auto", "bridge", "host"]


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a data plane needs to know, besides what the control plane desires.

    `state_folder`: what is remembered from one data plane to the next. `cache_folder`: builds of
    sources. `sources`: the source folder of each ECR repository, for tasks that run as processes.
    `runtime`: `docker`, `process`, or `auto`: a container where a daemon answers and the image's
    repository has no source folder. `docker_network`: `bridge`, `host`, or `auto`: the bridge where
    the daemon has one and no processes are to reach containers. `task_environment`: variables that
    every task gets on top of its definition; `{free_port}`, `{listen_address}`,
    `{certificate_authority_file}` and `{image_digest}` in them are replaced.
    `postgresql_folder`: where PostgreSQL's programs are; None: looked for.
    `databases_folder`: where databases' data is kept when it ends; None: nowhere.
    """

    endpoint_url: str
    account_id: str
    region: str
    state_folder: Path
    cache_folder: Path
    sources: dict[str, Path] = field(default_factory=dict)
    runtime: Runtime = "auto"
    docker_network: DockerNetwork = "auto"
    task_environment: dict[str, str] = field(default_factory=dict)
    postgresql_folder: Path | None = None
    databases_folder: Path | None = None

    @property
    def heartbeat(self) -> Path:
        """The file whose time changes every second while the data plane is alive."""
        return self.heartbeat_in(self.state_folder)

    @staticmethod
    def heartbeat_in(state_folder: Path) -> Path:
        """The same of any data plane's state folder."""
        return state_folder / "heartbeat"

    @staticmethod
    def words_in(state_folder: Path) -> Path:
        """The file of a data plane's state folder that says on what tasks run, for people."""
        return state_folder / "tasks-run"

    @property
    def certificate_authority_file(self) -> Path:
        """The certificate that signs those of databases and listeners, in PEM."""
        return self.state_folder / "certificate-authority.pem"

    def to_json(self) -> str:
        """For the environment of the data plane's process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Configuration":
        """The inverse of `to_json`."""
        values = json.loads(text)
        for name in ("state_folder", "cache_folder", "postgresql_folder", "databases_folder"):
            values[name] = Path(values[name]) if values[name] else None
        values["sources"] = {name: Path(folder) for name, folder in values["sources"].items()}
        return cls(**values)
