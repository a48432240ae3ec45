"""Changes of RDS instances that wait for the maintenance window."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prod_e_ops.terraform.plans.plan_changes import Change, PlanSummary

# Others happen at once, whatever is asked for:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html
_WAITING = frozenset(
    {
        "allocated_storage",
        "engine_version",
        "instance_class",
        "iops",
        "multi_az",
        "storage_throughput",
        "storage_type",
    }
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(\w{3}):(\d\d):(\d\d)-\w{3}:\d\d:\d\d")


@dataclass(frozen=True, kw_only=True)
class WaitingChange:
    """A change of an instance that Terraform asks for and RDS makes later.

    `instance`: its identifier. `keys`: the arguments. `since_when`: when the window begins next,
    None if the state does not tell. `is_major_upgrade`: to another major version of PostgreSQL.
    """

    instance: str
    keys: Sequence[str]
    since_when: datetime | None
    is_major_upgrade: bool

    @property
    def sentence(self) -> str:
        """It in words."""
        window = (
            f"the maintenance window, which begins on {self.since_when:%A, %Y-%m-%d at %H:%M UTC}"
            if self.since_when
            else "the next maintenance window"
        )
        return (
            f"{self.instance}: {', '.join(self.keys)} waits for {window}; until then each plan"
            ' shows it again. database.apply = "immediately" makes it happen at once.'
        )


def waiting_changes(summary: PlanSummary, *, now: datetime) -> Sequence[WaitingChange]:
    """Those of a plan, by instance. `now`: in any time zone."""
    found = []
    for change in summary.changed:
        if change.type != "aws_db_instance" or change.after.get("apply_immediately"):
            continue
        keys = [key for key in change.changed_keys if _waits(change, key)]
        if keys:
            found.append(
                WaitingChange(
                    instance=str(change.before.get("identifier", change.address)),
                    keys=keys,
                    since_when=_next_window(change.before.get("maintenance_window") or "", now),
                    is_major_upgrade=_major(change.before) != _major(change.after),
                )
            )
    return found


def _waits(change: Change, key: str) -> bool:
    if key == "backup_retention_period":
        return not (change.before.get(key) and change.after.get(key))
    return key in _WAITING and change.after.get(key) is not None


def _major(values: object) -> str:
    version = values.get("engine_version") if isinstance(values, dict) else None
    return str(version or "").split(".")[0]


def _next_window(text: str, now: datetime) -> datetime | None:
    """When a window such as `sun:10:24-sun:10:54`, in UTC, begins next."""
    found = _WINDOW.fullmatch(text.lower())
    if not found or found[1] not in _DAYS:
        return None
    now = now.astimezone(UTC)
    begin = now.replace(hour=int(found[2]), minute=int(found[3]), second=0, microsecond=0)
    begin += timedelta(days=(_DAYS.index(found[1]) - now.weekday()) % 7)
    return begin if begin > now else begin + timedelta(days=7)
