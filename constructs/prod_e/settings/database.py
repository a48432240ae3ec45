"""`[database]`: the PostgreSQL database that an environment's services share."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from prod_e.settings.fields import Mistake, Section, matching


class Database(Section):
    """The RDS PostgreSQL instance that an environment's services share.

    Without this section the environment has no database.
    """

    name: (
        Annotated[
            str,
            matching(
                r"^[A-Za-z][A-Za-z0-9_]{0,62}$",
                "a letter, then letters, digits and underscores, at most 63",
            ),
        ]
        | None
    ) = None
    """The database in the instance; default: the environment's name with `_` for `-`."""

    engine_version: Annotated[
        str,
        matching(r"^1[3-9](\.\d{1,2})?$", "a version of PostgreSQL from 13 on, such as 16 or 16.4"),
    ] = "16"
    """A major version such as `16`, or `16.4` to hold a minor one."""

    instance_class: Annotated[
        str, matching(r"^db\.[a-z0-9]+\.[a-z0-9]+$", "an instance class such as db.t4g.micro")
    ] = "db.t4g.micro"
    """RDS's instance class: https://aws.amazon.com/rds/instance-types"""

    storage_gib: Annotated[int, Field(ge=20, le=65536)] = 20
    """The storage to begin with, in GiB."""

    max_storage_gib: Annotated[int, Field(ge=22, le=65536)] | None = None
    """Where storage autoscaling ends, in GiB, at least 10 % above `storage_gib`; without it there
    is no autoscaling."""

    multi_az: bool = False
    """Whether a standby in another zone takes over when the instance fails."""

    backup_days: Annotated[int, Field(ge=0, le=35)] = 7
    """How long automated backups are kept; 0: there are none."""

    deletion_protection: bool = True
    """RDS and Terraform refuse to delete the instance."""

    final_snapshot: bool = True
    """Deletion leaves a snapshot."""

    @property
    def major_version(self) -> str:
        """The engine's major version, which names the parameter group's family."""
        return self.engine_version.split(".")[0]

    def _mistakes(self) -> Iterator[Mistake]:
        if self.max_storage_gib is not None and self.max_storage_gib < self.storage_gib * 1.1:
            yield (
                "max_storage_gib",
                f"{self.max_storage_gib} is less than 10 % above storage_gib = {self.storage_gib};"
                f" allowed: {-(-self.storage_gib * 11 // 10)} or more",
            )
