"""Terraform's dependency lock: one file in the project's folder, and each stack's part of it.

Terraform keeps a lock file beside the configuration that it runs, deletes what that configuration
does not use from it, and picks newest versions where there is none. The configuration here is
output that nobody commits, so the project has a lock file of its own, which synthesis hands out.

It needs no cdktf, so that any tool can ask it quickly.

https://developer.hashicorp.com/terraform/language/files/dependency-lock
"""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from prod_e.version_constraint import VersionConstraint, sort_key

LOCK_FILE = ".terraform.lock.hcl"
"""What the lock is called, in the project's folder as in a stack's."""

TERRAFORM_REGISTRY = "registry.terraform.io"
OPENTOFU_REGISTRY = "registry.opentofu.org"

_HEADER = """\
# The providers of all stacks, with their checksums. Commit this file. `./prod-e providers
# lock` renews it, and nothing else changes what it says of a provider.
"""
_PART_HEADER = f"# This stack's part of {LOCK_FILE} in the project's folder: change that one.\n"

_ANY_VERSION = ">= 0.0.0"


@dataclass(frozen=True, kw_only=True)
class LockedProvider:
    """A provider as a lock file has it.

    `address`: registry, namespace and type, such as `registry.terraform.io/hashicorp/aws`.
    `constraints`: the range that its version was chosen from. `hashes`: its checksums: `h1:` is of
    one platform's files, `zh:` of one platform's archive as the registry's author signed it.
    """

    address: str
    version: str
    constraints: str = ""
    hashes: frozenset[str] = frozenset()

    @property
    def source(self) -> str:
        """Namespace and type, such as `hashicorp/aws`."""
        return self.address.partition("/")[2]

    @property
    def is_signed(self) -> bool:
        """Whether it has the checksums that come with a registry's signature."""
        return any(value.startswith("zh:") for value in self.hashes)


def parse_lock(text: str) -> tuple[LockedProvider, ...]:
    """Reads a lock file; raises `ValueError` with the line that is none of a lock file's."""
    providers: list[LockedProvider] = []
    provider: LockedProvider | None = None
    in_hashes = False
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        if in_hashes and words == "]":
            in_hashes = False
        elif in_hashes and provider and (match := re.fullmatch(r'"([a-z0-9]+:[^"]+)",?', words)):
            provider = replace(provider, hashes=provider.hashes | {match[1]})
        elif provider and words == "hashes = [":
            in_hashes = True
        elif provider and not in_hashes and words == "}":
            if not provider.version:
                raise ValueError(f"line {number}: {provider.address} has no version")
            providers.append(provider)
            provider = None
        elif (
            provider
            and not in_hashes
            and (match := re.fullmatch(r'(version|constraints)\s*=\s*"([^"]*)"', words))
        ):
            provider = (
                replace(provider, version=match[2])
                if match[1] == "version"
                else replace(provider, constraints=match[2])
            )
        elif provider is None and (
            match := re.fullmatch(r'provider "([\w.:-]+/[\w.-]+/[\w.-]+)" \{', words)
        ):
            provider = LockedProvider(address=match[1], version="")
        else:
            raise ValueError(f"line {number}: {words!r} belongs in no lock file of Terraform")
    if provider is not None:
        raise ValueError(f"it ends in the middle of {provider.address}")
    return tuple(providers)


def read_lock(file: Path) -> tuple[LockedProvider, ...]:
    """Reads a lock file, which may be missing; raises `ValueError` if it is none."""
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return ()
    return parse_lock(text)


def write_project_lock(file: Path, providers: Iterable[LockedProvider]) -> None:
    """Writes the project's lock file, all of it or nothing."""
    _write(file, _HEADER + _rendered(providers))


def required_providers(stack: Path) -> Mapping[str, str]:
    """The version constraint of each provider that a stack's JSON asks for, by namespace and type.

    `stack`: the folder with `cdk.tf.json`.
    """
    values = json.loads((stack / "cdk.tf.json").read_text("utf-8"))
    required = values["terraform"].get("required_providers", {})
    return {
        provider_source(provider["source"]): provider.get("version", _ANY_VERSION)
        for provider in required.values()
    }


def locked_version(
    providers: Iterable[LockedProvider], *, source: str, registry: str, constraint: str
) -> LockedProvider | None:
    """What a lock has of a provider for a range: the newest in it, else the newest; or nothing.

    Where environments ask for different ranges, the project's lock has a version for each.
    """
    required = VersionConstraint(constraint)
    return max(
        (provider for provider in providers if provider.address == f"{registry}/{source}"),
        key=lambda provider: (required.allows(provider.version), sort_key(provider.version)),
        default=None,
    )


