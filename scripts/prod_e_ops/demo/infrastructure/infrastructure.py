"""The demo's Terraform: an environment's stacks are planned, applied, planned again, destroyed."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from prod_e.delivery.image_build import BUILD_NETWORK_VARIABLE
from prod_e_ops.analysis.diagram.drawing import draw_stacks
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.infrastructure.let_go import let_go
from prod_e_ops.demo.infrastructure.past_waits import PastWaits
from prod_e_ops.demo.run import DemoStep, Run
from prod_e_ops.errors import OpsError, ProviderCrashed
from prod_e_ops.images.docker.docker_daemon import default_build_network
from prod_e_ops.project.project import Stack
from prod_e_ops.project.synthesis import synthesise
from prod_e_ops.stacks.initialise import describe, initialise
from prod_e_ops.stacks.model import SkippedStack
from prod_e_ops.terraform.output.events import Event, showing
from prod_e_ops.terraform.parallel import for_each
from prod_e_ops.terraform.providers.versions import installed_versions, take_tested_versions
from prod_e_ops.terraform.runner import Terraform

_UNPROTECTED_FILE = "unprotected_override.tf.json"
_REGISTRY_FILE = "registry_override.tf.json"


@dataclass(frozen=True, kw_only=True)
class Infrastructure:
    """The stacks of an environment. `no_images`: why Docker builds none; None: it does.

    `at_once`: whether stacks are applied without plans that stay, and past the AWS provider's fixed
    waits; see `PastWaits`.
    """

    run: Run
    terraform: Terraform
    no_images: str | None
    at_once: bool = False
    stacks: list[Stack] = field(default_factory=list)

    async def synthesise(self) -> None:
        """Writes the stacks' JSON."""
        run = self.run
        with run.step("Synthesise") as step:
            said = await synthesise(
                run.project, run.context.processes, environment=run.environment.name
            )
            stacks = run.project.stacks(run.environment.name)
            self.stacks.extend(stacks)
            run.aws.show_picture(draw_stacks(run.environment.name, stacks))
            count = sum(stack.resource_count for stack in stacks)
            step.outcome = f"{count} resources in {len(stacks)} stacks"
        for line in said:
            run.context.terminal.say(line)
        state = run.environment.state
        if state.kind == "s3":
            region = state.region or run.environment.region
            await in_thread(
                lambda: run.clients("s3").create_bucket(
                    Bucket=state.bucket, CreateBucketConfiguration={"LocationConstraint": region}
                )
            )

    async def write_stacks(self) -> None:
        """Writes the JSON of stacks anew, which have been initialised, of changed settings."""
        await synthesise(
            self.run.project, self.run.context.processes, environment=self.run.environment.name
        )

    async def change(self, name: str) -> "Changes":
        """Makes of a stack what its JSON says by now; gives what that was.

        What AWS has is what Terraform knows of it: nobody is asked. No stack of that name, or one
        whose provider crashes: nothing.
        """
        stack = next((each for each in self.left if each.name == name), None)
        if stack is None:
            return Changes()
        planned: list[Event] = []
        with self.going_on_without(stack):
            # In one: each start of the provider costs seconds of a processor.
            await self._terraform_for(stack).apply_at_once(
                stack,
                variables=await self._variables(stack),
                refresh=False,
                on_event=lambda event: planned.append(event) if event.is_planned else None,
            )
        return Changes.of(planned)

    async def initialise(self) -> None:
        """Installs the providers, those that are tested; leaves out what cannot be had."""
        with self.run.step("Initialise Terraform") as step:
            if self.no_images:
                without = [stack for stack in self.stacks if stack.needs_docker]
                self.run.report.skipped += [
                    SkippedStack(stack=stack, reason=self.no_images) for stack in without
                ]
                self.stacks[:] = [stack for stack in self.stacks if stack not in without]
            for stack in self.stacks:
                take_tested_versions(stack)
                if stack.needs_docker:
                    # The registry that the embedded AWS has in place of ECR's.
                    override = {"locals": {"registry": self.run.aws.registry_address}}
                    (stack.folder / _REGISTRY_FILE).write_text(json.dumps(override), "utf-8")
            ready, skipped = await initialise(self.terraform, self.stacks, on_stack=step.update)
            self.run.report.skipped += skipped
            self.stacks[:] = ready
            step.outcome = describe(self.terraform, installed_versions(ready))

    async def plan(self) -> None:
        """Plans all stacks, beside each other."""
        with self.run.step("Plan") as step:
            counts = await for_each(self.left, lambda stack: self._plan(stack, step))
            step.outcome = f"{sum(counts)} to create"

    async def apply(self, stack: Stack, *, beside: bool = False) -> None:
        """Makes what a stack describes, by its plan. `beside`: while another step is shown."""
        with nullcontext() if beside else self.run.step(f"Apply {stack.name}") as step:
            progress = Progress(step)
            terraform = self._terraform_for(stack)
            with self.going_on_without(stack):
                if self.at_once:
                    await (await self._past_waits(stack)).apply(progress)
                else:
                    await terraform.apply(stack, on_event=progress)
            self.run.report.resources_created += progress.count
            if step:
                step.outcome = f"{progress.count} resources created"

    async def plan_again(self) -> None:
        """Sees to it that there is nothing left to do."""

        async def plan(stack: Stack) -> None:
            with self.going_on_without(stack):
                terraform = self._terraform_for(stack)
                if not await terraform.save_plan(stack, variables=await self._variables(stack)):
                    return
                summary = await terraform.read_plan(stack)
                changes = (
                    *summary.created,
                    *summary.changed,
                    *summary.replaced,
                    *summary.destroyed,
                )
                raise OpsError(
                    f"A second plan of {stack.name} is not empty: {summary.counts}.",
                    details=[f"{c.address}: {', '.join(c.changed_keys)}" for c in changes],
                )

        await for_each(self.left, plan)

    async def plan_destroy(self) -> None:
        """Plans to take everything away again."""

        async def plan(stack: Stack) -> None:
            if override := _without_prevent_destroy(stack):
                (stack.folder / _UNPROTECTED_FILE).write_text(json.dumps(override), "utf-8")
            with self.going_on_without(stack):
                await self._terraform_for(stack).save_plan(stack, destroy=True, refresh=False)

        await for_each(self.left, plan)

    async def destroy(self) -> None:
        """Applies the plans of `plan_destroy`, past the AWS provider's fixed waits."""
        with self.run.step("Destroy") as step:
            await in_thread(lambda: let_go(self.run.environment, self.run.clients))
            progress = Progress(step)

            async def destroy(stack: Stack) -> Sequence[str]:
                with self.going_on_without(stack):
                    untold = await (await self._past_waits(stack)).destroy(progress)
                    progress.count += untold
                    left = await self._terraform_for(stack).resources(stack)
                    return [resource.address for resource in left]
                return []

            left = await for_each(list(reversed(self.left)), destroy)
            if any(left):
                raise OpsError(
                    "Terraform did not destroy everything:", details=[a for of in left for a in of]
                )
            self.run.report.resources_destroyed = progress.count
            step.outcome = f"{progress.count} resources destroyed"

    @property
    def left(self) -> list[Stack]:
        """The stacks that no provider has crashed for."""
        return [stack for stack in self.stacks if stack not in self.run.report.failed]

    @contextmanager
    def going_on_without(self, stack: Stack) -> Iterator[None]:
        """Tells of a provider that crashes, and leaves the stack out from then on."""
        try:
            yield
        except ProviderCrashed as crash:
            self.run.context.terminal.error(crash)
            self.run.report.failed[stack] = crash.reason

    async def _plan(self, stack: Stack, step: DemoStep) -> int:
        show, created = showing(step.update), 0

        def follow(event: Event) -> None:
            nonlocal created
            created += event.is_planned and event.action == "create"
            show(event)

        with self.going_on_without(stack):
            await self._terraform_for(stack).save_plan(
                stack, variables=await self._variables(stack), on_event=follow
            )
        return created

    async def _past_waits(self, stack: Stack) -> PastWaits:
        return PastWaits(
            terraform=self._terraform_for(stack),
            stack=stack,
            variables=await self._variables(stack),
            clients=self.run.clients,
        )

    async def _variables(self, stack: Stack) -> dict[str, str]:
        network = await default_build_network() if stack.needs_docker else None
        return {BUILD_NETWORK_VARIABLE: network} if network else {}

    def _terraform_for(self, stack: Stack) -> Terraform:
        if not stack.needs_docker:
            return self.terraform
        # The docker provider asks the registry by TLS.
        authority = {"SSL_CERT_FILE": str(self.run.aws.certificate_authority_file)}
        return replace(self.terraform, environment={**self.terraform.environment, **authority})


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The addresses of resources, by what was done to them."""

    created: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    destroyed: tuple[str, ...] = ()

    @classmethod
    def of(cls, planned: Sequence[Event]) -> "Changes":
        """What Terraform said that it would do."""

        def addresses(action: str) -> tuple[str, ...]:
            return tuple(event.address for event in planned if event.action == action)

        return cls(
            created=addresses("create"),
            replaced=addresses("replace"),
            destroyed=addresses("delete"),
        )


class Progress:
    """Counts the changes that Terraform completes, and shows them in a step, if there is one."""

    def __init__(self, step: DemoStep | None) -> None:
        self.count = 0
        self._step = step

    def __call__(self, event: Event) -> None:
        self.count += event.completes_change
        if self._step and event.doing:
            self._step.update(f"{self.count} done, {event.doing}")


def _without_prevent_destroy(stack: Stack) -> dict[str, object]:
    """A Terraform override that lets the stack's databases go; empty if it has none."""
    databases = stack.resources.get("aws_db_instance", {})
    if not databases:
        return {}
    lifted = {"lifecycle": {"prevent_destroy": False}}
    return {"resource": {"aws_db_instance": dict.fromkeys(databases, lifted)}}
