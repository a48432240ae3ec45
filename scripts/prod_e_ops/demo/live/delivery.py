"""How a version of a service gets to its tasks: as an image, or as a folder in place of one."""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from embedded_aws import DataPlane
from prod_e.names import ServiceNames
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.live.versions import Version
from prod_e_ops.demo.report import Runtime
from prod_e_ops.demo.run import STOP_TIMEOUT_SECONDS, Run
from prod_e_ops.errors import DockerUnavailable, OpsError
from prod_e_ops.images.docker.docker import find_docker
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.processes import ChildProcesses

if TYPE_CHECKING:
    from prod_e.settings import Environment

# Tasks share this machine: each has ports of its own, and trusts the embedded AWS's databases.
_TASK_ENVIRONMENT = {
    "HOST": "{listen_address}",
    "METRICS_PORT": "{free_port}",
    "DB_CA_FILE": "{certificate_authority_file}",
}
_BEGIN_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.2
_LINES_SHOWN = 15


class Delivery(Protocol):
    """One of the ways. `runtime`: what tasks run on."""

    @property
    def runtime(self) -> Runtime: ...

    def data_plane(self, project: Project, environment: "Environment") -> DataPlane:
        """What runs the tasks."""

    async def prepare(self, run: Run, key: str, version: Version) -> None:
        """Builds a version ahead, so that its delivery takes from a cache; raises `OpsError`."""

    async def push(self, run: Run, key: str, version: Version) -> None:
        """Has ECR know a version as what the service follows; nothing runs it yet."""

    async def deploy(self, run: Run, key: str, version: Version, *, fails: bool = False) -> None:
        """Pushes a version, which deploys it, and follows that to its end.

        `fails`: whether ECS is to roll it back. Raises `OpsError` where it comes otherwise.
        """

    def told_version(self, version: Version) -> str:
        """What `VERSION` is in its tasks."""

    async def kill(self, run: Run, runtime_id: str) -> None:
        """Ends a container at once, without asking it to."""


@dataclass(frozen=True, kw_only=True)
class AsContainers:
    """Images, built by Docker and pushed to the embedded AWS's registry."""

    runtime: Runtime = "docker"

    def data_plane(self, project: Project, environment: "Environment") -> DataPlane:
        return DataPlane(
            sources=_sources(project, environment),
            runtime="docker",
            task_environment=_TASK_ENVIRONMENT,
        )

    async def prepare(self, run: Run, key: str, version: Version) -> None:
        docker = await find_docker(run.context.processes)
        await docker.build(
            version.folder,
            image=f"{run.aws.registry_address}/ahead:{version.tag}",
            platform=version.build.platform,
            build_args=version.build.build_args,
            network=run.environment.services[key].build_network,
            rebuild=False,
            on_step=lambda _: None,
        )

    async def push(self, run: Run, key: str, version: Version) -> None:
        _put(version, run.project.folder / run.environment.source_of(key))
        await run.prod_e("push", key, "--yes")

    async def deploy(self, run: Run, key: str, version: Version, *, fails: bool = False) -> None:
        _put(version, run.project.folder / run.environment.source_of(key))
        await run.prod_e("push", key, "--yes", "--wait", expected_status=int(fails))

    def told_version(self, version: Version) -> str:
        return version.build.content_hash

    async def kill(self, run: Run, runtime_id: str) -> None:
        finished = await run.call(["docker", "kill", runtime_id])
        if finished.status:
            raise OpsError(f"Docker does not kill {runtime_id}: {finished.stderr.strip()}")


async def remove_images(registry: str, processes: ChildProcesses) -> None:
    """Removes this machine's copies of what a registry has: nobody can pull them any more."""

    async def docker(*arguments: str) -> str:
        finished = await processes.call(
            ["docker", *arguments],
            folder=Path.cwd(),
            environment=os.environ,
            stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
        )
        return finished.stdout

    # By their names: by its id, an image goes that another demo has built of the same content, too.
    shown = ["--format", "{{.Repository}}:{{.Tag}}"]
    listed = (await docker("image", "ls", *shown, f"{registry}/*")).split()
    if names := [name for name in listed if not name.endswith(":<none>")]:
        await docker("image", "rm", *names)


