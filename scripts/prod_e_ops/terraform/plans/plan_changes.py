"""What a Terraform plan does, as a value: read from `terraform show -json`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from prod_e_ops.terraform.plans.value_changes import ValueChange, value_changes

STATEFUL_TYPES = frozenset(
    {
        "aws_db_instance",
        "aws_ecr_repository",
        "aws_s3_bucket",
        "aws_kms_key",
        "aws_secretsmanager_secret",
        "aws_cloudwatch_log_group",
    }
)
"""Resources that hold data: replacing or destroying one loses it."""

NETWORK_TYPES = frozenset({"aws_vpc", "aws_subnet"})
"""What everything else runs in: replacing or destroying one takes that with it."""

_EMPTY_WHEN_UNFINISHED = NETWORK_TYPES | {"aws_cloudwatch_log_group"}

_UNFINISHED = "it was left unfinished"

_REASONS = {
    "replace_because_tainted": _UNFINISHED,
    "replace_by_request": "it was asked for",
    "replace_by_triggers": "what it depends on is replaced",
}


@dataclass(frozen=True)
class Change:
    """One resource that the plan touches.

    `changed_keys`: the top-level arguments that change, or that force its replacement; empty for
    one that is created or destroyed. `reason`: why it is replaced, if not because of an argument.
    `values`: what changes in them. `before` and `after`: all that is known of its arguments.
    """

    address: str
    type: str
    changed_keys: tuple[str, ...] = ()
    reason: str = ""
    values: tuple[ValueChange, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    after: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_revision(self) -> bool:
        """Whether it is replaced by a new revision, and only the service's choice of one moves.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/update-task-definition-console-v2.html
        """
        return self.type == "aws_ecs_task_definition" and not self.reason

    @property
    def is_unfinished(self) -> bool:
        """Whether it is replaced because an earlier run was interrupted while it made it."""
        return self.reason == _UNFINISHED


@dataclass(frozen=True)
class PlanSummary:
    """A plan's changes, by what happens to the resource, and the outputs that it changes.

    `imported`, `moved` and `forgotten` change what Terraform keeps in its state, and nothing in
    AWS; a resource can be imported or moved and be changed too. `unchanged`: what it
    leaves as it is.
    """

    created: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    replaced: tuple[Change, ...] = ()
    destroyed: tuple[Change, ...] = ()
    imported: tuple[Change, ...] = ()
    moved: tuple[Change, ...] = ()
    forgotten: tuple[Change, ...] = ()
    unchanged: tuple[Change, ...] = field(default=(), repr=False, compare=False)
    outputs: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether applying it would do nothing."""
        return not (self.outputs or any(changes for _, changes in self._actions))

    @property
    def change_count(self) -> int:
        """How many changes Terraform makes in AWS, a replacement counting for its two halves."""
        replaced = 2 * len(self.replaced)
        return len(self.created) + len(self.changed) + len(self.destroyed) + replaced

    @property
    def loses_data(self) -> Sequence[Change]:
        """The resources with data, or with others in them, that it replaces or destroys.

        A log group that an interrupted run left unfinished has no logs yet, and a network nothing
        that runs in it.
        """
        return [
            change
            for change in (*self.replaced, *self.destroyed)
            if change.type in STATEFUL_TYPES | NETWORK_TYPES
            and not (change.is_unfinished and change.type in _EMPTY_WHEN_UNFINISHED)
        ]

    @property
    def made_or_changed(self) -> Sequence[Change]:
        """The resources that are not as they were, and are there when it is applied."""
        return (*self.created, *self.changed, *self.replaced)

    @property
    def kept_addresses(self) -> Sequence[str]:
        """The addresses that it touches and does not destroy."""
        kept = (self.created, self.changed, self.replaced, self.imported, self.moved)
        return sorted({change.address for changes in kept for change in changes})

    @property
    def counts(self) -> str:
        """One line: what happens to how many resources."""
        if self.is_empty:
            return "no changes"
        parts = [f"{len(changes)} {what}" for what, changes in self._actions if changes]
        outputs = "1 output" if len(self.outputs) == 1 else f"{len(self.outputs)} outputs"
        return ", ".join(parts) or f"{outputs} to change"

    @property
    def _actions(self) -> Sequence[tuple[str, Sequence[Change]]]:
        return (
            ("to create", self.created),
            ("to change", self.changed),
            ("to replace", [each for each in self.replaced if not each.is_revision]),
            ("in a new revision", [each for each in self.replaced if each.is_revision]),
            ("to destroy", self.destroyed),
            ("to import", self.imported),
            ("to move", self.moved),
            ("to forget", self.forgotten),
        )

    @staticmethod
    def together(summaries: Sequence["PlanSummary"]) -> "PlanSummary":
        """What several plans do, as if it were one plan."""
        return PlanSummary(
            **{
                each.name: sum((getattr(summary, each.name) for summary in summaries), ())
                for each in fields(PlanSummary)
            }
        )

    @staticmethod
    def of(plan: Mapping[str, Any]) -> "PlanSummary":
        """Reads the JSON of a plan.

        https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
        """
        by_action: dict[str, list[Change]] = {}
        for resource in plan.get("resource_changes", ()):
            if resource.get("mode", "managed") != "managed":
                continue
            change = Change(
                address=resource["address"],
                type=resource["type"],
                changed_keys=tuple(_changed_keys(resource["change"])),
                reason=_REASONS.get(resource.get("action_reason", ""), ""),
                values=_values(resource["change"]),
                before=resource["change"]["before"] or {},
                after=resource["change"]["after"] or {},
            )
            for action in _actions(resource):
                by_action.setdefault(action, []).append(change)
        outputs = tuple(
            sorted(
                name
                for name, change in plan.get("output_changes", {}).items()
                if change["actions"] != ["no-op"]
            )
        )
        ordered = {
            action: tuple(sorted(changes, key=lambda change: change.address))
            for action, changes in by_action.items()
        }
        return PlanSummary(**ordered, outputs=outputs)


def _actions(resource: Mapping[str, Any]) -> Iterator[str]:
    match resource["change"]["actions"]:
        case ["create"]:
            yield "created"
        case ["update"]:
            yield "changed"
        case ["delete"]:
            yield "destroyed"
        case ["create", "delete"] | ["delete", "create"]:
            yield "replaced"
        case ["forget"]:
            yield "forgotten"
        case ["no-op"]:
            yield "unchanged"
    if "importing" in resource["change"]:
        yield "imported"
    if "previous_address" in resource:
        yield "moved"


def _values(change: Mapping[str, Any]) -> tuple[ValueChange, ...]:
    is_kept = change["before"] is not None and change["after"] is not None
    return tuple(value_changes(change)) if is_kept else ()


def _changed_keys(change: Mapping[str, Any]) -> Sequence[str]:
    if "update" not in change["actions"]:
        return sorted({str(path[0]) for path in change.get("replace_paths", ())})
    before, after = change["before"], change["after"]
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
