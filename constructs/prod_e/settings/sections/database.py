"""`[database]`: the PostgreSQL database that an environment's services share."""

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from prod_e.settings.fields import DOMAIN_NAME, Mistake, Section, SecurityGroupId, matching

_OF_EXISTING = {"name", "port", "secret_arn", "security_group_id"}

_RESERVED_WORDS = re.compile(
    r"""(all|analyse|analyze|and|any|array|as|asc|asymmetric|both|case|cast|check|
    collate|column|constraint|create|current_catalog|current_date|current_role|
    current_time|current_timestamp|current_user|default|deferrable|desc|distinct|do|
    else|end|except|false|fetch|for|foreign|from|grant|group|having|in|
    initially|intersect|into|lateral|leading|limit|localtime|localtimestamp|not|
    null|offset|on|only|or|order|placing|primary|references|returning|select|
    session_user|some|symmetric|system_user|table|then|to|trailing|true|union|
    unique|user|using|variadic|when|where|window|with)""",
    re.IGNORECASE | re.VERBOSE,
)
"""https://www.postgresql.org/docs/current/sql-keywords-appendix.html"""

_OF_RDS = ("rdsadmin", "template0", "template1")
"""Databases that each instance has."""


class RestoredDatabase(Section):
    """A second RDS instance, with the data of a snapshot or of a point in time.

    It stands beside the environment's own; all else of it is as `[database]` says, but `name`: the
    database in it is called as it was. Once it is there, `snapshot` and `time` have no effect any
    more, and taking them out changes nothing.
    """

    identifier: Annotated[
        str,
        matching(
            r"^[a-z](-?[a-z0-9]){0,62}$",
            "lower-case letters, digits and single hyphens, starting with a letter, at most 63",
        ),
    ]
    """The instance's. Another one is another instance, and removes this one."""

    snapshot: (
        Annotated[
            str,
            matching(
                r"^[A-Za-z][A-Za-z0-9:_.-]{0,254}$",
                "a snapshot's name or its ARN, such as rds:prod-e-1",
            ),
        ]
        | None
    ) = None
    """What it begins with: a snapshot, which must be encrypted; RDS encrypts a copy of one."""

    time: (
        Annotated[
            str,
            matching(
                r"^(latest|[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}Z)$",
                "latest, or a time in UTC such as 2026-11-28T09:30:00Z",
            ),
        ]
        | None
    ) = None
    """What it begins with: the environment's own instance as it was then, which needs
    `backup_days` above 0."""

    serves: bool = False
    """Whether services use it in place of the environment's own instance, which they leave without
    an outage but with what it was given since."""

    original: Literal["kept", "removed"] = "kept"
    """What becomes of the environment's own instance; `removed`, only with `serves`, deletes it
    once `deletion_protection` is off."""

    def _mistakes(self) -> Iterator[Mistake]:
        if self.time and self.time != "latest":
            try:
                datetime.fromisoformat(self.time)
            except ValueError as error:
                yield "time", f"{self.time!r} is no time: {error}"
        if self.snapshot and self.time:
            yield "time", "has no meaning with snapshot; give one of the two"
        if not (self.snapshot or self.time or self.serves):
            yield "snapshot", "is missing; give it or time, or the new instance would be empty"
        if self.original == "removed" and not self.serves:
            yield "original", "'removed' leaves the services no database; set serves = true first"
        if self.original == "removed" and self.time:
            yield "time", "is that of the original, which is removed; leave it out"


