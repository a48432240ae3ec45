"""`prod-e demo`: the life of an environment on an embedded AWS, from its plan to its end."""

import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedded_aws import ACCOUNT_ID, EmbeddedAws
from prod_e_ops.commands.arguments import EnvironmentArgument, Json
from prod_e_ops.commands.local.demo_checks import Clients, check_environment, clients_of
from prod_e_ops.context import Context, run
from prod_e_ops.errors import OpsError, ProviderCrashed
from prod_e_ops.project.project import Project, Stack
from prod_e_ops.project.synthesis import synthesise
from prod_e_ops.stacks.initialise import describe, initialise
from prod_e_ops.stacks.model import SkippedStack
from prod_e_ops.terminal.terminal import Step, Terminal
from prod_e_ops.terraform.provider_versions import installed_versions, take_tested_versions
from prod_e_ops.terraform.runner import Event, Terraform, find_terraform

if TYPE_CHECKING:
    from prod_e.settings import Environment

_STOP_TIMEOUT_SECONDS = 5.0
"""What Terraform may take to stop: what it leaves goes away with the embedded AWS."""

_OVERRIDE_FILE = "unprotected_override.tf.json"


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """One step of the demo: what it came to, and how long it took."""

    step: str
    result: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class FailedStack:
    """A stack that the demo went on without, and why."""

    stack: Stack
    reason: str


@dataclass(kw_only=True)
class Report:
    """What the demo did, as far as it came."""

    environment: str
    steps: list[StepResult] = field(default_factory=list)
    skipped: list[SkippedStack] = field(default_factory=list)
    failed: list[FailedStack] = field(default_factory=list)
    passed: bool = False

    def show(self, terminal: Terminal) -> None:
        """Prints the table of the steps."""
        total = sum(step.seconds for step in self.steps)
        rows = [(s.step, f"{s.seconds:6.1f} s", s.result) for s in self.steps]
        rows += [(s.stack.name, "", f"skipped: {s.reason}") for s in self.skipped]
        rows += [(s.stack.name, "", f"failed: {s.reason}") for s in self.failed]
        rows.append(("Total", f"{total:6.1f} s", "passed" if self.passed else "did not pass"))
        terminal.result("")
        terminal.table(rows)

    def as_json(self) -> str:
        """The same for machines."""
        return json.dumps(
            {
                "environment": self.environment,
                "passed": self.passed,
                "steps": [asdict(step) for step in self.steps],
                "skipped": [{"stack": s.stack.name, "reason": s.reason} for s in self.skipped],
                "failed": [{"stack": s.stack.name, "reason": s.reason} for s in self.failed],
            },
            indent=2,
        )


