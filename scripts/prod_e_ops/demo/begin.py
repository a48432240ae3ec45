"""The beginning that the demo and `prod-e local` share: Terraform, the embedded AWS, a project."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from embedded_aws import ACCOUNT_ID, EmbeddedAws
from prod_e_ops.context import Context
from prod_e_ops.demo.checks import clients_of
from prod_e_ops.demo.infrastructure.infrastructure import Infrastructure
from prod_e_ops.demo.life import Life, shown_service
from prod_e_ops.demo.live.delivery import AsContainers, AsProcesses, Delivery, remove_images
from prod_e_ops.demo.live.guest import Guest
from prod_e_ops.demo.project_copy import copy_project
from prod_e_ops.demo.report import Report
from prod_e_ops.demo.run import STOP_TIMEOUT_SECONDS, Run, report_step
from prod_e_ops.errors import DockerUnavailable, UserMistake
from prod_e_ops.images.docker.docker_daemon import why_no_docker
from prod_e_ops.terraform.find import find_terraform

if TYPE_CHECKING:
    from prod_e.settings import Environment


_RARE_GARBAGE_COLLECTION = {"GOGC": "400", "GOMEMLIMIT": "600MiB"}
"""For Terraform and its providers, which spend a fifth of their time on it while schemas are read.

https://pkg.go.dev/runtime#hdr-Environment_Variables
"""


class Runtime(StrEnum):
    """What tasks run on."""

    AUTO = "auto"
    DOCKER = "docker"
    PROCESS = "process"


@asynccontextmanager
async def begin(
    context: Context,
    environment: "Environment",
    *,
    report: Report,
    runtime: Runtime,
    databases_folder: Path | None = None,
    with_guest: bool = False,
) -> AsyncIterator[Life]:
    """Starts an embedded AWS for an environment, which ends with the block, with all that it runs.

    What is deployed is a copy of the project: in the user's is the state of real deployments.
    `databases_folder`: keeps the data of databases; None: nothing does. `with_guest`: whether
    another service may join it for a while.
    """
    async with AsyncExitStack() as resources:
        terraform = await resources.enter_async_context(
            find_terraform(
                context.processes,
                cache_folder=context.project.folder / ".cache" / "terraform-providers",
            )
        )
        scratch = Path(
            resources.enter_context(
                tempfile.TemporaryDirectory(prefix="prod-e-demo-", ignore_cleanup_errors=True)
            )
        )
        (scratch / "project").mkdir()
        project = copy_project(context.project, environment, scratch / "project")
        model = shown_service(environment) if with_guest else None
        guest = model and Guest.of(environment, project, model=model, scratch=scratch)
        with report_step(context, report, "Start the embedded AWS") as step:
            no_images = await _why_no_images(runtime)
            delivery: Delivery = AsProcesses() if no_images else AsContainers()
            report.runtime = delivery.runtime
            data_plane = delivery.data_plane(project, guest.environment if guest else environment)
            aws = EmbeddedAws(
                region=environment.region,
                account_id=environment.account or ACCOUNT_ID,
                data_plane=replace(data_plane, databases_folder=databases_folder),
            )
            if delivery.runtime == "docker":
                # After its end, when no container uses them any more.
                resources.push_async_callback(_remove_images, context, aws)
            resources.enter_context(aws)
            on = {"docker": "in Docker", "process": "as processes"}[delivery.runtime]
            step.outcome = f"{aws.endpoint_url}, tasks run {on}"
        context.terminal.say(f"  Watch it in a browser: {aws.page_url}")
        run = Run(
            environment=environment,
            project=project,
            context=context,
            report=report,
            clients=clients_of(aws),
            variables=aws.environment(os.environ),
            embedded=aws,
        )
        infrastructure = Infrastructure(
            run=run,
            terraform=terraform.with_environment(
                {
                    **_RARE_GARBAGE_COLLECTION,
                    **aws.environment(terraform.environment),
                    # A Terraform that is killed leaves its providers' sockets there.
                    "TMPDIR": str(scratch),
                    # No lock file is kept: what is in the cache was verified when it came.
                    "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
                },
                stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
                # The stacks' own folders go away in the end.
                logs=context.project.folder / ".cache" / "demo",
            ),
            no_images=no_images,
        )
        yield Life(
            run=run,
            delivery=delivery,
            infrastructure=infrastructure,
            scratch=scratch,
            guest=guest or None,
        )


def refuse_existing(environment: "Environment") -> None:
    """Raises `UserMistake` for settings that name what only the user's account has."""
    balancer = environment.load_balancer
    named = [
        *environment.existing,
        *(["load_balancer.hosted_zone_id"] if balancer.hosted_zone_id else []),
        *(["load_balancer.certificate_arn"] if balancer.certificate_arn else []),
    ]
    if named:
        raise UserMistake(
            f"{environment.file} names what the embedded AWS does not have: {', '.join(named)}.",
            next_step="Copy the file under another name without these, and run the command again,"
            " on that.",
        )


async def _remove_images(context: Context, aws: EmbeddedAws) -> None:
    await remove_images(aws.registry_address, context.processes)


async def _why_no_images(runtime: Runtime) -> str | None:
    """Why tasks run as processes; None: Docker builds and runs images."""
    if runtime == Runtime.PROCESS:
        return "--runtime process does without Docker"
    reason = (
        await why_no_docker()
        if sys.platform == "linux"
        else "containers share this machine's network, which takes Docker on Linux"
    )
    if reason and runtime == Runtime.DOCKER:
        raise DockerUnavailable(f"Tasks cannot run in Docker: {reason}.")
    return reason
