"""`prod-e rollback`: lets a service run again what it ran before."""

from typing import Annotated

import typer

from prod_e_ops.aws.account import check_account
from prod_e_ops.commands.arguments import EnvironmentOption, Json, ServiceArgument
from prod_e_ops.context import Context, run
from prod_e_ops.images.inventory import existing_repository
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.rollback.apply import apply_target, verify_target
from prod_e_ops.service.rollback.render import (
    candidate_rows,
    never_healthy,
    next_steps,
    result_line,
)
from prod_e_ops.service.rollback.results import RollbackResult
from prod_e_ops.service.rollback.state import (
    gather_state,
    nothing_to_roll_back_to,
    refuse_while_under_way,
)
from prod_e_ops.service.rollback.target import resolve_target, runs_already
from prod_e_ops.terminal.json_output import to_json


def rollback(
    service: ServiceArgument,
    environment: EnvironmentOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="TAG|DIGEST|REVISION",
            help="An image's tag or digest (sha256:..., its beginning will do), or a revision of"
            " the task definition: its number, or prod-e-task:12 (default: you choose from a"
            " list).",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Do not ask; without --to take the other image that was healthy most recently.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Return a service to what it ran before, and verify it.

    A service that follows latest gets the tag moved back. A pinned one gets its earlier task
    definition, and the pin in environments/*.toml. Nothing is built. Where the service runs that
    already, nothing is changed and the exit status is 0.

    Example: scripts/deployment/rollback.sh backend --to v1.3.2
    """
    run(lambda context: roll_back(context, service, environment, to=to, yes=yes, as_json=json))


async def roll_back(
    context: Context,
    key: str,
    environment_name: str | None,
    *,
    to: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Returns a service to an earlier image or task definition, waits, and verifies.

    `to`: a tag, a digest or a task definition's revision; None: the user chooses, and `yes` takes
    the image that was healthy most recently.

    Raises `UserMistake` where that cannot be, with the reason and nothing changed, and `OpsError`
    if ECS does not keep it, or the user declines.
    """
    project, terminal = context.project, context.terminal
    environment = project.environment(environment_name)
    deployments = Deployments(environment, key)
    account = await check_account(environment)
    repository = await existing_repository(deployments)
    with terminal.step("Look up what can be gone back to") as step:
        status = await deployments.status()
        await refuse_while_under_way(deployments, status)
        state = await gather_state(project, deployments, repository, status)
        step.outcome = f"{len(state.candidates)} of {len(state.found.uses)} images"
    is_chosen = False
    if to is None:
        proposal = state.proposal
        if not as_json and state.found.uses:
            terminal.table(list(candidate_rows(state)))
        if proposal is None:
            raise nothing_to_roll_back_to(state)
        to = proposal.image.digest
        if not yes:
            chosen = await terminal.choose(
                f"What should {deployments.names.service} in the account {account} run: which"
                " number, tag, digest or task definition?",
                proposal=str(state.candidates.index(proposal) + 1),
                instead=f"--yes takes {proposal.name}; --to names another one.",
            )
            by_number = dict(enumerate(state.candidates, start=1))
            listed = by_number.get(int(chosen)) if chosen.isdecimal() else None
            to = listed.image.digest if listed else chosen
            is_chosen = True
    target = await resolve_target(project, state, to)
    runs_it = runs_already(state, target)
    if runs_it and target.change is None:
        terminal.say(f"{deployments.names.service} already runs {target.name}.")
        if as_json:
            terminal.result(to_json(RollbackResult.of(state, target, None)))
        return
    if target.change:
        terminal.say(f"{target.change.file.name} will keep it:")
        for line in target.change.lines():
            terminal.say(f"  {line}")
    if warning := never_healthy(state.found, target):
        terminal.say(warning)
    # Whoever chose from the list has answered the question, unless there is more to know.
    if not yes and not (is_chosen and warning is None):
        await terminal.confirm(
            f"Roll {deployments.names.service} in the account {account} back to {target.name}?"
        )
    deployment = None
    if not runs_it:
        deployment = await apply_target(state, target, terminal)
        await verify_target(state, target, deployment, terminal)
    if target.change:
        target.change.write()
    if as_json:
        terminal.result(to_json(RollbackResult.of(state, target, deployment)))
    elif done := result_line(state, target, deployment):
        terminal.result(done)
    for line in next_steps(state, target):
        terminal.hint(line)
