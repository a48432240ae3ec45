"""Builds of `backend/` as somebody has it who works on it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.support.docker_engine import (
    DockerEngine,
)
from tests.support.project.project_folder import PROJECT

BACKEND = PROJECT / "backend"
BASE = "node:16-slim"
VERSION = "1.2.3"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE = "https://example.com/prod-e"
SECRET = f"secret-{uuid4().hex}"
# What lies about in the folder of somebody who works on the service.
PLANTED = (
    *(".env", ".env.production", "src/.env.local", ".npmrc", ".git/config"),
    *("src/server.key", "src/server.pem", "npm-debug.log", "NOTES.md", "src/NOTES.md"),
    *("test/planted.js", "src/planted.test.ts", "coverage/planted.json"),
    *("node_modules/planted/index.js", "src/node_modules/planted/index.js", "dist/planted.js"),
)


@dataclass(frozen=True, kw_only=True)
class Images:
    """The two stages of the Dockerfile, by the name of their image."""

    builder: str
    production: str


def working_copy(folder: Path) -> Path:
    shutil.copytree(
        BACKEND, folder, symlinks=True, ignore=shutil.ignore_patterns("node_modules", "dist")
    )
    for name in PLANTED:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"//registry.example.com/:_authToken={SECRET}\n")
    return folder


@contextmanager
def built(docker: DockerEngine, folder: Path, **build_args: str) -> Iterator[Images]:
    # The classic builder keeps an earlier stage as an image without a name; with one it goes too.
    with (
        docker.built(folder, target="builder", build_args=build_args) as builder,
        docker.built(folder, build_args=build_args) as production,
    ):
        yield Images(builder=builder, production=production)
