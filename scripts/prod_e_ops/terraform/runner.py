"""Runs Terraform in the folders of synthesised stacks."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prod_e.dependency_lock import OPENTOFU_REGISTRY, TERRAFORM_REGISTRY
from prod_e_ops.errors import AwsUnreachable, OpsError
from prod_e_ops.project.project import Stack
from prod_e_ops.terminal.processes import ChildProcesses, Finished, Outlives
from prod_e_ops.terraform.initialised import Initialised
from prod_e_ops.terraform.left_running import AppliedIn
from prod_e_ops.terraform.limits import Limits, SignOfLife
from prod_e_ops.terraform.output.diagnostics import Diagnostic, explain, parse_text
from prod_e_ops.terraform.output.events import Event, ignore
from prod_e_ops.terraform.output.json_output import JsonOutput
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from prod_e_ops.terraform.providers.crash import crash_of, keep_output
from prod_e_ops.terraform.providers.dependency_lock import DependencyLock
from prod_e_ops.terraform.providers.mirror import ProviderSource
from prod_e_ops.terraform.states.state import StateResource, resources_of

PLAN_FILE = "prod-e.tfplan"
PLAN_JSON_FILE = "prod-e.tfplan.json"

# AWS answers more requests at once than Terraform's default of 10 makes.
_OPTIONS = ("-input=false", "-lock-timeout=5s", "-parallelism=30")
"""Of what plans and what applies."""

_CHANGES = 2
"""The status of `plan -detailed-exitcode` where there is something to do.

