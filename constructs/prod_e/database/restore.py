"""What a new database begins with, other than nothing."""

from dataclasses import dataclass
from typing import Annotated

from cdktf_cdktf_provider_aws.db_instance import DbInstanceRestoreToPointInTime

from prod_e.doc import Doc


@dataclass(frozen=True, kw_only=True)
class Restore:
    """What a new instance begins with: a snapshot, or another instance as it was.

    Raises `ValueError` unless it is one of the two.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html
    """

    snapshot: Annotated[str | None, Doc("its name, or its ARN if another account shares it")] = None
    instance: Annotated[str | None, Doc("the other instance's identifier")] = None
    time: Annotated[
        str | None,
        Doc("of that instance, as 2026-11-28T09:30:00Z; default: the latest that RDS can restore"),
    ] = None

    def __post_init__(self) -> None:
        if (self.snapshot is None) == (self.instance is None):
            raise ValueError("give Restore either snapshot or instance")
        if self.time and not self.instance:
            raise ValueError("time needs the instance whose time it is")

    @property
    def point_in_time(self) -> DbInstanceRestoreToPointInTime | None:
        """The block of the new instance's resource; None for a snapshot."""
        if self.instance is None:
            return None
        return DbInstanceRestoreToPointInTime(
            source_db_instance_identifier=self.instance,
            restore_time=self.time,
            use_latest_restorable_time=None if self.time else True,
        )