def hand_out(
    project_lock: Sequence[LockedProvider], stacks: Iterable[Path], *, registry: str
) -> None:
    """Writes each stack's part of the project's lock beside its JSON, if there is any.

    `registry`: that of the program which will run, because it fails on another's providers.
    """
    for stack in stacks:
        own = _own_lock(stack)
        part = [
            replace(provider, constraints=_readable(provider, constraint))
            for source, constraint in required_providers(stack).items()
            if (
                provider := _handed_out(
                    project_lock, own, source=source, constraint=constraint, registry=registry
                )
            )
        ]
        if part:
            _write(stack / LOCK_FILE, _PART_HEADER + _rendered(part))


def registry_of(program: str | None) -> str:
    """The registry of a Terraform or an OpenTofu, told by the program's name.

    `program`: what `TERRAFORM_BINARY_NAME` says.
    """
    is_opentofu = "tofu" in Path(program or "terraform").name
    return OPENTOFU_REGISTRY if is_opentofu else TERRAFORM_REGISTRY


def _handed_out(
    project_lock: Sequence[LockedProvider],
    own: Mapping[str, LockedProvider],
    *,
    source: str,
    constraint: str,
    registry: str,
) -> LockedProvider | None:
    """What a stack's lock file should say of a provider.

    `own`: what the stack's file says by now. Of a provider that the project's lock lacks, that
    stays; of another it stays where Terraform has only added checksums of its own, which it does
    when it has found that a package has one of those that were there.
    """
    address = f"{registry}/{source}"
    stacks_own = own.get(address)
    locked = locked_version(project_lock, source=source, registry=registry, constraint=constraint)
    if locked is None and stacks_own is None:
        # The other program's registry has the same versions, built anew.
        others = TERRAFORM_REGISTRY if registry == OPENTOFU_REGISTRY else OPENTOFU_REGISTRY
        other = locked_version(project_lock, source=source, registry=others, constraint=constraint)
        return other and replace(other, address=address, hashes=frozenset())
    if locked is None or (
        stacks_own and stacks_own.version == locked.version and stacks_own.hashes >= locked.hashes
    ):
        return stacks_own
    return locked


def _readable(provider: LockedProvider, constraint: str) -> str:
    """A range for the stack's lock that keeps cdktf from asking Terraform for a newer version.

    cdktf takes the first version in the range that a stack requires, looks whether it is in the
    range that the lock names, and runs `terraform init -upgrade` if it is not, as with `> 5.99`:
    https://github.com/hashicorp/terraform-cdk/blob/v0.21.0/packages/%40cdktf/cli-core/src/lib/cdktf-stack.ts
    """
    first = re.search(r"\d+(\.\d+){0,2}", constraint)
    assert first is not None
    return next(
        text
        for text in (provider.constraints, constraint, _ANY_VERSION)
        if text and VersionConstraint(text).allows(first.group())
    )


def _own_lock(stack: Path) -> Mapping[str, LockedProvider]:
    try:
        return {provider.address: provider for provider in read_lock(stack / LOCK_FILE)}
    except ValueError:
        return {}  # It is made anew.


def _rendered(providers: Iterable[LockedProvider]) -> str:
    """The text as Terraform would write it, so that it has nothing to change."""
    ordered = sorted(providers, key=lambda p: (p.address, sort_key(p.version)))
    return "".join(line for provider in ordered for line in _lines(provider))


def _lines(provider: LockedProvider) -> Iterator[str]:
    yield f'\nprovider "{provider.address}" {{\n'
    gap = "     " if provider.constraints else " "
    yield f'  version{gap}= "{provider.version}"\n'
    if provider.constraints:
        yield f'  constraints = "{provider.constraints}"\n'
    if provider.hashes:
        yield "  hashes = [\n"
        yield from (f'    "{value}",\n' for value in sorted(provider.hashes))
        yield "  ]\n"
    yield "}\n"


def _write(file: Path, text: str) -> None:
    """Writes a file that somebody else may be reading, unless it says the same already."""
    with contextlib.suppress(FileNotFoundError):
        if file.read_text("utf-8") == text:
            return
    scratch = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        scratch.write_text(text, "utf-8")
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def provider_source(given: str) -> str:
    """Namespace and type of a provider's source; HashiCorp's is the default namespace."""
    parts = given.split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 else f"hashicorp/{given}"
