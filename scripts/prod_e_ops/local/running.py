"""Which environments `prod-e local` runs, for commands that are to work on one of them."""

import fcntl
import json
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from embedded_aws.client import without_any_aws
from prod_e_ops import next_commands
from prod_e_ops.errors import UserMistake
from prod_e_ops.project.project import Project

_FOLDER = Path(".cache") / "local"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a project notes that an environment runs locally, and keeps its data."""

    folder: Path
    environment: str

    @classmethod
    def of(cls, project: Project, environment: str) -> "Place":
        """The place of an environment; it need not run."""
        return cls(folder=project.folder / _FOLDER, environment=environment)

    @property
    def databases(self) -> Path:
        """Where the data of its databases is kept from one run to the next."""
        return self.folder / f"{self.environment}-databases"

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.environment}.json"

    @contextmanager
    def taken(self) -> Iterator["Place"]:
        """Takes the place for this process, until the block or the process ends.

        Raises `UserMistake` if the environment runs already.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._file.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserMistake(
                    f"{self.environment} runs locally already.",
                    next_step="End that with Ctrl-C first, or run another environment beside it.",
                ) from None
            # What a process that was killed has left.
            file.truncate(0)
            try:
                yield self
            finally:
                self._file.unlink(missing_ok=True)

    def note(self, variables: Mapping[str, str]) -> None:
        """Notes the variables that lead to its AWS, for `variables`; the place must be taken."""
        # Not another file in its place: the lock is on this one.
        self._file.write_text(json.dumps(dict(variables)), "utf-8")

    def variables(self) -> Mapping[str, str]:
        """The variables that lead to its AWS; raises `UserMistake` if it does not run."""
        with suppress(OSError, ValueError), self._file.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found: dict[str, str] = json.load(file)
                return found
        raise UserMistake(
            f"{self.environment} does not run locally.",
            next_step=f"Run `{next_commands.local(self.environment)}` in another terminal.",
        )


def lead_to(place: Place, environment: MutableMapping[str, str]) -> None:
    """Has who is started with these variables ask an environment that runs locally, and no AWS.

    Raises `UserMistake` if it does not run.
    """
    variables = place.variables()
    kept = without_any_aws(environment)
    environment.clear()
    environment.update({**kept, **variables})
