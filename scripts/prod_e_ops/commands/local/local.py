"""`prod-e local`: an environment to develop against, on an embedded AWS."""

import time
from dataclasses import replace
from typing import Annotated

import typer

from prod_e_ops.commands.arguments import (
    EnvironmentArgument,
    EnvironmentOption,
    Json,
    named_environment,
)
from prod_e_ops.commands.local.runtime_option import RuntimeOption
from prod_e_ops.context import Context, run
from prod_e_ops.demo.begin import Runtime, begin, refuse_existing
from prod_e_ops.demo.report import Report
from prod_e_ops.local.running import Place
from prod_e_ops.local.up import LocalEnvironment


def local(
    environment: EnvironmentArgument = None,
    named: EnvironmentOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Build each change of a source, and roll it out.")
    ] = False,
    keep_data: Annotated[
        bool,
        typer.Option("--keep-data", help="Keep the database's data for the next time, in .cache."),
    ] = False,
    logs: Annotated[bool, typer.Option("--logs/--no-logs", help="What containers write.")] = True,
    runtime: RuntimeOption = Runtime.AUTO,
    json: Json = False,
) -> None:
    """Run an environment on this machine to develop against.

    It is what a deployment makes, from the same JSON: a load balancer, tasks and a database that
    run, on an embedded AWS; no account is needed, and Ctrl-C ends it. Its state is apart from that
    of real deployments. Several environments can run side by side.

    Example: ./prod-e local --watch
    """
    run(
        lambda context: run_local(
            context,
            named_environment(environment, named),
            watch=watch,
            keep_data=keep_data,
            logs=logs,
            runtime=runtime,
            as_json=json,
        )
    )


async def run_local(
    context: Context,
    environment_name: str | None,
    *,
    watch: bool,
    keep_data: bool,
    logs: bool,
    runtime: Runtime,
    as_json: bool,
) -> None:
    """Brings an environment up and keeps it up until Ctrl-C, which leaves nothing behind.

    `watch`, `logs`, `as_json`: see `LocalEnvironment`. `keep_data`: keeps the data of its database.
    """
    began_at = time.monotonic()
    environment = context.project.environment(environment_name)
    refuse_existing(environment)
    place = Place.of(context.project, environment.name)
    with place.taken():
        async with begin(
            context,
            environment,
            report=Report(environment=environment.name),
            runtime=runtime,
            databases_folder=place.databases if keep_data else None,
        ) as life:
            # Nobody waits here for what the provider waits for.
            infrastructure = replace(life.infrastructure, at_once=True)
            await LocalEnvironment(
                life=replace(life, infrastructure=infrastructure),
                place=place,
                began_at=began_at,
                watches=watch,
                shows_logs=logs,
                prints_json=as_json,
            ).live()
