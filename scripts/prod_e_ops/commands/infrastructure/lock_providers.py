"""`prod-e providers lock`: the checksums of the providers of all stacks, for more platforms."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from prod_e.dependency_lock import (
    LOCK_FILE,
    LockedProvider,
    hand_out,
    locked_version,
    read_lock,
    required_providers,
    write_project_lock,
)
from prod_e.version_constraint import VersionConstraint
from prod_e_ops.commands.arguments import Json, OneEnvironmentOption
from prod_e_ops.context import Context, run
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.results import LockResult
from prod_e_ops.stacks.synthesis import synthesise
from prod_e_ops.terminal.json_output import to_json
from prod_e_ops.terminal.terminal import Terminal
from prod_e_ops.terraform.find import find_terraform
from prod_e_ops.terraform.output.diagnostics import parse_text
from prod_e_ops.terraform.providers.dependency_lock import DependencyLock, this_platform_only
from prod_e_ops.terraform.providers.mirror import MIRROR_VARIABLE
from prod_e_ops.terraform.providers.versions import shown, warnings
from prod_e_ops.terraform.runner import Terraform

_PLATFORM = re.compile(r"[a-z0-9]+_[a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class LockOptions:
    """What is asked for.

    `platforms`: as Terraform names them, such as `linux_amd64`; none: this machine's. `upgrade`:
    takes the newest version in each range instead of the one that is locked. `environment`: whose
    ranges alone are looked at, what the lock says for others stays; default: all of them.
    `as_json`: stdout is for the result alone.
    """

    platforms: Sequence[str] = ()
    upgrade: bool = False
    environment: str | None = None
    as_json: bool = False


providers = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@providers.callback()
def about() -> None:
    """Terraform's providers: which versions, with which checksums."""


@providers.command()
def lock(
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
    environment: OneEnvironmentOption = None,
    json: Json = False,
) -> None:
    """Renew the dependency lock: the providers' versions and checksums, for the platforms named.

    It writes .terraform.lock.hcl in the project's folder, which is to be committed. No other
    command changes what it says of a provider.

    Example: ./prod-e providers lock --platform linux_amd64 --platform darwin_arm64
    """
    options = LockOptions(
        platforms=tuple(platform or ()), upgrade=upgrade, environment=environment, as_json=json
    )
    run(lambda context: lock_providers(context, options=options))


async def lock_providers(context: Context, *, options: LockOptions) -> None:
    """Renews the dependency lock for every range that any stack of the project asks for.

    Raises `UserMistake` for a platform that is none, and `OpsError` if a provider cannot be had;
    what the lock says of that one stays.
    """
    mistakes = [p for p in options.platforms if not _PLATFORM.fullmatch(p)]
    if mistakes:
        raise UserMistake(
            f"These are not platforms: {', '.join(map(repr, mistakes))}.",
            next_step="Name them as Terraform does: linux_amd64, linux_arm64, darwin_arm64, ...",
        )
    project, terminal = context.project, context.terminal
    async with find_terraform(
        context.processes, cache_folder=project.folder / ".cache" / "terraform-providers"
    ) as terraform:
        one = project.environment(options.environment).name if options.environment else None
        await synthesise(context, one)
        names = [one] if one else project.environments()
        stacks = [stack for name in names for stack in project.stacks(name)]
        lock = DependencyLock(
            folder=project.folder, registry=terraform.registry, on_added=terminal.say
        )
        locked = lock.read()
        renewed: list[LockedProvider] = []
        ours = f"{terraform.registry}/"
        left = [p for p in locked if one and p.address.startswith(ours)]
        failures: list[str] = []
        for source, constraint in _ranges(stacks):
            known = locked_version(
                locked, source=source, registry=terraform.registry, constraint=constraint
            )
            is_kept = known and not options.upgrade and _is_in_range(known, constraint)
            try:
                with terminal.step(f"Lock {source} {constraint}") as step:
                    provider = await _lock(
                        terraform,
                        source,
                        constraint,
                        kept=known if is_kept else None,
                        platforms=options.platforms,
                    )
                    step.outcome = provider.version
            except OpsError as error:
                failures += [error.message, *(f"  {line}" for line in error.details)]
                left += [known] if known else []
            else:
                renewed.append(provider)
        if renewed:
            lock.replace(_merged([*left, *renewed]))
            hand_out(lock.read(), [stack.folder for stack in stacks], registry=terraform.registry)
            _report(renewed, terminal, file=project.folder / LOCK_FILE, as_json=options.as_json)
    if failures:
        raise OpsError(
            f"{LOCK_FILE} is not complete:",
            details=failures,
            next_step=f"Check the network, or set {MIRROR_VARIABLE} to a folder that `terraform"
            " providers mirror` made for these platforms, and run the command again.",
        )


