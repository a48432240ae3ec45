"""What commands that work on the project's files print with `--json`."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InitResult:
    """What `prod-e init` prints."""

    environment: str
    """Its name."""

    file: str
    """The settings file that was written."""
