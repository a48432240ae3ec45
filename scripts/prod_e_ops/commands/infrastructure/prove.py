"""`prod-e prove`: the life of a new environment in the user's account, and a report of it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from embedded_aws import ACCOUNT_ID, EmbeddedAws
from prod_e_ops import next_commands
from prod_e_ops.analysis.prices import AS_OF, hourly_prices, total
from prod_e_ops.aws.account import check_account
from prod_e_ops.commands.arguments import (
    EnvironmentArgument,
    EnvironmentOption,
    Json,
    Yes,
    named_environment,
)
from prod_e_ops.context import Context, run
from prod_e_ops.demo.checks import Clients, clients_of, clients_of_account
from prod_e_ops.demo.live.delivery import AsContainers, AsProcesses, Delivery
from prod_e_ops.demo.report import Report
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import DockerUnavailable, OpsError
from prod_e_ops.images.docker.docker_daemon import why_no_docker
from prod_e_ops.prove.environment import ProofFolder
from prod_e_ops.prove.life import ProvenLife
from prod_e_ops.prove.report import Proof, write
from prod_e_ops.terminal.json_output import to_json

if TYPE_CHECKING:
    from prod_e.settings import Environment

_HOURS = 2
"""What it takes at most: RDS and rollouts take minutes each."""


@dataclass(frozen=True, kw_only=True)
class ProveOptions:
    """What the user asks of a proof; see `prod-e prove --help`."""

    embedded: bool = False
    record: bool = False
    yes: bool = False
    as_json: bool = False


def prove(
    environment: EnvironmentArgument = None,
    named: EnvironmentOption = None,
    embedded: Annotated[
        bool,
        typer.Option("--embedded", help="On an embedded AWS on this machine, which costs nothing."),
    ] = False,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Keep AWS's answers, without account numbers, names, addresses and secrets.",
        ),
    ] = False,
    remove: Annotated[
        str | None,
        typer.Option("--remove", metavar="NAME", help="Remove what an earlier proof has left."),
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Take a new environment in your account through its life.

    It gets a name of its own and the settings of the one that is named; the cost is said and asked
    about first. It is planned, deployed, planned again, used, updated, broken, repaired, and
    destroyed, and nothing may be left. A report says what was found; it can be attached to a bug
    report.

    Example: ./prod-e prove staging-e
    """
    options = ProveOptions(embedded=embedded, record=record, yes=yes, as_json=json)
    if remove:
        run(lambda context: remove_proof(context, remove, options=options))
    else:
        run(
            lambda context: prove_environment(
                context, named_environment(environment, named), options=options
            )
        )


async def prove_environment(
    context: Context, environment_name: str | None, *, options: ProveOptions
) -> None:
    """Goes through the life, writes the report, and says what is left if it ends early."""
    given = context.project.environment(environment_name)
    if not options.embedded and (reason := await why_no_docker()):
        raise DockerUnavailable(f"Versions of the services are pushed as images: {reason}.")
    account = ACCOUNT_ID if options.embedded else await check_account(given)
    if not options.embedded:
        await _agree(context, given, account, yes=options.yes)
    kept = ProofFolder.new(context.project)
    environment = kept.copy(context.project, given, account=account, external=options.embedded)
    proof = _proof(environment, options)
    is_passed = False
    try:
        async with _life(context, kept, environment, proof, options) as life:
            await life.live()
            await life.end()
        proof.steps.passed = is_passed = True
    except OpsError as error:
        proof.failed += [error.message, *error.details]
        raise
    except Exception as error:
        proof.failed.append(repr(error))
        raise
    finally:
        _finish(context, kept, proof, options, is_passed=is_passed)


async def remove_proof(context: Context, name: str, *, options: ProveOptions) -> None:
    """Destroys what an earlier proof has left, and looks whether anything is there still."""
    kept = ProofFolder.of(context.project, name)
    environment = kept.project.environment(name)
    await check_account(environment)
    proof = _proof(environment, options)
    async with _life(context, kept, environment, proof, options) as life:
        if not options.yes:
            await context.terminal.confirm(
                f"Destroy {name} in the account {environment.account}?",
                declined="Nothing was changed.",
            )
        await life.end()
    context.terminal.say(f"{name} is gone.")


def _proof(environment: "Environment", options: ProveOptions) -> Proof:
    return Proof(
        region=environment.region,
        embedded=options.embedded,
        prices=hourly_prices(environment),
        steps=Report(environment=environment.name),
    )


async def _agree(context: Context, given: "Environment", account: str, *, yes: bool) -> None:
    """Says what it costs, and asks, unless `yes`."""
    items = hourly_prices(given)
    for each in items:
        price = each.dollars_per_hour
        shown = "no price is known" if price is None else f"{price:.4f} USD an hour"
        context.terminal.say(f"  {each.item}: {shown}")
    hourly = total(items)
    context.terminal.say(
        f"A new environment with the settings of {given.name} costs about {hourly:.2f} USD an hour"
        f" (on demand in us-west-2, {AS_OF}), without data, requests and logs. A proof takes up to"
        f" {_HOURS} hours: about {hourly * _HOURS:.2f} USD, and more if it is left standing."
    )
    if not yes:
        await context.terminal.confirm(
            f"Create it in the account {account}, and destroy it at the end?",
            declined="Nothing was created.",
        )


@asynccontextmanager
async def _life(
    context: Context,
    kept: ProofFolder,
    environment: "Environment",
    proof: Proof,
    options: ProveOptions,
) -> AsyncIterator[ProvenLife]:
    def life(
        delivery: Delivery, clients: Clients, variables: dict[str, str], aws: EmbeddedAws | None
    ) -> ProvenLife:
        return ProvenLife(
            run=Run(
                environment=environment,
                project=kept.project,
                context=context,
                report=proof.steps,
                clients=clients,
                variables=variables,
                embedded=aws,
            ),
            delivery=delivery,
            proof=proof,
            kept=kept,
            records=options.record,
        )

    if not options.embedded:
        yield life(AsContainers(), clients_of_account(environment.region), dict(os.environ), None)
        return
    delivery = AsProcesses()
    with EmbeddedAws(
        region=environment.region,
        account_id=environment.account or ACCOUNT_ID,
        data_plane=delivery.data_plane(kept.project, environment),
    ) as aws:
        yield life(delivery, clients_of(aws), aws.environment(os.environ), aws)


def _finish(
    context: Context, kept: ProofFolder, proof: Proof, options: ProveOptions, *, is_passed: bool
) -> None:
    terminal = context.terminal
    result = proof.result()
    files = write(result, kept.folder)
    if options.as_json:
        terminal.result(to_json(result))
    terminal.say(f"The report is in {' and '.join(map(context.project.shown, files))}.")
    if not is_passed and not options.embedded:
        terminal.say(f"{kept.name} may still exist in part, and cost what was said.")
        for each in proof.left or ():
            terminal.say(f"  {each}")
        terminal.hint(f"`{next_commands.remove_proof(kept.name)}` removes it.")