class Database(Section):
    """The PostgreSQL database that an environment's services share.

    It is an RDS instance that is made, or a database that is there already, which `arn` or `host`
    names. Without this section the environment has no database.
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
    """The database in the instance; default: the environment's name with `_` for `-`, or with `arn`
    the one that the instance was made with. With another one the instance is deleted, with its
    data, and made anew."""

    engine_version: Annotated[
        str,
        matching(
            r"^1[3-9](\.[0-9]{1,2})?$", "a version of PostgreSQL from 13 on, such as 16 or 16.4"
        ),
    ] = "16"
    """A major version such as `16`, which RDS keeps at its newest minor version, or `16.4` to hold
    a minor one. `plan` says what one costs whose standard support has ended."""

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

    apply: Literal["immediately", "in_window"] = "in_window"
    """When a change of the instance happens: at once, with an outage if it needs one, or in the
    next maintenance window, as `plan` and `deploy` say. `deploy` refuses a new major version but
    with `immediately`: until the window, the instance would still use the parameter group of the
    old one, which Terraform then cannot delete."""

    deletion_protection: bool = True
    """RDS and Terraform refuse to delete the instance."""

    final_snapshot: bool = True
    """Deletion leaves a snapshot, `<identifier>-<id of its security group>`. Terraform goes by what
    the last deployment set: switch it on and deploy before you destroy."""

    restored: RestoredDatabase | None = None
    """A second instance with the data of a snapshot or of a point in time; without this section
    there is none."""

    arn: (
        Annotated[
            str,
            matching(
                r"^arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:db:[a-z][a-z0-9-]{0,62}$",
                "the ARN of an RDS instance in the environment's region",
            ),
        ]
        | None
    ) = None
    """An RDS instance that is there already, in place of one that is made; where it is, is looked
    up. Only `name`, `port`, `secret_arn`, `security_group_id` and `storage_gib` (for its alarm)
    have a meaning then."""

    host: Annotated[str, matching(DOMAIN_NAME, "a host name such as db.example.com")] | None = None
    """In place of `arn`: where any other PostgreSQL answers, such as an Aurora cluster, which has
    no alarms here. Only `name`, `port`, `secret_arn` and `security_group_id` have a meaning then.
    """

    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    """Where it answers; only with `arn` or `host`."""

    secret_arn: (
        Annotated[
            str,
            matching(
                r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9_/+=.@!-]+-[A-Za-z0-9]{6}$",
                "the whole ARN of a Secrets Manager secret, which ends in six random characters",
            ),
        ]
        | None
    ) = None
    """With `arn` or `host`: the secret with `username` and `password` as JSON; default: with `arn`
    the one that RDS manages."""

    security_group_id: SecurityGroupId | None = None
    """With `arn` or `host`: one of its security groups, which gets rules from the tasks."""

    @property
    def is_made(self) -> bool:
        """Whether there is an RDS instance of the environment's own."""
        return self.arn is None and self.host is None

    @property
    def existing_identifier(self) -> str | None:
        """The identifier of the RDS instance that is there already."""
        return self.arn.rpartition(":")[2] if self.arn else None

    @property
    def major_version(self) -> str:
        """The engine's major version, which names the parameter group's family."""
        return self.engine_version.split(".")[0]

    def name_problem(self, name: str) -> str | None:
        """Why RDS makes no database of this name; None where it does, or is not asked to."""
        if not self.is_made or not (_RESERVED_WORDS.fullmatch(name) or name in _OF_RDS):
            return None
        return f"{name!r} is a word, or a database, of PostgreSQL's own; set another name"

    def _mistakes(self) -> Iterator[Mistake]:
        if self.arn and self.host:
            yield "host", "has no meaning with arn; give one of the two"
        elif self.arn:
            yield from self._existing_mistakes("arn", {*_OF_EXISTING, "storage_gib"})
        elif self.host:
            yield from self._existing_mistakes("host", _OF_EXISTING)
            for key, what in (
                ("name", "that of the database in it"),
                ("secret_arn", "the ARN of a secret with username and password as JSON"),
            ):
                if getattr(self, key) is None:
                    yield key, f"is missing for host; give {what}"
        else:
            yield from self._own_mistakes()

    def _own_mistakes(self) -> Iterator[Mistake]:
        for key in sorted(self.model_fields_set & (_OF_EXISTING - {"name"})):
            yield key, "has no meaning without arn or host; leave it out"
        if self.restored and self.restored.time and not self.backup_days:
            yield "restored.time", "needs backups, and backup_days = 0 keeps none"
        if self.max_storage_gib is not None and 10 * self.max_storage_gib < 11 * self.storage_gib:
            yield (
                "max_storage_gib",
                f"{self.max_storage_gib} is less than 10 % above storage_gib = {self.storage_gib};"
                f" allowed: {-(-self.storage_gib * 11 // 10)} or more",
            )

    def _existing_mistakes(self, named_by: str, known: Collection[str]) -> Iterator[Mistake]:
        """`named_by`: the key that names what is there. `known`: what else has a meaning."""
        if self.security_group_id is None:
            yield (
                "security_group_id",
                f"is missing for {named_by}; give the id of a security group of the database",
            )
        for key in sorted(self.model_fields_set.difference(known, {"arn", "host"})):
            yield key, f"has no meaning with {named_by}; leave it out"
