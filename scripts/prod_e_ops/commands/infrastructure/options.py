"""What `prod-e deploy` and `prod-e destroy` take."""

from typing import Annotated

import typer

from prod_e_ops.commands.arguments import EnvironmentArgument, Json, Rebuild, Yes
from prod_e_ops.context import run


def deploy(
    environment: EnvironmentArgument = None,
    yes: Yes = False,
    json: Json = False,
    allow_data_loss: Annotated[
        bool,
        typer.Option(
            "--allow-data-loss",
            help="Go on although the plan replaces or destroys something that holds data.",
        ),
    ] = False,
    rebuild: Rebuild = False,
    move_latest: Annotated[
        bool,
        typer.Option(
            "--move-latest",
            help="Let latest, or the tag that the settings follow, name this source's image though"
            " ECR had it already: after a rollback, or another's push.",
        ),
    ] = False,
) -> None:
    """Deploy an environment: plan, ask, apply that plan, verify.

    Stacks without changes are left alone. What ECR has is not built again. A deployment that ECS
    rolls back fails.

    Example: npm run deploy -- staging-e
    """
    from prod_e_ops.commands.infrastructure.deploy import deploy
    from prod_e_ops.images.image_plan import ImageOptions

    run(
        lambda context: deploy(
            context.project,
            environment,
            yes=yes,
            allow_data_loss=allow_data_loss,
            images=ImageOptions(rebuild=rebuild, move_followed=move_latest),
            as_json=json,
            processes=context.processes,
            terminal=context.terminal,
        )
    )


def destroy(environment: EnvironmentArgument = None, yes: Yes = False) -> None:
    """Destroy an environment, unless its settings protect it.

    It shows what exists, asks, and destroys it.

    Example: npm run destroy -- staging-e
    """
    from prod_e_ops.commands.infrastructure.deploy import destroy

    run(
        lambda context: destroy(
            context.project,
            environment,
            yes=yes,
            processes=context.processes,
            terminal=context.terminal,
        )
    )
