"""A project whose images the real docker provider builds, and pushes to a real registry."""

import json
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from embedded_aws import EmbeddedAws
from prod_e_ops.context import Context
from prod_e_ops.errors import UserMistake
from prod_e_ops.images.image_plan import ImageOptions, ImagePlan
from prod_e_ops.project.project import Project
from prod_e_ops.stacks.images.image_apply import apply_images
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks, prepare_stacks
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terminal.terminal import Terminal
from tests.support.aws.aws_clients import client_of
from tests.support.aws.registry import Line, Registry, listening
from tests.support.docker_engine import DockerEngine, docker_or_skip
from tests.support.project.project_folder import PROJECT, prod_e
from tests.support.project.project_world import ProjectWorld

BASE_IMAGE = "node:16-slim"

# One source, two services. What makes AWS slow to create is left out.
SETTINGS = """
name = "tiny-e"
[services.api]
[services.worker]
source = "api"
path = "/worker/*"
[network]
nat_gateways = "single"
[load_balancer]
access_logs = false
deletion_protection = false
"""
API, WORKER = "tiny-e-api", "tiny-e-worker"

DOCKERFILE = f"""
FROM {BASE_IMAGE} AS builder
ARG COMMIT
COPY . /source
RUN sh /source/build.sh
FROM scratch
ARG COMMIT
LABEL commit=${{COMMIT}}
COPY --from=builder /built /
"""


class ImageStackSkippedError(Exception):
    """The image stack cannot be deployed here; the message says why."""


@dataclass(kw_only=True)
class World(ProjectWorld):
    """A project in git, an AWS with a line to its registry, and the machine that deploys."""

    docker: DockerEngine
    line: Line

    @property
    def stack(self) -> Path:
        return self.project / "cdktf.out" / "stacks" / "tiny-e-image"

    @property
    def state(self) -> Path:
        return self.project / "terraform.tiny-e-image.tfstate"

    @property
    def log(self) -> str:
        log = self.stack / "api-image.log"
        return log.read_text() if log.exists() else ""

    def prod_e(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = prod_e(self.project, *arguments, variables={**self.variables, **variables})
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def plan(self, options: ImageOptions | None = None) -> StackPlan:
        """Plans as `prod-e plan` does, the image stack alone."""
        return self.with_the_stack(lambda prepared: self.plan_with(prepared, options))

    def deploy(self, options: ImageOptions | None = None) -> ImagePlan:
        """Deploys as `prod-e deploy --yes` does, the image stack alone.

        Gives what was done to the image of the service api.
        """

        async def work(prepared: PreparedStacks) -> StackPlan:
            plan = await self.plan_with(prepared, options)
            if not plan.is_empty:
                await apply_images(prepared, plan, options or ImageOptions(), yes=True)
            return plan

        return self.with_the_stack(work).images[0]

    async def plan_with(
        self, prepared: PreparedStacks, options: ImageOptions | None = None
    ) -> StackPlan:
        for plan in await prepared.plan(options):
            return plan
        (skipped,) = prepared.skipped
        raise ImageStackSkippedError(f"{skipped.reason}.")

    def with_the_stack(self, work: Callable[[PreparedStacks], Awaitable[StackPlan]]) -> StackPlan:
        terminal = Terminal()
        processes = ChildProcesses(terminal.say)
        context = Context(
            project=Project(self.project, self.project / "cdktf.out"),
            terminal=terminal,
            processes=processes,
        )

        async def run() -> StackPlan:
            async with prepare_stacks(context, None, only=self.stack.name) as prepared:
                return await work(prepared)

        with pytest.MonkeyPatch.context() as patch:
            for name in set(os.environ) - set(self.variables):
                patch.delenv(name)
            for name, value in self.variables.items():
                patch.setenv(name, value)
            return processes.run(run())

    def change(self, content: str | None = None) -> str:
        """Changes and commits what is built; gives the commit."""
        (self.source / "content").write_text(content or uuid4().hex)
        return self.commit()

    def commit(self) -> str:
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.git("rev-parse", "HEAD")[:12]

    def terraform(self, *arguments: str) -> str:
        """Plain Terraform in the image stack's folder, as its documentation says it is used."""
        done = subprocess.run(
            ["terraform", *arguments, "-no-color"],
            cwd=self.stack,
            env={**self.variables, **self._cli_configuration()},
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _cli_configuration(self) -> dict[str, str]:
        from prod_e_ops.terraform.providers.mirror import find_provider_source

        text = find_provider_source(self.variables).cli_configuration()
        if text is None:
            return {}
        file = self.folder / "terraform.rc"
        file.write_text(text)
        return {"TF_CLI_CONFIG_FILE": str(file)}

    def tags(self, repository: str = API) -> dict[str, str]:
        return self.registry.tags(repository)

    def tell(self, tag: str) -> str:
        """The commit that an image tells."""
        labels: dict[str, str] = self.registry.image(API, tag)["config"]["Labels"]
        return labels["commit"][:12]

    def lose(self, tag: str, repository: str = API) -> None:
        """Takes a tag away, as somebody could do in the console."""
        client = client_of(self.aws, "ecr")
        client.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
        client.close()

    def become_another_machine(self) -> None:
        """One that has this project, and neither the state nor the images that it built."""
        for file in self.project.glob("terraform.tiny-e-image.tfstate*"):
            file.unlink()
        self.remove_local_images()

    def remove_local_images(self) -> None:
        self.docker.remove_images(f"{self.line.host}/*")


@contextmanager
def empty_account(folder: Path) -> Iterator[World]:
    """A project in an account without anything in it; skips the test where it cannot be played."""
    with ExitStack() as stack:
        docker = docker_or_skip(BASE_IMAGE)
        line = stack.enter_context(listening(Line()))
        aws = stack.enter_context(EmbeddedAws(registry_host=line.host))
        registry = Registry(aws=aws)
        line.to_port = registry.port
        variables = aws.environment()
        # The provider has BuildKit in itself, with or without the command's plugin.
        variables.pop("DOCKER_BUILDKIT", None)
        world = World(
            folder=folder,
            docker=docker,
            registry=registry,
            line=line,
            aws=aws,
            variables={**variables, "SSL_CERT_FILE": str(aws.certificate_authority_file)},
        )
        stack.callback(world.remove_local_images)
        _make_project(world)
        try:
            world.plan()
        except (ImageStackSkippedError, UserMistake) as missing:
            pytest.skip(f"The image stack is not tested: {missing}")
        yield world
        assert aws.failed_calls == ()


def _make_project(world: World) -> None:
    for name in ("environments", "api"):
        (world.project / name).mkdir(parents=True)
    for name in ("main.py", "cdktf.json"):
        shutil.copy(PROJECT / name, world.project)
    (world.project / "node_modules").symlink_to(PROJECT / "node_modules")
    (world.project / "environments" / "tiny-e.toml").write_text(SETTINGS)
    (world.source / "Dockerfile").write_text(DOCKERFILE)
    (world.source / ".dockerignore").write_text("tests\n")
    (world.source / "build.sh").write_text("cp /source/content /built\n")
    (world.project / ".gitignore").write_text("cdktf.out\nterraform.*\nnode_modules\n")
    world.git("init", "--quiet")
    world.change()
    # ECR's host cannot be had on a machine: the registry here has another name.
    world.stack.mkdir(parents=True)
    (world.stack / "registry_override.tf.json").write_text(
        json.dumps({"locals": {"registry": world.line.host}})
    )