@dataclass(frozen=True, kw_only=True)
class AsProcesses:
    """Folders in place of images: ECR has a manifest alone, and tasks are processes."""

    runtime: Runtime = "process"

    def data_plane(self, project: Project, environment: "Environment") -> DataPlane:
        for key in environment.services:
            source = environment.source_of(key)
            if not (project.folder / source / "package.json").is_file():
                raise DockerUnavailable(
                    f"Without Docker, tasks of {key} cannot run: {source} has no package.json, and"
                    " only Node.js projects run as processes.",
                    next_step="Start Docker (https://docs.docker.com/get-docker), or name its"
                    " daemon in DOCKER_HOST, and run the command again.",
                )
        return DataPlane(
            sources=_sources(project, environment),
            runtime="process",
            task_environment={**_TASK_ENVIRONMENT, "VERSION": "{image_digest}"},
        )

    async def prepare(self, run: Run, key: str, version: Version) -> None:
        finished = await run.call(
            [sys.executable, "-P", "-m", "embedded_aws.build", str(version.folder)]
        )
        if finished.status:
            raise OpsError(
                "The service cannot be built:",
                details=finished.stderr.strip().splitlines()[-_LINES_SHOWN:],
            )

    async def push(self, run: Run, key: str, version: Version) -> None:
        _put(version, run.project.folder / run.environment.source_of(key))
        service = run.environment.services[key]
        repository = ServiceNames.of(run.environment.name, key, service).repository
        manifest = _manifest(version)

        def put() -> None:
            for tag in version.build.tags:
                run.clients("ecr").put_image(
                    repositoryName=repository, imageManifest=manifest, imageTag=tag
                )

        await in_thread(put)

    async def deploy(self, run: Run, key: str, version: Version, *, fails: bool = False) -> None:
        before = await in_thread(lambda: _newest_deployment(run, key))
        await self.push(run, key, version)
        async with asyncio.timeout(_BEGIN_TIMEOUT_SECONDS):
            while await in_thread(lambda: _newest_deployment(run, key)) == before:
                await asyncio.sleep(_POLL_SECONDS)
        await run.prod_e("status", key, "--wait", expected_status=int(fails))

    def told_version(self, version: Version) -> str:
        # By it ECR knows what it was told of.
        return f"sha256:{hashlib.sha256(_manifest(version).encode()).hexdigest()}"

    async def kill(self, run: Run, runtime_id: str) -> None:
        os.kill(int(runtime_id.removeprefix("process-")), signal.SIGKILL)


def _sources(project: Project, environment: "Environment") -> Mapping[str, Path]:
    return {
        ServiceNames.of(environment.name, key, service).repository: project.folder
        / environment.source_of(key)
        for key, service in environment.services.items()
    }


def _put(version: Version, source: Path) -> None:
    """Makes a version the source that is built, or that runs as a process."""
    shutil.copytree(version.folder, source, dirs_exist_ok=True)


def _manifest(version: Version) -> str:
    """What ECR is told of a version without an image: its content hash, and no layer.

    https://github.com/opencontainers/image-spec/blob/main/manifest.md
    """
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                "size": 2,
            },
            "layers": [],
            "annotations": {"org.opencontainers.image.version": version.build.content_hash},
        }
    )


def _newest_deployment(run: Run, key: str) -> str:
    names = ServiceNames.of(run.environment.name, key, run.environment.services[key])
    deployments = run.clients("ecs").list_service_deployments(
        cluster=run.environment.names.cluster, service=names.service
    )["serviceDeployments"]
    newest = max(deployments, key=lambda each: each["createdAt"])
    return str(newest["serviceDeploymentArn"])
