"""The PostgreSQL database."""

from typing import Annotated

from cdktf import Fn, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.data_aws_db_instance import DataAwsDbInstance
from cdktf_cdktf_provider_aws.db_instance import DbInstance
from cdktf_cdktf_provider_aws.db_parameter_group import (
    DbParameterGroup,
    DbParameterGroupParameter,
)
from cdktf_cdktf_provider_aws.db_subnet_group import DbSubnetGroup
from constructs import Construct

from prod_e.database.database_base import DatabaseBase
from prod_e.database.monitoring_role import monitoring_role
from prod_e.database.restore import Restore
from prod_e.doc import Doc
from prod_e.network.network import NetworkBase
from prod_e.network.security_group import ExistingSecurityGroup

PORT = 5432
_EXPORTED_LOGS = ("postgresql", "upgrade")
_MONITORING_SECONDS = 60


class Database(DatabaseBase):
    """An RDS for PostgreSQL instance in the isolated subnets: encrypted, backed up, TLS only.

    RDS makes the master password, keeps it in Secrets Manager and rotates it every seven days; it
    never passes through Terraform. With deletion protection neither RDS nor Terraform deletes the
    instance.

    Raises `ValueError` for values that AWS refuses.

    `instance`, `parameter_group`, `subnet_group`: the resources.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_PostgreSQL.html
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Annotated[NetworkBase, Doc("with isolated subnets in two zones or more")],
        identifier: Annotated[
            str | None, Doc("the instance's; default: <network's name>-<id>")
        ] = None,
        parameter_group_name: Annotated[
            str | None, Doc("default: <identifier>-postgres<major version>")
        ] = None,
        database_name: Annotated[
            str | None, Doc("in the instance; default: the identifier with _ for -")
        ] = None,
        engine_version: Annotated[
            str,
            Doc("16, which RDS keeps at its newest minor version, or 16.4 to hold it; default 16"),
        ] = "16",
        instance_class: Annotated[str, Doc("default db.t4g.micro")] = "db.t4g.micro",
        storage_gib: Annotated[int, Doc("GiB, 20 to 65536; default 20")] = 20,
        max_storage_gib: Annotated[
            int | None,
            Doc("where storage autoscaling ends, GiB, 10 % above storage_gib; default: none"),
        ] = None,
        multi_az: Annotated[bool, Doc("a standby in another zone; default: no")] = False,
        backup_days: Annotated[int, Doc("0 (no backups) to 35; default 7")] = 7,
        deletion_protection: Annotated[
            bool, Doc("RDS and Terraform refuse to delete it; default: yes")
        ] = True,
        final_snapshot: Annotated[bool, Doc("deletion leaves a snapshot; default: yes")] = True,
        apply_immediately: Annotated[
            bool,
            Doc(
                "whether a change happens at once, with an outage if it needs one; else in the next"
                " maintenance window; default: no."
                " https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.DBInstance.Modifying.html"
            ),
        ] = False,
        log_retention_days: Annotated[
            int, Doc("how long CloudWatch keeps the exported logs; default 30")
        ] = 30,
        restore: Annotated[
            Restore | None,
            Doc(
                "what a new instance begins with; of one that is there, neither a change nor taking"
                " it out does anything; default: empty"
            ),
        ] = None,
        is_restored: Annotated[
            bool,
            Doc(
                "whether it began with other data, also when restore is not given any more; the"
                " database in it and its master user are then called as they were; default: with"
                " restore"
            ),
        ] = False,
    ) -> None:
        super().__init__(scope, id)
        _check(storage_gib, max_storage_gib, backup_days)
        self.identifier = identifier or f"{network.name}-{id}"
        self.storage_gib = storage_gib
        self.port = PORT
        self.security_group = network.security_group(
            self, name=f"{network.name}-{id}", description="The PostgreSQL database"
        )
        self.subnet_group = DbSubnetGroup(
            self, "subnets", name=self.identifier, subnet_ids=network.isolated_subnet_ids
        )
        self.parameter_group = self._parameters(parameter_group_name, engine_version)
        is_restored = is_restored or restore is not None
        monitoring = monitoring_role(self, name=f"{self.identifier[:53]}-monitoring")
        self.instance = DbInstance(
            self,
            "instance",
            identifier=self.identifier,
            engine="postgres",
            engine_version=engine_version,
            instance_class=instance_class,
            # RDS does not rename what it restores: for another name Terraform would make the
            # instance anew.
            db_name=None if is_restored else database_name or self.identifier.replace("-", "_"),
            username=None if is_restored else "postgres",
            manage_master_user_password=True,
            port=PORT,
            allocated_storage=storage_gib,
            max_allocated_storage=max_storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            multi_az=multi_az,
            db_subnet_group_name=self.subnet_group.name,
            vpc_security_group_ids=[self.security_group.security_group_id],
            publicly_accessible=False,
            parameter_group_name=self.parameter_group.name,
            allow_major_version_upgrade=True,
            # RDS must not leave the minor version that somebody holds.
            auto_minor_version_upgrade="." not in engine_version,
            apply_immediately=apply_immediately or None,
            backup_retention_period=backup_days,
            copy_tags_to_snapshot=True,
            delete_automated_backups=not deletion_protection,
            deletion_protection=deletion_protection,
            skip_final_snapshot=not final_snapshot,
            # An instance that is made again under its name must not meet its predecessor's
            # snapshot: the security group is made with it, and its id belongs to no other.
            final_snapshot_identifier=(
                f"{self.identifier}-" + Fn.replace(self.security_group.security_group_id, "sg-", "")
                if final_snapshot
                else None
            ),
            snapshot_identifier=restore.snapshot if restore else None,
            restore_to_point_in_time=restore.point_in_time if restore else None,
            enabled_cloudwatch_logs_exports=list(_EXPORTED_LOGS),
            performance_insights_enabled=True,
            performance_insights_retention_period=7,
            monitoring_interval=_MONITORING_SECONDS,
            monitoring_role_arn=monitoring.arn,
            lifecycle=TerraformResourceLifecycle(
                prevent_destroy=deletion_protection,
                # Terraform would make another instance in place of this one.
                ignore_changes=["snapshot_identifier", "restore_to_point_in_time"],
            ),
            depends_on=[*self._log_groups(log_retention_days), *monitoring.resources],
        )
        self.host = self.instance.address
        self.endpoint = self.instance.endpoint
        self.database_name = self.instance.db_name
        self.secret_arn = self.instance.master_user_secret.get(0).secret_arn

    @staticmethod
    def from_existing(
        scope: Construct,
        id: str,
        *,
        security_group_id: Annotated[str, Doc("one of its groups, which gets rules")],
        identifier: Annotated[
            str | None, Doc("an RDS instance of this account and region; where it is, is looked up")
        ] = None,
        host: Annotated[
            str | None, Doc("in place of identifier: where another PostgreSQL answers")
        ] = None,
        port: Annotated[int, Doc("TCP, 1 to 65535; default 5432")] = PORT,
        database_name: Annotated[
            str | None, Doc("default: the one that the instance was made with")
        ] = None,
        secret_arn: Annotated[
            str | None,
            Doc("with username and password as JSON; default: the secret that RDS manages"),
        ] = None,
        storage_gib: Annotated[
            int | None, Doc("GiB, for the alarm on free storage; default: no such alarm")
        ] = None,
    ) -> DatabaseBase:
        """A database that is there already: an RDS instance, or whatever answers at `host`.

        Raises `ValueError` unless either `identifier` is given, or `host` with `database_name` and
        `secret_arn`.
        """
        if (identifier is None) == (host is None):
            raise ValueError("give Database.from_existing either identifier or host")
        if host and not (database_name and secret_arn):
            raise ValueError("host needs database_name and secret_arn")
        return ExistingDatabase(
            scope,
            id,
            identifier=identifier,
            host=host,
            port=port,
            database_name=database_name,
            security_group_id=security_group_id,
            secret_arn=secret_arn,
            storage_gib=storage_gib,
        )

    def _parameters(self, name: str | None, engine_version: str) -> DbParameterGroup:
        family = f"postgres{engine_version.split('.')[0]}"
        return DbParameterGroup(
            self,
            "parameters",
            name=name or f"{self.identifier}-{family}",
            family=family,
            parameter=[
                # From PostgreSQL 15 on it is the default, which RDS tells as waiting for a reboot,
                # whatever it was asked for; before, RDS takes no other method.
                DbParameterGroupParameter(
                    name="rds.force_ssl", value="1", apply_method="pending-reboot"
                ),
                DbParameterGroupParameter(name="log_min_duration_statement", value="1000"),
            ],
            # A major upgrade needs a group of the new family while the old one is still in use.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )

    def _log_groups(self, retention_days: int) -> list[CloudwatchLogGroup]:
        # RDS would make these itself and keep them for ever.
        return [
            CloudwatchLogGroup(
                self,
                f"{log}-log-group",
                name=f"/aws/rds/instance/{self.identifier}/{log}",
                retention_in_days=retention_days,
            )
            for log in _EXPORTED_LOGS
        ]


class ExistingDatabase(DatabaseBase):
    """A database that somebody else made; see `Database.from_existing`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        identifier: str | None,
        host: str | None,
        port: int,
        database_name: str | None,
        security_group_id: str,
        secret_arn: str | None,
        storage_gib: int | None,
    ) -> None:
        super().__init__(scope, id)
        self.identifier = identifier
        self.port = port
        self.storage_gib = storage_gib
        self.security_group = ExistingSecurityGroup(self, security_group_id=security_group_id)
        if identifier:
            instance = DataAwsDbInstance(self, "instance", db_instance_identifier=identifier)
            host = instance.address
            database_name = database_name or instance.db_name
            secret_arn = secret_arn or instance.master_user_secret.get(0).secret_arn
        assert host and database_name and secret_arn
        self.host = host
        self.endpoint = f"{host}:{port}"
        self.database_name = database_name
        self.secret_arn = secret_arn


def _check(storage_gib: int, max_storage_gib: int | None, backup_days: int) -> None:
    if not 20 <= storage_gib <= 65536:
        raise ValueError(f"storage_gib = {storage_gib}; allowed: 20 to 65536")
    if max_storage_gib is not None and 10 * max_storage_gib < 11 * storage_gib:
        raise ValueError(
            f"max_storage_gib = {max_storage_gib} is less than 10 % above storage_gib ="
            f" {storage_gib}"
        )
    if not 0 <= backup_days <= 35:
        raise ValueError(f"backup_days = {backup_days}; allowed: 0 to 35")
