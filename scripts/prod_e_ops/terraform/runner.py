"""Runs Terraform in the folders of synthesised stacks."""

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prod_e.dependency_lock import LOCK_FILE, OPENTOFU_REGISTRY, TERRAFORM_REGISTRY
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.project.project import Stack
from prod_e_ops.terminal.processes import Finished, Supervisor
from prod_e_ops.terraform.dependency_lock import DependencyLock
from prod_e_ops.terraform.diagnostics import Diagnostic, explain, parse_text
from prod_e_ops.terraform.plan_changes import PlanSummary
from prod_e_ops.terraform.provider_crash import crash_of
from prod_e_ops.terraform.provider_mirror import ProviderSource, find_provider_source

OLDEST_VERSION = (1, 10)
PLAN_FILE = "prod-e.tfplan"
PLAN_JSON_FILE = "prod-e.tfplan.json"

# AWS answers more requests at once than Terraform's default of 10 makes.
_PARALLELISM = "-parallelism=30"


@dataclass(frozen=True)
class Event:
    """Something that Terraform does to a resource: `kind` is its JSON output's `type`."""

    stack: str
    kind: str
    address: str
    message: str


def _ignore(_: Event) -> None:
    """Wants no events."""


@dataclass(frozen=True)
class Terraform:
    """The Terraform or OpenTofu on this machine, with what it needs to find its providers.

    `name`: which of the two. `patience`: seconds that it may take to stop after Ctrl-C; absent: as
    long as it needs, which is what a real state wants. `logs`: where the output of a run that a
    provider ended is kept; absent: in the stack's folder.
    """

    name: str
    program: Path
    version: str
    providers: ProviderSource
    environment: Mapping[str, str]
    supervisor: Supervisor = field(repr=False)
    patience: float | None = None
    logs: Path | None = None

    def towards(
        self, environment: Mapping[str, str], *, patience: float, logs: Path
    ) -> "Terraform":
        """The same Terraform with other environment variables, and little patience."""
        return replace(self, environment={**environment}, patience=patience, logs=logs)

    @property
    def is_opentofu(self) -> bool:
        """Whether it is OpenTofu."""
        return self.name == "OpenTofu"

    @property
    def registry(self) -> str:
        """The host that it gets providers from, which is a part of their addresses."""
        return OPENTOFU_REGISTRY if self.is_opentofu else TERRAFORM_REGISTRY

    async def init(self, stack: Stack, *, lock: DependencyLock | None = None) -> None:
        """Installs the stack's providers and sets up its backend, unless that is done.

        `lock`: what may be installed, and where anything new is noted; absent: whatever the stack
        asks for.
        """
        if lock:
            lock.hand_out([stack])
        stamp = stack.folder / ".terraform" / "prod-e-init.json"
        installed = list((stack.folder / ".terraform" / "providers").glob("*/*/*/*/*"))
        if (
            stamp.is_file()
            and stamp.read_text("utf-8") == self._initialised_for(stack)
            and all(folder.exists() for folder in installed)
        ):
            return
        finished = await self._call(stack, "init", "-input=false", "-no-color")
        if finished.status:
            errors = parse_text(finished.stderr) or parse_text(finished.stdout)
            raise explain("init", stack.name, errors)
        if lock:
            lock.keep(stack)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(self._initialised_for(stack), "utf-8")

    def _initialised_for(self, stack: Stack) -> str:
        """What a stack must be initialised for, as a text to compare."""
        lock = stack.folder / LOCK_FILE
        return json.dumps(
            {
                "terraform": json.loads(stack.json_file.read_text("utf-8"))["terraform"],
                "overrides": sorted(p.name for p in stack.folder.glob("*_override.tf.json")),
                "lock": lock.read_text("utf-8") if lock.is_file() else "",
                "providers": self.providers.origin,
                "program": f"{self.name} {self.version}",
            },
            sort_keys=True,
        )

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
        on_event: Callable[[Event], None] = _ignore,
    ) -> PlanSummary:
        """Plans, and leaves the plan and its JSON in the stack's folder.

        `targets`: the addresses that it is about, with what they need; none: everything.
        `replace`: those that are made anew. `variables`: of the stack.
        """
        arguments = ["-input=false", "-lock-timeout=5s", _PARALLELISM, f"-out={PLAN_FILE}"]
        arguments += ["-destroy"] if destroy else []
        arguments += [] if refresh else ["-refresh=false"]
        arguments += [f"-target={address}" for address in targets]
        arguments += [f"-replace={address}" for address in replace]
        arguments += [f"-var={name}={value}" for name, value in (variables or {}).items()]
        self.forget_plan(stack)
        await self._call_with_events(stack, "plan", arguments, on_event)
        return await self.show_plan(stack)

    async def show_plan(self, stack: Stack) -> PlanSummary:
        """Reads the plan in the stack's folder, and leaves it there as JSON.

        Not that of a private stack: it is enough that the plan itself holds the secret.
        """
        finished = await self._call(stack, "show", "-json", PLAN_FILE)
        if finished.status:
            raise self.failure(stack, "show", finished)
        if not stack.is_private:
            (stack.folder / PLAN_JSON_FILE).write_text(finished.stdout, "utf-8")
        return PlanSummary.of(json.loads(finished.stdout))

    def forget_plan(self, stack: Stack) -> None:
        """Removes the plan from the stack's folder."""
        for name in (PLAN_FILE, PLAN_JSON_FILE):
            (stack.folder / name).unlink(missing_ok=True)

    async def apply(self, stack: Stack, *, on_event: Callable[[Event], None] = _ignore) -> None:
        """Applies the plan in the stack's folder."""
        arguments = ["-input=false", "-lock-timeout=5s", _PARALLELISM, PLAN_FILE]
        await self._call_with_events(stack, "apply", arguments, on_event)

    async def outputs(self, stack: Stack) -> Mapping[str, str]:
        """The outputs in the stack's state, sensitive ones left out."""
        finished = await self._call(stack, "output", "-json")
        if finished.status:
            raise explain("output", stack.name, parse_text(finished.stderr))
        values: dict[str, dict[str, Any]] = json.loads(finished.stdout)
        return {
            name: str(output["value"]) for name, output in values.items() if not output["sensitive"]
        }

    async def resources(self, stack: Stack) -> Sequence[Mapping[str, Any]]:
        """The managed resources in the stack's state."""
        finished = await self._call(stack, "show", "-json")
        if finished.status:
            raise self.failure(stack, "show", finished)
        root = json.loads(finished.stdout).get("values", {}).get("root_module", {})
        return [r for r in root.get("resources", ()) if r["mode"] == "managed"]

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
        crash = crash_of(
            stack,
            action,
            errors,
            output=finished.stdout + finished.stderr,
            logs=self.logs or stack.folder,
            environment=self.environment,
            left=left,
        )
        return crash or explain(action, stack.name, errors, left=left)

    async def _call(
        self,
        stack: Stack,
        *arguments: str,
        on_stdout: Callable[[str], None] | None = None,
    ) -> Finished:
        keep_private(stack)
        return await self.supervisor.call(
            [self.program, *arguments],
            folder=stack.folder,
            environment=self.environment,
            on_stdout=on_stdout,
            patience=self.patience,
            finishes=(
                "Terraform finishes what is under way and saves its state."
                if arguments[0] == "apply" and self.patience is None
                else ""
            ),
            private=stack.is_private,
        )

    async def _call_with_events(
        self,
        stack: Stack,
        action: str,
        arguments: Sequence[str],
        on_event: Callable[[Event], None],
    ) -> None:
        errors: list[Diagnostic] = []
        completed = 0

        def read(line: str) -> None:
            nonlocal completed
            try:
                values = json.loads(line)
            except ValueError:
                return
            if values.get("type") == "diagnostic":
                if values["diagnostic"]["severity"] == "error":
                    errors.append(Diagnostic.of(values["diagnostic"]))
                return
            completed += values.get("type") == "apply_complete"
            resource = (values.get("hook") or values.get("change") or {}).get("resource", {})
            address = resource.get("addr", "")
            on_event(Event(stack.name, values.get("type", ""), address, values.get("@message", "")))

        finished = await self._call(stack, action, "-json", *arguments, on_stdout=read)
        if finished.status:
            left = (
                f"{completed} resources were applied before that, and are in the state."
                if action == "apply"
                else ""
            )
            raise self.failure(stack, action, finished, errors, left=left)


