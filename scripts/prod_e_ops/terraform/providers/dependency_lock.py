"""The project's dependency lock: what Terraform installs is what it says, or is added to it."""

import dataclasses
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
from prod_e_ops import next_commands
from prod_e_ops.errors import DependencyLockMismatch, UserMistake
from prod_e_ops.project.project import Stack

RENEW = next_commands.lock_providers()
"""The command that renews the lock."""


@dataclass(frozen=True, kw_only=True)
class DependencyLock:
    """The lock file of a project, for one program.

    `folder`: the project's. `registry`: the program's. `on_added`: called with a
    line for the user when something was added.
    """

    folder: Path
    registry: str
    on_added: Callable[[str], object]

    @property
    def file(self) -> Path:
        """The lock file, which may be missing."""
        return self.folder / LOCK_FILE

    def read(self) -> Sequence[LockedProvider]:
        """What it says; raises `UserMistake` if it cannot be read."""
        try:
            return read_lock(self.file)
        except (OSError, ValueError) as error:
            raise UserMistake(
                f"{self.file} cannot be read: {error}.",
                next_step=f"Restore it from the previous commit, or delete it and run `{RENEW}`.",
            ) from None

    def hand_out(self, stacks: Sequence[Stack]) -> None:
        """Gives each stack its part.

        Raises `DependencyLockMismatch` if one asks for a range of a provider in which no locked
        version is.
        """
        locked = self.read()
        for stack in stacks:
            for source, constraint in required_providers(stack.folder).items():
                provider = self._locked(locked, source, constraint)
                if provider and not VersionConstraint(constraint).allows(provider.version):
                    raise DependencyLockMismatch(
                        f"{LOCK_FILE} has {source} {provider.version}, and the settings of the"
                        f" stack {stack.name} ask for {constraint}.",
                        details=["Nothing was changed."],
                        next_step=f"`{RENEW}` locks a version in that range;"
                        " or set [providers] back.",
                    )
        hand_out(locked, [stack.folder for stack in stacks], registry=self.registry)

    def keep(self, stack: Stack) -> None:
        """Adds the providers that an initialised stack has and the project's lock lacks.

        What the lock says of a provider stays as it is, and the stack's own lock file comes to say
        the same.
        """
        with self._exclusively():
            locked = self.read()
            added = [
                provider
                for provider in read_lock(stack.folder / LOCK_FILE)
                if (constraint := required_providers(stack.folder).get(provider.source))
                and self._locked(locked, provider.source, constraint) is None
            ]
            if added:
                self.write([*locked, *added])
        self.hand_out([stack])
        for provider in added:
            self.on_added(
                f"{LOCK_FILE} holds {provider.source} {provider.version} from now on: commit it."
                + ("" if provider.is_signed else f" {this_platform_only(provider.source)}")
            )

    def replace(self, renewed: Sequence[LockedProvider]) -> None:
        """Makes this registry's part of the lock what was renewed.

        Where the version is the one that the lock has, the checksums that it has stay: they may be
        of other platforms.
        """
        with self._exclusively():
            locked = self.read()
            known = {(p.address, p.version): p.hashes for p in locked}
            kept = [p for p in locked if not p.address.startswith(f"{self.registry}/")]
            for provider in renewed:
                hashes = known.get((provider.address, provider.version), frozenset())
                kept.append(dataclasses.replace(provider, hashes=provider.hashes | hashes))
            self.write(kept)

    def write(self, providers: Sequence[LockedProvider]) -> None:
        """Writes the file; raises `UserMistake` if that is not allowed."""
        try:
            write_project_lock(self.file, providers)
        except OSError as error:
            raise UserMistake(f"{self.file} cannot be written: {error.strerror}.") from None

    def _locked(
        self, locked: Sequence[LockedProvider], source: str, constraint: str
    ) -> LockedProvider | None:
        return locked_version(locked, source=source, registry=self.registry, constraint=constraint)

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Keeps other processes from adding to the file between reading and writing it.

        The kernel drops the lock on the folder when the process ends, however it ends.
        """
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def this_platform_only(source: str) -> str:
    """Says what checksums are worth that were computed here from a mirror's files."""
    return (
        f"The checksums of {source} come from a mirror, so they are for this platform only:"
        f" on a machine that reaches the registry, `{RENEW}` adds the others."
    )
