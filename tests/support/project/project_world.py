"""A project in a folder of its own, beside an AWS with a registry."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded_aws import EmbeddedAws
from tests.support.aws.aws_clients import client_of
from tests.support.aws.registry import Registry


@dataclass(kw_only=True)
class ProjectWorld:
    """A project whose service `api` is built, and the variables of the user who does it."""

    folder: Path
    registry: Registry
    aws: EmbeddedAws
    variables: dict[str, str]

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def source(self) -> Path:
        return self.project / "api"

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        return subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.project,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def delete_repositories(self) -> None:
        client = client_of(self.aws, "ecr")
        for repository in client.describe_repositories()["repositories"]:
            client.delete_repository(repositoryName=repository["repositoryName"], force=True)
        client.close()

    def create_repository(self, name: str, **arguments: Any) -> None:
        client = client_of(self.aws, "ecr")
        client.create_repository(repositoryName=name, **arguments)
        client.close()
