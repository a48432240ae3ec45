"""How long a Terraform may be silent: AWS can take a request and never answer it."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """After how many seconds without any news a Terraform is stopped.

    `apply_seconds`: longer than the provider itself waits for any resource here, which is at most
    80 minutes, for a change of a database. `init_seconds`: providers are installed in it, in
    silence, over whatever line there is.
    """

    apply_seconds: float = 5_400
    init_seconds: float = 5_400
    other_seconds: float = 900

    def of(self, action: str) -> float:
        """That of an action such as "plan"."""
        match action:
            case "apply":
                return self.apply_seconds
            case "init":
                return self.init_seconds
            case _:
                return self.other_seconds


class SignOfLife:
    """When something was last heard of a Terraform."""

    def __init__(self, *, limit_seconds: float) -> None:
        self.limit_seconds = limit_seconds
        self.renew()

    def renew(self) -> None:
        """Something was heard."""
        self._at = time.monotonic()

    @property
    def is_missed(self) -> bool:
        """Whether nothing was heard for longer than the limit."""
        return time.monotonic() - self._at > self.limit_seconds
