"""`prod-e status`: the last deployment of each service, and whether it was kept."""

from typing import Annotated

import typer

from prod_e_ops import next_commands
from prod_e_ops.aws.account import check_account
from prod_e_ops.commands.arguments import EnvironmentOption, Json, service_keys
from prod_e_ops.context import Context, run
from prod_e_ops.errors import DeploymentFailed
from prod_e_ops.images.ecr import Repository
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.follow import failure, follow_deployment, service_statuses
from prod_e_ops.service.model import ServiceStatus
from prod_e_ops.service.render import status_lines
from prod_e_ops.service.results import ServiceResult, StatusResult
from prod_e_ops.terminal.json_output import to_json


def status(
    service: Annotated[
        str | None,
        typer.Argument(
            metavar="SERVICE",
            help="The key of a service: [services.KEY] (default: all of the environment).",
            show_default=False,
            autocompletion=service_keys,
        ),
    ] = None,
    environment: EnvironmentOption = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", "--follow", help="Follow a deployment under way to its end."),
    ] = False,
    json: Json = False,
) -> None:
    """Show the last deployment of each service, or follow it.

    Its state, tasks, image and events. The exit status is 1 if the last one failed or ECS rolled it
    back, which is told with the reason.

    Example: ./prod-e status backend --wait
    """
    run(lambda context: show_status(context, service, environment, wait=wait, as_json=json))


async def show_status(
    context: Context,
    key: str | None,
    environment_name: str | None,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Shows the last deployment of one service or of all; `wait` follows one under way first.

    Raises `OpsError` if the last deployment of one of them failed or was rolled back.
    """
    terminal = context.terminal
    environment = context.project.environment(environment_name)
    services = [Deployments(environment, each) for each in ([key] if key else environment.services)]
    await check_account(environment)
    statuses = await service_statuses(services)
    if wait and any(status.deployment.under_way for status in statuses):
        for status in statuses:
            if status.deployment.under_way:
                try:
                    await follow_deployment(environment, status.key, since=None, terminal=terminal)
                except DeploymentFailed:
                    # The status shows how it ended, and below it decides about the exit status.
                    continue
        statuses = await service_statuses(services)
    tags = {
        status.key: await _tags(service, status)
        for service, status in zip(services, statuses, strict=True)
    }
    if as_json:
        result = StatusResult(
            environment=environment.name,
            services=[ServiceResult.of(status, tags=tags[status.key]) for status in statuses],
        )
        terminal.result(to_json(result))
    else:
        for number, status in enumerate(statuses):
            if number:
                terminal.result("")
            for line in status_lines(status, tags=tags[status.key]):
                terminal.result(line)
    failed = [
        await failure(service, status.deployment)
        for service, status in zip(services, statuses, strict=True)
        if status.deployment.failed
    ]
    for earlier in failed[:-1]:
        terminal.error(earlier)
    if failed:
        raise failed[-1]
    if any(status.deployment.under_way for status in statuses):
        terminal.say("A deployment is under way.")
        terminal.hint(next_commands.status(key, environment=environment.name, wait=True))


async def _tags(service: Deployments, status: ServiceStatus) -> tuple[str, ...]:
    digest = status.deployment.revision.digest
    if digest is None:
        return ()
    repository = Repository(service.environment.region, service.names.repository)
    image = await repository.image(digest)
    return image.tags if image else ()
