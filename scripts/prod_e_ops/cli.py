"""The `prod-e` command: reads arguments, and leaves the work to the module of each command."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from prod_e_ops.errors import OpsError
from prod_e_ops.terminal.console import Terminal
from prod_e_ops.terminal.processes import Supervisor

app = typer.Typer(
    help="Plan, deploy and watch the environments that environments/*.toml describe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Environment = Annotated[
    str | None,
    typer.Argument(
        metavar="[ENVIRONMENT]",
        help="The name of an environment (default: the only one, or prod-e).",
        show_default=False,
    ),
]
EnvironmentOption = Annotated[
    str | None,
    typer.Option(
        "--environment",
        "-e",
        metavar="NAME",
        help="The environment (default: the only one, or prod-e).",
        show_default=False,
    ),
]
Service = Annotated[
    str, typer.Argument(metavar="SERVICE", help="The key of a service: [services.KEY].")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Rebuild = Annotated[
    bool,
    typer.Option(
        "--rebuild",
        help="Build what ECR has too, every step anew on the newest base image; the content's tag"
        " moves to it.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before acting.")]

_Work = Callable[[Supervisor, Terminal], Coroutine[Any, Any, None]]


def _run(work: _Work) -> None:
    """Runs a command's work and tells what goes wrong as a message and an exit status."""
    terminal = Terminal()
    supervisor = Supervisor(terminal.say)
    try:
        supervisor.run(work(supervisor, terminal))
    except OpsError as error:
        terminal.error(error)
        raise typer.Exit(error.exit_status) from None


@app.command()
def synth() -> None:
    """Write every environment's Terraform JSON to cdktf.out.

    The same as `cdktf synth` and `python main.py`. Wrong settings leave cdktf.out as it was.

    Example: npm run synth
    """
    from prod_e_ops.project.project import find_project
    from prod_e_ops.project.synthesis import synthesise

    async def work(supervisor: Supervisor, terminal: Terminal) -> None:
        project = find_project()
        with terminal.step("Synthesise") as step:
            await synthesise(project, supervisor, terminal)
            step.outcome = project.shown(project.output_folder)

    _run(work)


@app.command()
def plan(environment: Environment = None, json: Json = False) -> None:
    """Show what a deployment would do, stack by stack.

    What it creates, changes, replaces and destroys. Nothing is changed. Needs AWS credentials that
    may read, and Terraform, or OpenTofu named in TERRAFORM_BINARY_NAME.

    Example: npm run plan -- staging-e
    """
    from prod_e_ops.commands.infrastructure import plan
    from prod_e_ops.project.project import find_project

    _run(
        lambda supervisor, terminal: plan.plan(
            find_project(), environment, as_json=json, supervisor=supervisor, terminal=terminal
        )
    )


@app.command()
def deploy(
    environment: Environment = None,
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
    from prod_e_ops.commands.infrastructure import deploy
    from prod_e_ops.images.image_plan import ImageOptions
    from prod_e_ops.project.project import find_project

    _run(
        lambda supervisor, terminal: deploy.deploy(
            find_project(),
            environment,
            yes=yes,
            allow_data_loss=allow_data_loss,
            images=ImageOptions(rebuild=rebuild, move_followed=move_latest),
            as_json=json,
            supervisor=supervisor,
            terminal=terminal,
        )
    )


@app.command()
def push(
    service: Service,
    environment: EnvironmentOption = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            "-t",
            metavar="TAG",
            help="One more tag; may be repeated. Not content-..., git-... or a version.",
            show_default=False,
        ),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(
            "--release",
            metavar="vX.Y.Z",
            help="A semantic version as a tag, which never moves to other content.",
            show_default=False,
        ),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            "--platform",
            metavar="PLATFORM",
            help="linux/amd64 or linux/arm64 (default: the settings' architecture).",
            show_default=False,
        ),
    ] = None,
    rebuild: Rebuild = False,
    yes: Yes = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Follow the deployment; fail if ECS rolls it back."),
    ] = False,
    json: Json = False,
) -> None:
    """Build a service's image, push it to ECR and move its tags.

    The tags are content-<hash>, git-<commit> (-dirty with changes that are not committed), the
    release, those of --tag, and the one that the settings follow, such as latest. They move when
    everything is uploaded, latest last; what ECR has already is not built again.

    Example: scripts/deployment/build-and-push.sh backend --release v1.4.0 --wait
    """
    from prod_e_ops.commands.delivery.push import PushOptions, push
    from prod_e_ops.project.project import find_project

    options = PushOptions(
        tags=tuple(tag or ()),
        release=release,
        platform=platform,
        rebuild=rebuild,
        yes=yes,
        wait=wait,
        as_json=json,
    )
    _run(
        lambda supervisor, terminal: push(
            find_project(),
            environment,
            service,
            options=options,
            supervisor=supervisor,
            terminal=terminal,
        )
    )


