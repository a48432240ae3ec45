"""What Terraform says of its work while it is at it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

# Terraform's own words for people, where its JSON output has others.
_VERBS = {"delete": "destroy", "update": "change"}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that Terraform does to a resource: `kind` is its JSON output's `type`.

    `action`: what it does to it, such as "create"; empty for what is no change.
    """

    stack: str
    kind: str
    address: str
    message: str
    action: str = ""

    @property
    def completes_change(self) -> bool:
        """Whether it is the end of a change; data that is read while a plan is applied is none."""
        return self.kind == "apply_complete" and not self.address.startswith("data.")

    @property
    def is_planned(self) -> bool:
        """Whether it says what will be done; data that will be read is no change."""
        return self.kind == "planned_change" and self.action != "read"

    @property
    def begins_creation(self) -> bool:
        """Whether AWS is asked for something new from here on."""
        return self.kind == "apply_start" and self.action == "create"

    @property
    def doing(self) -> str:
        """What it does just now, such as `create aws_lb.load-balancer`.

        Empty where that is nothing to a resource: its version, its outputs, what it counts.
        """
        match self.kind:
            case "refresh_start":
                return f"read {self.address}"
            case "apply_start" | "apply_progress":
                return f"{_VERBS.get(self.action, self.action)} {self.address}"
            case "apply_errored":
                return f"{self.address} failed"
        return ""

    @classmethod
    def of(cls, stack: str, values: Mapping[str, Any]) -> Self:
        """Reads a line of Terraform's JSON output.

        https://developer.hashicorp.com/terraform/internals/machine-readable-ui
        """
        change = values.get("hook") or values.get("change") or {}
        return cls(
            stack=stack,
            kind=values.get("type", ""),
            address=change.get("resource", {}).get("addr", ""),
            message=values.get("@message", ""),
            action=change.get("action", ""),
        )


class UnderWay:
    """The addresses of the resources that a Terraform works on just now."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()

    def note(self, event: Event) -> bool:
        """Takes note of what Terraform says; whether it began or ended work on a resource."""
        if event.kind == "apply_start":
            self.addresses.add(event.address)
        elif event.kind in ("apply_complete", "apply_errored"):
            self.addresses.discard(event.address)
        else:
            return False
        return True


def showing(update: Callable[[str], object]) -> Callable[[Event], None]:
    """Shows by `update` what is done to resources, with the stack before it."""

    def show(event: Event) -> None:
        if event.doing:
            update(f"{event.stack}: {event.doing}")

    return show


def ignore(_: Event) -> None:
    """Wants no events."""
