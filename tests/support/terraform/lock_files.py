"""Dependency locks of stacks, and of the project."""

import json
from collections.abc import Mapping
from pathlib import Path

from prod_e.dependency_lock import (
    LOCK_FILE,
    TERRAFORM_REGISTRY,
    LockedProvider,
    write_project_lock,
)
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.providers.dependency_lock import DependencyLock

AWS = "hashicorp/aws"


def locked(
    source: str = AWS,
    version: str = "5.100.0",
    *hashes: str,
    registry: str = TERRAFORM_REGISTRY,
    constraints: str = "~> 5.100",
) -> LockedProvider:
    return LockedProvider(
        address=f"{registry}/{source}",
        version=version,
        constraints=constraints,
        hashes=frozenset(hashes or {"h1:known"}),
    )


def make_stack(folder: Path, required: Mapping[str, object], name: str = "tiny-e") -> Stack:
    stack = Stack(name, folder / "stacks" / name)
    stack.folder.mkdir(parents=True)
    stack.json_file.write_text(json.dumps({"terraform": {"required_providers": required}}))
    return stack


def make_lock(
    folder: Path, *providers: LockedProvider, told: list[str] | None = None
) -> DependencyLock:
    if providers:
        write_project_lock(folder / LOCK_FILE, providers)
    return DependencyLock(
        folder=folder,
        registry=TERRAFORM_REGISTRY,
        on_added=(told if told is not None else []).append,
    )