@app.command("deploy-status")
def deploy_status(
    service: Annotated[
        str | None,
        typer.Argument(
            metavar="[SERVICE]",
            help="The key of a service: [services.KEY] (default: all of the environment).",
            show_default=False,
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

    Example: npm run prod-e -- deploy-status backend --wait
    """
    from prod_e_ops.commands.operations import status as deploy_status
    from prod_e_ops.project.project import find_project

    _run(
        lambda supervisor, terminal: deploy_status.deploy_status(
            find_project(), service, environment, wait=wait, as_json=json, terminal=terminal
        )
    )


@app.command()
def rollback(
    service: Service,
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
    from prod_e_ops.commands.delivery import rollback
    from prod_e_ops.project.project import find_project

    _run(
        lambda supervisor, terminal: rollback.rollback(
            find_project(), service, environment, to=to, yes=yes, as_json=json, terminal=terminal
        )
    )


@app.command()
def images(
    service: Service,
    environment: EnvironmentOption = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Delete old images that no task runs, no successful deployment of the last 90"
            " days ran, and no active task definition, release or followed tag names.",
        ),
    ] = False,
    keep: Annotated[
        int,
        typer.Option(
            "--keep", metavar="N", min=0, help="How many of those --prune keeps, the newest."
        ),
    ] = 10,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Show a service's images in ECR, and what uses each.

    Example: npm run prod-e -- images backend --prune --keep 5
    """
    from prod_e_ops.commands.delivery import images
    from prod_e_ops.project.project import find_project

    _run(
        lambda supervisor, terminal: images.images(
            find_project(),
            service,
            environment,
            prune=prune,
            keep=keep,
            yes=yes,
            as_json=json,
            terminal=terminal,
        )
    )


@app.command()
def destroy(environment: Environment = None, yes: Yes = False) -> None:
    """Destroy an environment, unless its settings protect it.

    It shows what exists, asks, and has Terraform destroy it.

    Example: npm run destroy -- staging-e
    """
    from prod_e_ops.commands.infrastructure import deploy
    from prod_e_ops.project.project import find_project

    _run(
        lambda supervisor, terminal: deploy.destroy(
            find_project(), environment, yes=yes, supervisor=supervisor, terminal=terminal
        )
    )


providers = typer.Typer(
    help="Terraform's providers: which versions, with which checksums.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(providers, name="providers")


@providers.command("lock")
def lock_providers(
    platform: Annotated[
        list[str] | None,
        typer.Option(
            "--platform",
            metavar="PLATFORM",
            help="Where Terraform will run, such as linux_amd64 or darwin_arm64; may be repeated"
            " (default: this machine's).",
            show_default=False,
        ),
    ] = None,
    upgrade: Annotated[
        bool,
        typer.Option(
            "--upgrade", help="Take the newest versions that the settings' [providers] allow."
        ),
    ] = False,
) -> None:
    """Renew the dependency lock: the providers' versions and checksums, for the platforms named.

    It writes .terraform.lock.hcl in the project's folder, which is to be committed. No other
    command changes what it says of a provider.

    Example: npm run prod-e -- providers lock --platform linux_amd64 --platform darwin_arm64
    """
    from prod_e_ops.commands.infrastructure.lock_providers import LockOptions, lock_providers
    from prod_e_ops.project.project import find_project

    options = LockOptions(platforms=tuple(platform or ()), upgrade=upgrade)
    _run(
        lambda supervisor, terminal: lock_providers(
            find_project(), options=options, supervisor=supervisor, terminal=terminal
        )
    )


@app.command()
def demo(
    environment: Environment = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave it up until Ctrl-C, and print how to reach it."),
    ] = False,
    json: Json = False,
) -> None:
    """Show the whole life of an environment on an embedded AWS.

    It is planned, deployed, checked and destroyed; no account is needed. Real Terraform with the
    real AWS provider does it, with the very JSON that would be deployed. Nothing is left behind.

    Example: npm run demo
    """
    from prod_e_ops.commands.local.demo import demo
    from prod_e_ops.project.project import find_project

    _run(
        lambda supervisor, terminal: demo(
            find_project(),
            environment,
            keep=keep,
            as_json=json,
            supervisor=supervisor,
            terminal=terminal,
        )
    )


@app.command()
def picture(
    environment: Environment = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write it; - is stdout (default: docs/architecture.svg for prod-e,"
            " docs/architecture-ENVIRONMENT.svg for any other).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw an environment's architecture as SVG.

    It is made from the synthesised JSON and shows what the settings give today: run it again after
    a change. AWS is not asked.

    Example: npm run picture -- staging-e --output staging-e.svg
    """
    from prod_e_ops.commands.infrastructure.diagram import picture
    from prod_e_ops.project.project import find_project

    _run(
        lambda supervisor, terminal: picture(
            find_project(), environment, output=output, supervisor=supervisor, terminal=terminal
        )
    )