def keep_private(stack: Stack) -> None:
    """Takes the right to read a private stack's state from all others, whoever made the files."""
    if stack.is_private:
        for file in stack.state_files:
            if file.exists():
                file.chmod(0o600)


@asynccontextmanager
async def find_terraform(
    supervisor: Supervisor,
    *,
    cache_folder: Path,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Terraform]:
    """Finds Terraform and its providers; raises `UserMistake` if it is missing or too old.

    `cache_folder`: where providers from the registry are kept for all stacks, unless the user has
    set a folder for that.
    """
    given = dict(os.environ if environment is None else environment)
    name = given.get("TERRAFORM_BINARY_NAME") or "terraform"
    program = shutil.which(name, path=given.get("PATH"))
    if program is None:
        raise UserMistake(
            f"Terraform is not installed: there is no `{name}` on PATH.",
            next_step="Install Terraform 1.10 or newer"
            " (https://developer.hashicorp.com/terraform/install), or name OpenTofu in"
            " TERRAFORM_BINARY_NAME; `npm run synth` and `npm run test:unit` work without them.",
        )
    variables = _quiet(given)
    product, version = await _version(supervisor, Path(program), variables)
    registry = OPENTOFU_REGISTRY if product == "OpenTofu" else TERRAFORM_REGISTRY
    providers = await asyncio.to_thread(find_provider_source, variables, registry=registry)
    providers = providers.for_registry(
        registry, link_folder=cache_folder.with_name("opentofu-mirror")
    )
    with tempfile.TemporaryDirectory(prefix="prod-e-terraform-") as scratch:
        complete = _variables(variables, providers, Path(scratch), cache_folder)
        yield Terraform(product, Path(program), version, providers, complete, supervisor)