def _ranges(stacks: Sequence[Stack]) -> Sequence[tuple[str, str]]:
    """Every range of every provider that a stack asks for."""
    return sorted({r for stack in stacks for r in required_providers(stack.folder).items()})


def _is_in_range(provider: LockedProvider, constraint: str) -> bool:
    return VersionConstraint(constraint).allows(provider.version)


def _merged(providers: Sequence[LockedProvider]) -> Sequence[LockedProvider]:
    """One of each version: two ranges may have come to the same."""
    return list({(p.address, p.version): p for p in providers}.values())


async def _lock(
    terraform: Terraform,
    source: str,
    constraint: str,
    *,
    kept: LockedProvider | None,
    platforms: Sequence[str],
) -> LockedProvider:
    """Lets Terraform compute the checksums, from the mirror if it has them or from the registry.

    `kept`: the version that it must be; absent: the newest in the range.

    https://developer.hashicorp.com/terraform/cli/commands/providers/lock
    """
    address = f"{terraform.registry}/{source}"
    mirrors = [terraform.providers.mirror] if address in terraform.providers.addresses else []
    errors: list[str] = []
    for mirror in (*mirrors, None):
        with tempfile.TemporaryDirectory(prefix="prod-e-lock-") as scratch:
            folder = Path(scratch)
            required = {source.rpartition("/")[2]: {"source": source, "version": constraint}}
            (folder / "main.tf.json").write_text(
                dumps({"terraform": {"required_providers": required}}), "utf-8"
            )
            if kept:
                # Terraform keeps to the version, and computes every checksum.
                write_project_lock(folder / LOCK_FILE, [replace(kept, hashes=frozenset())])
            finished = await terraform.processes.call(
                [
                    terraform.program,
                    "providers",
                    "lock",
                    "-no-color",
                    *([f"-fs-mirror={mirror}"] if mirror else []),
                    *(f"-platform={platform}" for platform in platforms),
                ],
                folder=folder,
                environment=terraform.environment,
                stop_timeout_seconds=3,
            )
            if not finished.status:
                (provider,) = read_lock(folder / LOCK_FILE)
                return provider
        said = parse_text(finished.stderr) or parse_text(finished.stdout)
        place = f"the mirror {mirror}" if mirror else "the registry"
        errors += [f"{place}: {error.line}" for error in said] or [f"{place}: no reason given"]
    raise OpsError(f"{source} {constraint} cannot be locked.", details=errors)


def _report(
    renewed: Sequence[LockedProvider], terminal: Terminal, *, file: Path, as_json: bool
) -> None:
    installed: dict[str, frozenset[str]] = {}
    for provider in renewed:
        versions = installed.get(provider.source, frozenset())
        installed[provider.source] = versions | {provider.version}
    if as_json:
        locked = {source: sorted(found) for source, found in sorted(installed.items())}
        terminal.result(to_json(LockResult(file=str(file), versions=locked)))
    else:
        terminal.result(f"{LOCK_FILE} holds {shown(installed)}: commit it.")
    for warning in warnings(installed):
        terminal.say(warning)
    for source in sorted({p.source for p in renewed if not p.is_signed}):
        terminal.say(this_platform_only(source))
