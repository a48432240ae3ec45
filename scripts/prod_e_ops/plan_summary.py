"""What a Terraform plan does, as a value: read from `terraform show -json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STATEFUL_TYPES = frozenset(
    {
        "aws_db_instance",
        "aws_ecr_repository",
        "aws_s3_bucket",
        "aws_kms_key",
        "aws_secretsmanager_secret",
    }
)
"""Resources that hold data: replacing or destroying one loses it."""


@dataclass(frozen=True)
class Change:
    """One resource that the plan touches.

    `changed_keys`: the top-level arguments that change, or that force its replacement; empty for
    one that is created or destroyed.
    """

    address: str
    type: str
    changed_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanSummary:
    """A plan's changes, by what happens to the resource, and the outputs that it changes."""

    created: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    replaced: tuple[Change, ...] = ()
    destroyed: tuple[Change, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether applying it would do nothing."""
        return not (
            self.created or self.changed or self.replaced or self.destroyed or self.outputs
        )

    @property
    def resource_count(self) -> int:
        """How many resources it touches, a replacement counting for its two halves."""
        replaced = 2 * len(self.replaced)
        return len(self.created) + len(self.changed) + len(self.destroyed) + replaced

    @property
    def loses_data(self) -> Sequence[Change]:
        """The stateful resources that it replaces or destroys."""
        return [c for c in (*self.replaced, *self.destroyed) if c.type in STATEFUL_TYPES]

    @property
    def counts(self) -> str:
        """One line: how many resources meet which fate."""
        if self.is_empty:
            return "no changes"
        parts = [
            f"{len(changes)} {what}"
            for what, changes in (
                ("to create", self.created),
                ("to change", self.changed),
                ("to replace", self.replaced),
                ("to destroy", self.destroyed),
            )
            if changes
        ]
        return ", ".join(parts) or f"{len(self.outputs)} outputs to change"

    def as_json(self) -> dict[str, list[str]]:
        """The addresses, for machines."""
        return {
            "created": [change.address for change in self.created],
            "changed": [change.address for change in self.changed],
            "replaced": [change.address for change in self.replaced],
            "destroyed": [change.address for change in self.destroyed],
            "outputs": list(self.outputs),
        }

    @staticmethod
    def of(plan: Mapping[str, Any]) -> "PlanSummary":
        """Reads the JSON of a plan.

        https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
        """
        fates: dict[str, list[Change]] = {
            "created": [], "changed": [], "replaced": [], "destroyed": []
        }  # fmt: skip
        for resource in plan.get("resource_changes", ()):
            fate = _fate(resource["change"]["actions"])
            if fate and resource.get("mode", "managed") == "managed":
                fates[fate].append(
                    Change(
                        address=resource["address"],
                        type=resource["type"],
                        changed_keys=tuple(_changed_keys(resource["change"])),
                    )
                )
        outputs = tuple(
            sorted(
                name
                for name, change in plan.get("output_changes", {}).items()
                if change["actions"] != ["no-op"]
            )
        )
        ordered = {
            fate: tuple(sorted(changes, key=lambda change: change.address))
            for fate, changes in fates.items()
        }
        return PlanSummary(**ordered, outputs=outputs)


def _fate(actions: Sequence[str]) -> str | None:
    match list(actions):
        case ["create"]:
            return "created"
        case ["update"]:
            return "changed"
        case ["delete"]:
            return "destroyed"
        case ["create", "delete"] | ["delete", "create"]:
            return "replaced"
        case _:
            return None


def _changed_keys(change: Mapping[str, Any]) -> Sequence[str]:
    if "update" not in change["actions"]:
        return sorted({str(path[0]) for path in change.get("replace_paths", ())})
    before, after = change["before"], change["after"]
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
