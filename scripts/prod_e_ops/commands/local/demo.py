"""`prod-e demo`: the life of an environment on an embedded AWS, from its plan to its end."""

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
from prod_e_ops.demo.report import Report, show
from prod_e_ops.terminal.json_output import to_json


def demo(
    environment: EnvironmentArgument = None,
    named: EnvironmentOption = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave it up until Ctrl-C, and print how to reach it."),
    ] = False,
    runtime: RuntimeOption = Runtime.AUTO,
    json: Json = False,
) -> None:
    """Show the whole life of an environment on an embedded AWS.

    It is planned, deployed, used, updated, broken, repaired and destroyed; no account is needed.
    Real Terraform with the real AWS provider does it, with the very JSON that would be deployed,
    and the service runs with a real database behind a load balancer. Nothing is left behind.

    Example: ./prod-e demo
    """
    run(
        lambda context: run_demo(
            context,
            named_environment(environment, named),
            keep=keep,
            runtime=runtime,
            as_json=json,
        )
    )


async def run_demo(
    context: Context,
    environment_name: str | None,
    *,
    keep: bool,
    runtime: Runtime,
    as_json: bool,
) -> None:
    """Runs the demo and shows its report; raises `OpsError` if anything is not as it should be.

    `keep`: leaves everything up, once it is checked, until Ctrl-C.
    """
    environment = context.project.environment(environment_name)
    refuse_existing(environment)
    report = Report(environment=environment.name)
    try:
        async with begin(
            context, environment, report=report, runtime=runtime, with_guest=True
        ) as life:
            await life.live(keep=keep)
        report.passed = True
    finally:
        if as_json:
            context.terminal.result(to_json(report.result()))
        else:
            show(report.result(), context.terminal)
