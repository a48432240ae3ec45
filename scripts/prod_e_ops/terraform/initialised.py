"""What a stack's folder was initialised for: it is done again where that has changed."""

import json
from dataclasses import dataclass
from pathlib import Path

from prod_e.dependency_lock import LOCK_FILE
from prod_e_ops.project.project import Stack


@dataclass(frozen=True, kw_only=True)
class Initialised:
    """`providers`: where they come from. `program`: which Terraform, in which version."""

    stack: Stack
    providers: str
    program: str

    @property
    def is_so(self) -> bool:
        """Whether the folder was initialised for this, and its providers are still there."""
        installed = (self.stack.folder / ".terraform" / "providers").glob("*/*/*/*/*")
        return (
            self._stamp.is_file()
            and self._stamp.read_text("utf-8") == self._wanted
            and all(folder.exists() for folder in installed)
        )

    def note(self) -> None:
        """Notes that it is done."""
        self._stamp.parent.mkdir(exist_ok=True)
        self._stamp.write_text(self._wanted, "utf-8")

    @property
    def _stamp(self) -> Path:
        return self.stack.folder / ".terraform" / "prod-e-init.json"

    @property
    def _wanted(self) -> str:
        lock = self.stack.folder / LOCK_FILE
        return json.dumps(
            {
                "terraform": json.loads(self.stack.json_file.read_text("utf-8"))["terraform"],
                "overrides": sorted(p.name for p in self.stack.folder.glob("*_override.tf.json")),
                "lock": lock.read_text("utf-8") if lock.is_file() else "",
                "providers": self.providers,
                "program": self.program,
            },
            sort_keys=True,
        )
