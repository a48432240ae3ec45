"""A project, an AWS with a registry behind a network, and the docker tool of one user."""

import contextlib
import json
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prod_e.delivery.build_context import read_build_context
from tests.support.aws.registry import (
    Network,
)
from tests.support.command.forked_command import PROD_E, run_prod_e
from tests.support.project.project_world import ProjectWorld

PUSH_SECONDS = 120

REPOSITORY = "tiny-e-api"
SETTINGS = """
name = "tiny-e"
[services.api]
build = "external"
"""
DOCKERFILE = """
FROM scratch
COPY . /
ARG VERSION
ARG COMMIT
ENV VERSION=${VERSION} COMMIT=${COMMIT}
"""


@dataclass(kw_only=True)
class World(ProjectWorld):
    """A project, an AWS with a registry behind a network, and the docker tool of one user.

    `docker_log`: the arguments of every docker command.
    """

    network: Network

    @property
    def docker_log(self) -> str:
        return (self.folder / "docker.log").read_text()

    @property
    def built(self) -> int:
        return sum(line.startswith("build ") for line in self.docker_log.splitlines())

    def push(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = run_prod_e(
            "push",
            "api",
            *arguments,
            folder=self.project,
            variables={**self.variables, **variables},
            timeout_seconds=PUSH_SECONDS,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def pushed(self, *arguments: str, **variables: str) -> dict[str, Any]:
        done = self.push(*arguments, "--json", **variables)
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    @contextlib.contextmanager
    def pushing(self, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [PROD_E, "push", "api", *arguments],
            cwd=self.project,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def settings(self, text: str) -> None:
        (self.project / "environments" / "tiny-e.toml").write_text(text)

    def change(self, content: str) -> str:
        """Changes what is built; gives the tag of the new content."""
        (self.source / "file").write_text(content)
        return self.content_tag()

    def content_tag(self, architecture: str = "x86_64") -> str:
        return f"content-{read_build_context(self.source, architecture=architecture).content_hash}"

    def tags(self) -> dict[str, str]:
        return self.registry.tags(REPOSITORY)

    def assert_no_credentials_left(self) -> None:
        for password in self.network.passwords:
            secrets = (password.encode(), b64encode(f"AWS:{password}".encode()))
            for file in (path for path in self.folder.rglob("*") if path.is_file()):
                content = file.read_bytes()
                assert not any(secret in content for secret in secrets), file
        assert list((self.folder / "tmp").iterdir()) == []
        assert not (self.folder / "home" / ".docker").exists()