def demo(
    environment: EnvironmentArgument = None,
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
    run(lambda context: run_demo(context, environment, keep=keep, as_json=json))


async def run_demo(
    context: Context,
    environment_name: str | None,
    *,
    keep: bool,
    as_json: bool,
) -> None:
    """Runs the demo and shows its report; raises `OpsError` if anything is not as it should be.

    `keep`: leaves everything up, once it is checked, until Ctrl-C.
    """
    project, terminal = context.project, context.terminal
    environment = project.environment(environment_name)
    report = Report(environment=environment.name)
    try:
        async with AsyncExitStack() as resources:
            terraform = await resources.enter_async_context(
                find_terraform(
                    context.processes,
                    cache_folder=project.folder / ".cache" / "terraform-providers",
                )
            )
            folder = Path(
                resources.enter_context(
                    tempfile.TemporaryDirectory(prefix="prod-e-demo-", ignore_cleanup_errors=True)
                )
            )
            run = _Demo(
                environment=environment,
                # Elsewhere than in the project, where the state of real deployments is; with
                # links, relative paths still lead to the sources.
                project=_linked(project, environment, folder),
                context=context,
                report=report,
            )
            with run.step("Start the embedded AWS") as step:
                aws = resources.enter_context(
                    EmbeddedAws(
                        region=environment.region, account_id=environment.account or ACCOUNT_ID
                    )
                )
                step.outcome = aws.endpoint_url
            await run.life(
                aws,
                terraform.with_environment(
                    {
                        **aws.environment(terraform.environment),
                        # No lock file is kept: what is in the cache was verified when it came.
                        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
                    },
                    stop_timeout_seconds=_STOP_TIMEOUT_SECONDS,
                    # The stacks' own folders go away in the end.
                    logs=project.folder / ".cache" / "demo",
                ),
                keep=keep,
            )
        report.passed = True
    finally:
        if as_json:
            terminal.result(report.as_json())
        else:
            report.show(terminal)


@dataclass(frozen=True, kw_only=True)
class _Demo:
    """The steps, in the order in which `life` goes through them."""

    environment: "Environment"
    project: Project
    context: Context
    report: Report

    async def life(self, aws: EmbeddedAws, terraform: Terraform, *, keep: bool) -> None:
        """Goes through the environment's life, or, to keep it, stops before its end.

        A stack whose provider crashes is left out from there on, and fails the demo in the end.
        """
        clients = clients_of(aws)
        stacks = await self._synthesise(clients)
        ready, skipped = await self._initialise(terraform, stacks)
        self.report.skipped.extend(skipped)
        await self._validate(terraform, ready)
        await self._plan(terraform, self._left(ready))
        # Pushing an image takes a registry, which the embedded AWS is not.
        deployable = [stack for stack in ready if not stack.needs_docker]
        await self._apply(terraform, self._left(deployable))
        applied = self._left(deployable)
        if applied == deployable:
            await self._check(clients)
        await self._plan_again(terraform, applied)
        if keep:
            await self._keep(aws, applied)
        else:
            await self._destroy(terraform, self._left(applied), clients)
        if self.report.failed:
            raise OpsError(
                "The demo did not pass:",
                details=[f"{failed.stack.name}: {failed.reason}" for failed in self.report.failed],
                next_step="What was said of it above tells what to do.",
            )

    @contextmanager
    def _going_on_without(self, stack: Stack) -> Iterator[None]:
        """Tells of a provider that crashes, and leaves the stack out from then on."""
        try:
            yield
        except ProviderCrashed as crash:
            self.context.terminal.error(crash)
            self.report.failed.append(FailedStack(stack=stack, reason=crash.reason))

    def _left(self, stacks: Sequence[Stack]) -> list[Stack]:
        failed = [failed.stack for failed in self.report.failed]
        return [stack for stack in stacks if stack not in failed]

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step that has its line in the report, whatever becomes of it."""
        with self.context.terminal.step(title) as step:
            try:
                yield step
            except BaseException as error:
                step.outcome = "failed" if isinstance(error, Exception) else "interrupted"
                raise
            finally:
                self.report.steps.append(
                    StepResult(step=title, result=step.outcome, seconds=round(step.seconds, 1))
                )

    async def _synthesise(self, clients: Clients) -> Sequence[Stack]:
        with self.step("Synthesise") as step:
            said = await synthesise(self.project, self.context.processes)
            stacks = self.project.stacks(self.environment.name)
            count = sum(stack.resource_count for stack in stacks)
            step.outcome = f"{count} resources in {len(stacks)} stacks"
        for line in said:
            self.context.terminal.say(line)
        state = self.environment.state
        if state.kind == "s3":
            region = state.region or self.environment.region
            await asyncio.to_thread(
                clients("s3").create_bucket,
                Bucket=state.bucket,
                CreateBucketConfiguration={"LocationConstraint": region},
            )
        return stacks

    async def _initialise(
        self, terraform: Terraform, stacks: Sequence[Stack]
    ) -> tuple[list[Stack], list[SkippedStack]]:
        with self.step("Initialise Terraform") as step:
            for stack in stacks:
                take_tested_versions(stack)
            ready, skipped = await initialise(terraform, stacks, on_stack=step.update)
            step.outcome = describe(terraform, installed_versions(ready))
        return ready, skipped

    async def _validate(self, terraform: Terraform, stacks: Sequence[Stack]) -> None:
        async def validate(stack: Stack) -> None:
            with self._going_on_without(stack):
                await terraform.validate(stack)

        with self.step("Validate") as step:
            await asyncio.gather(*map(validate, stacks))
            step.outcome = f"{len(self._left(stacks))} stacks are valid"

    async def _plan(self, terraform: Terraform, stacks: Sequence[Stack]) -> None:
        with self.step("Plan") as step:
            count = 0
            for stack in stacks:
                with self._going_on_without(stack):
                    summary = await terraform.plan(stack, on_event=lambda e: _show(step, e))
                    count += len(summary.created)
            step.outcome = f"{count} to create"

    async def _apply(self, terraform: Terraform, stacks: Sequence[Stack]) -> None:
        with self.step("Apply") as step:
            applied = _Progress(step)
            for stack in stacks:
                with self._going_on_without(stack):
                    await terraform.apply(stack, on_event=applied)
            step.outcome = f"{applied.count} resources created"

    async def _check(self, clients: Clients) -> None:
        with self.step("Check with boto3") as step:
            checks = await asyncio.to_thread(
                lambda: list(check_environment(self.environment, clients))
            )
            broken = [str(check) for check in checks if not check.holds]
            for check in checks:
                self.context.terminal.say(f"  {check}")
            if broken:
                raise OpsError("AWS does not hold what was deployed:", details=broken)
            step.outcome = f"{len(checks)} promises are kept"

    async def _plan_again(self, terraform: Terraform, stacks: Sequence[Stack]) -> None:
        with self.step("Plan again") as step:
            for stack in stacks:
                with self._going_on_without(stack):
                    summary = await terraform.plan(stack, on_event=lambda e: _show(step, e))
                    if summary.is_empty:
                        continue
                    changes = (*summary.changed, *summary.replaced, *summary.destroyed)
                    raise OpsError(
                        f"A second plan of {stack.name} is not empty: {summary.counts}.",
                        details=[f"{c.address}: {', '.join(c.changed_keys)}" for c in changes],
                    )
            step.outcome = "no changes"

    async def _keep(self, aws: EmbeddedAws, stacks: Sequence[Stack]) -> None:
        for line in (
            "",
            "It is up. In another terminal, point AWS's tools at it:",
            *(f"  export {name}={value}" for name, value in aws.variables().items()),
            "and look at it, for example with",
            f"  aws ecs describe-services --cluster {self.environment.name}-cluster --services ...",
            *(f"  terraform -chdir={stack.folder} state list" for stack in stacks),
            "Ctrl-C ends it and leaves nothing behind.",
        ):
            self.context.terminal.say(line)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # Ctrl-C is how this is meant to end.
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()

    async def _destroy(
        self, terraform: Terraform, stacks: Sequence[Stack], clients: Clients
    ) -> None:
        with self.step("Destroy") as step:
            await asyncio.to_thread(_lift_protection, self.environment, clients)
            destroyed = _Progress(step)
            for stack in reversed(stacks):
                if override := _without_prevent_destroy(stack):
                    (stack.folder / _OVERRIDE_FILE).write_text(json.dumps(override), "utf-8")
                with self._going_on_without(stack):
                    await terraform.plan(stack, destroy=True, refresh=False)
                    await terraform.apply(stack, on_event=destroyed)
            left = [r["address"] for s in self._left(stacks) for r in await terraform.resources(s)]
            if left:
                raise OpsError("Terraform did not destroy everything:", details=left)
            step.outcome = f"{destroyed.count} resources destroyed"


class _Progress:
    """Counts what Terraform completes, and shows it."""

    def __init__(self, step: Step) -> None:
        self.count = 0
        self._step = step

    def __call__(self, event: Event) -> None:
        self.count += event.kind == "apply_complete"
        self._step.update(f"{self.count} done, {event.message}")


def _show(step: Step, event: Event) -> None:
    step.update(event.message)


def _linked(project: Project, environment: "Environment", folder: Path) -> Project:
    """A project whose output goes to `folder`, beside links to the sources of its images."""
    for source in set(map(environment.source_of, environment.services)):
        link = folder / source
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(project.folder / source, target_is_directory=True)
    return Project(project.folder, output_folder=folder / "cdktf.out")


def _lift_protection(environment: "Environment", clients: Clients) -> None:
    """Lifts AWS's own deletion protection, as an operator would do in the console.

    Doing it with Terraform would make the demo wait for over a minute until the provider believes
    that the database has changed.
    """
    if environment.database:
        clients("rds").modify_db_instance(
            DBInstanceIdentifier=f"{environment.name}-database",
            DeletionProtection=False,
            ApplyImmediately=True,
        )
    elb = clients("elbv2")
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
        )


def _without_prevent_destroy(stack: Stack) -> dict[str, object]:
    """A Terraform override that lets the stack's databases go; empty if it has none."""
    databases = stack.resources.get("aws_db_instance", {})
    if not databases:
        return {}
    lifted = {"lifecycle": {"prevent_destroy": False}}
    return {"resource": {"aws_db_instance": dict.fromkeys(databases, lifted)}}