def _quiet(given: Mapping[str, str]) -> dict[str, str]:
    variables = {**given, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
    configured = variables.get("TF_CLI_CONFIG_FILE")
    if configured and not Path(configured).is_file():
        # Terraform warns about it on every call, and OpenTofu refuses to run.
        del variables["TF_CLI_CONFIG_FILE"]
    return variables


def _variables(
    given: Mapping[str, str], providers: ProviderSource, scratch: Path, cache_folder: Path
) -> dict[str, str]:
    variables = dict(given)
    # The docker provider's BuildKit reads it: attestations would make an index of what is one
    # image, and another digest of it with each build.
    variables["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
    configuration = providers.cli_configuration()
    if configuration is not None:
        file = scratch / "terraform.rc"
        file.write_text(configuration, "utf-8")
        variables["TF_CLI_CONFIG_FILE"] = str(file)
    elif "TF_PLUGIN_CACHE_DIR" not in variables and providers.origin.endswith("registry"):
        cache_folder.mkdir(parents=True, exist_ok=True)
        variables["TF_PLUGIN_CACHE_DIR"] = str(cache_folder)
    return variables


async def _version(
    supervisor: Supervisor, program: Path, given: Mapping[str, str]
) -> tuple[str, str]:
    """The product's name, which only the answer for people has, and its version."""
    for_machines, for_people = await asyncio.gather(
        *(
            supervisor.call(
                [program, "version", *options],
                folder=Path.cwd(),
                environment=given,
                patience=1,
            )
            for options in (["-json"], [])
        )
    )
    try:
        version = str(json.loads(for_machines.stdout)["terraform_version"])
    except (ValueError, KeyError):
        said = for_machines.stderr.strip() or for_machines.stdout.strip()
        raise OpsError(
            f"{program} does not answer `version` as Terraform does.",
            details=said.splitlines()[:5],
            next_step="Install Terraform 1.10 or newer, or name it or OpenTofu in"
            " TERRAFORM_BINARY_NAME.",
        ) from None
    name = "OpenTofu" if for_people.stdout.startswith("OpenTofu") else "Terraform"
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_VERSION:
        raise UserMistake(
            f"{name} {version} ({program}) is too old: prod-e needs 1.10 or newer.",
            next_step="Install a newer one (https://developer.hashicorp.com/terraform/install).",
        )
    return name, version