https://developer.hashicorp.com/terraform/cli/commands/plan#detailed-exitcode
"""


@dataclass(frozen=True)
class Terraform:
    """The Terraform or OpenTofu on this machine, with what it needs to find its providers.

    `name`: which of the two. `scratch`: a folder of this run alone, which goes away at its end.
    `keeps_plans`: whether plans are saved in the stacks' folders, for others to look at; otherwise
    in `scratch`, where no other run can put another in their place. `stop_timeout_seconds`: what it
    may take to stop after Ctrl-C; absent: as long as it needs to save its state. `logs`: where the
    output of a run that a provider ended is kept; absent: in the stack's folder. `limits`: after
    how long without a sign of life it is stopped.
    """

    name: str
    program: Path
    version: str
    providers: ProviderSource
    environment: Mapping[str, str] = field(repr=False)
    processes: ChildProcesses = field(repr=False)
    scratch: Path
    keeps_plans: bool = True
    stop_timeout_seconds: float | None = None
    logs: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def with_environment(
        self, environment: Mapping[str, str], *, stop_timeout_seconds: float, logs: Path
    ) -> "Terraform":
        """The same Terraform, run with other environment variables; see `Terraform`."""
        return replace(
            self,
            environment={**environment},
            stop_timeout_seconds=stop_timeout_seconds,
            logs=logs,
        )

    @property
    def is_opentofu(self) -> bool:
        """Whether it is OpenTofu."""
        return self.name == "OpenTofu"

    @property
    def registry(self) -> str:
        """The host that it gets providers from, which is a part of their addresses."""
        return OPENTOFU_REGISTRY if self.is_opentofu else TERRAFORM_REGISTRY

    @property
    def may_cache_providers(self) -> bool:
        """Whether installed providers may go through a cache folder that all stacks share."""
        return self.providers.mirror is None or "TF_PLUGIN_CACHE_DIR" in self.environment

    async def init(self, stack: Stack, *, lock: DependencyLock | None = None) -> None:
        """Installs the stack's providers and sets up its backend, unless that is done.

        `lock`: what may be installed, and where anything new is noted; absent: whatever the stack
        asks for.
        """
        if lock:
            lock.hand_out([stack])
        initialised = Initialised(
            stack=stack, providers=self.providers.origin, program=f"{self.name} {self.version}"
        )
        if initialised.is_so:
            return
        finished = await self._call(stack, "init", "-input=false", "-no-color")
        if finished.status:
            errors = parse_text(finished.stderr) or parse_text(finished.stdout)
            raise explain("init", stack.name, errors)
        if lock:
            lock.keep(stack)
        initialised.note()

    async def validate(self, stack: Stack) -> None:
        """Checks the stack's JSON against the providers' schemas."""
        finished = await self._call(stack, "validate", "-json")
        try:
            answer = json.loads(finished.stdout)
        except ValueError:
            raise self.failure(stack, "validate", finished) from None
        if not answer["valid"]:
            errors = [d for d in answer["diagnostics"] if d["severity"] == "error"]
            found = [Diagnostic.of(error) for error in errors]
            raise self.failure(stack, "validate", finished, found)

    async def plan(
        self,
        stack: Stack,
        *,
        destroy: bool = False,
        refresh: bool = True,
        targets: Sequence[str] = (),
        replace: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        on_event: Callable[[Event], None] = ignore,
    ) -> PlanSummary:
        """Plans, and saves the plan; where it is kept, its JSON lies beside it.

        `targets`: the addresses that it is about, with what they need; none: everything.
        `replace`: those that are made anew. `variables`: of the stack.
        """
        arguments = _planning(destroy=destroy, refresh=refresh, variables=variables)
        arguments += [f"-target={address}" for address in targets]
        arguments += [f"-replace={address}" for address in replace]
        await self._save_plan(stack, arguments, on_event)
        return await self.read_plan(stack)

    async def save_plan(
        self,
        stack: Stack,
        *,
        destroy: bool = False,
        refresh: bool = True,
        variables: Mapping[str, str] | None = None,
        on_event: Callable[[Event], None] = ignore,
    ) -> bool:
        """Plans, and saves the plan, for `read_plan`; returns whether it changes anything."""
        arguments = _planning(destroy=destroy, refresh=refresh, variables=variables)
        finished = await self._save_plan(stack, ["-detailed-exitcode", *arguments], on_event)
        return finished.status == _CHANGES

    async def read_plan(self, stack: Stack) -> PlanSummary:
        """What the saved plan does, which takes the providers' schemas once more.

        Where the plan is kept, its JSON is put beside it.
        """
        finished = await self._call(stack, "show", "-json", str(self.plan_file(stack)))
        if finished.status:
            raise self.failure(stack, "show", finished)
        if self.keeps_plan(stack):
            file = stack.folder / PLAN_JSON_FILE
            file.touch(mode=0o600)
            file.write_text(finished.stdout, "utf-8")
        return PlanSummary.of(json.loads(finished.stdout))

    async def _save_plan(
        self, stack: Stack, arguments: Sequence[str], on_event: Callable[[Event], None]
    ) -> Finished:
        self.forget_plan(stack)
        out = f"-out={self.plan_file(stack)}"
        return await self._call_with_events(stack, "plan", [*arguments, out], on_event)

    def keeps_plan(self, stack: Stack) -> bool:
        """Whether the stack's plan stays for others: never that of a private stack."""
        return self.keeps_plans and not stack.is_private

    def plan_file(self, stack: Stack) -> Path:
        """Where the stack's plan is saved."""
        if self.keeps_plan(stack):
            return stack.folder / PLAN_FILE
        return self.scratch / f"{stack.name}.tfplan"

    def forget_plan(self, stack: Stack) -> None:
        """Removes the stack's plan."""
        self.plan_file(stack).unlink(missing_ok=True)
        if self.keeps_plan(stack):
            (stack.folder / PLAN_JSON_FILE).unlink(missing_ok=True)

    async def apply(
        self,
        stack: Stack,
        *,
        change_count: int | None = None,
        on_event: Callable[[Event], None] = ignore,
        stop: asyncio.Event | None = None,
    ) -> None:
        """Applies the saved plan, and nothing else, and removes it.

        `change_count`: how many changes it makes, for the message of a failure. `stop`: once it is
        set, Terraform ends what it waits for and saves its state.

        Raises `PlanIsStale`, with nothing changed, if the state is not the planned one any more.
        """
        arguments = [*_OPTIONS, str(self.plan_file(stack))]
        try:
            await self._call_with_events(stack, "apply", arguments, on_event, change_count, stop)
        finally:
            self.forget_plan(stack)

    async def apply_at_once(
        self,
        stack: Stack,
        *,
        variables: Mapping[str, str],
        destroy: bool = False,
        refresh: bool = True,
        on_event: Callable[[Event], None] = ignore,
        stop: asyncio.Event | None = None,
    ) -> None:
        """Plans and applies in one, with nobody looking at the plan.

        `variables`: of the stack. `refresh`: whether AWS is asked what there is. `stop`: see
        `apply`.
        """
        arguments = _planning(destroy=destroy, refresh=refresh, variables=variables)
        await self._call_with_events(
            stack, "apply", ["-auto-approve", *arguments], on_event, stop=stop
        )

    async def untaint(self, stack: Stack, address: str) -> None:
        """Lets the next plan keep a resource which an interrupted run has left unfinished."""
        finished = await self._call(stack, "untaint", "-lock-timeout=5s", "-no-color", address)
        if finished.status:
            raise self.failure(stack, "untaint", finished)

    async def outputs(self, stack: Stack) -> Mapping[str, str]:
        """The outputs in the stack's state, sensitive ones left out."""
        finished = await self._call(stack, "output", "-json")
        if finished.status:
            raise explain("output", stack.name, parse_text(finished.stderr))
        values: dict[str, dict[str, Any]] = json.loads(finished.stdout)
        return {
            name: str(output["value"]) for name, output in values.items() if not output["sensitive"]
        }

    async def addresses(self, stack: Stack) -> frozenset[str]:
        """The addresses in the stack's state, unfinished resources included."""
        finished = await self._call(stack, "state", "list")
        if finished.status:
            raise self.failure(stack, "state list", finished)
        return frozenset(finished.stdout.splitlines())

    async def resources(self, stack: Stack) -> Sequence[StateResource]:
        """The managed resources in the stack's state."""
        # Without the providers' schemas, which `show` reads: they take longer than all else.
        finished = await self._call(stack, "state", "pull")
        if finished.status:
            raise self.failure(stack, "state pull", finished)
        return resources_of(json.loads(finished.stdout or "{}"))

    def failure(
        self,
        stack: Stack,
        action: str,
        finished: Finished,
        errors: Sequence[Diagnostic] = (),
        *,
        left: str = "",
    ) -> OpsError:
        """The error of a Terraform that failed at `action` ("plan").

        `errors`: what its JSON output reports; absent: what its output for people does.
        `left`: a sentence about the state that the failure left behind.
        """
        errors = errors or parse_text(finished.stderr) or parse_text(finished.stdout)
        output, logs = finished.stdout + finished.stderr, self.logs or stack.folder
        crash = crash_of(
            stack,
            action,
            errors,
            output=output,
            logs=logs,
            environment=self.environment,
            left=left,
        )
        if crash:
            return crash
        # A plan shows every value that it sets.
        log = keep_output(output, logs / f"{stack.name}-apply.log") if action == "apply" else None
        return explain(action, stack.name, errors, left=left, log=log)

    async def _call(
        self,
        stack: Stack,
        *arguments: str,
        on_stdout: Callable[[str], None] | None = None,
        stop: asyncio.Event | None = None,
        sign_of_life: SignOfLife | None = None,
    ) -> Finished:
        keep_private(stack)
        action = arguments[0]
        sign_of_life = sign_of_life or SignOfLife(limit_seconds=self.limits.of(action))
        applied = AppliedIn(stack=stack)
        # Where it may be ended before it has saved its state, nobody needs that state afterwards.
        saves_state = action == "apply" and self.stop_timeout_seconds is None
        try:
            finished = await self.processes.call(
                [self.program, *arguments],
                folder=stack.folder,
                environment=self.environment,
                on_stdout=on_stdout,
                stop_timeout_seconds=self.stop_timeout_seconds,
                finishes=(
                    "Terraform finishes what is under way and saves its state."
                    if saves_state
                    else ""
                ),
                # A plan and a state hold every value that is set.
                private=action != "init",
                outlives=(
                    Outlives(folder=applied.folder, on_started=applied.begin)
                    if saves_state
                    else None
                ),
                stop=stop,
                is_stuck=lambda: sign_of_life.is_missed,
            )
        finally:
            if saves_state:
                applied.end()
        if finished.was_stuck:
            minutes = round(sign_of_life.limit_seconds / 60)
            raise AwsUnreachable(
                f"terraform {action} was stopped for the stack {stack.name}: it made no progress"
                f" for {minutes} minutes.",
                details=["What it asks, such as AWS, takes requests and does not answer them."],
                next_step="Check the network (and AWS_ENDPOINT_URL, if set) and run the command"
                " again: Terraform continues from its state.",
            )
        return finished

    async def _call_with_events(
        self,
        stack: Stack,
        action: str,
        arguments: Sequence[str],
        on_event: Callable[[Event], None],
        change_count: int | None = None,
        stop: asyncio.Event | None = None,
    ) -> Finished:
        output = JsonOutput(stack.name, on_event=on_event, limit_seconds=self.limits.of(action))
        finished = await self._call(
            stack,
            action,
            "-json",
            *arguments,
            on_stdout=output.read,
            stop=stop,
            sign_of_life=output.sign_of_life,
        )
        has_changes = finished.status == _CHANGES and action == "plan"
        if finished.status and not has_changes:
            of = "" if change_count is None else f" of {change_count}"
            left = f"Changes made before that, and kept in the state: {output.completed}{of}."
            raise self.failure(
                stack, action, finished, output.errors, left=left if action == "apply" else ""
            )
        return finished


def _planning(*, destroy: bool, refresh: bool, variables: Mapping[str, str] | None) -> list[str]:
    return [
        *_OPTIONS,
        *(["-destroy"] if destroy else []),
        *([] if refresh else ["-refresh=false"]),
        *(f"-var={name}={value}" for name, value in (variables or {}).items()),
    ]


def keep_private(stack: Stack) -> None:
    """Takes the right to read a stack's state from all others, whoever made the files."""
    for file in stack.state_files:
        with suppress(FileNotFoundError):
            file.chmod(0o600)
