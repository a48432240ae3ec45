"""The PostgreSQL database that an environment's services share."""

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.db_instance import DbInstance
from cdktf_cdktf_provider_aws.db_parameter_group import (
    DbParameterGroup,
    DbParameterGroupParameter,
)
from cdktf_cdktf_provider_aws.db_subnet_group import DbSubnetGroup
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from constructs import Construct

from prod_e import settings
from prod_e.network.network import Network

PORT = 5432
_EXPORTED_LOGS = ("postgresql", "upgrade")


class Database(Construct):
    """An RDS for PostgreSQL instance in the isolated subnets: encrypted, backed up, TLS only.

    RDS makes the master password, keeps it in Secrets Manager and rotates it every seven days; it
    never passes through Terraform. With deletion protection neither RDS nor Terraform deletes the
    instance.

    `name`: the prefix of names. `network`: its VPC. `settings`: see `settings.Database`.
    `log_retention_days`: how long CloudWatch keeps the exported logs.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_PostgreSQL.html
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        network: Network,
        settings: settings.Database,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, id)
        self._network = network
        self.settings = settings
        self.identifier = f"{name}-database"
        self.security_group = network.security_group(
            "database", description="The PostgreSQL database"
        )
        subnets = DbSubnetGroup(
            self, "subnets", name=self.identifier, subnet_ids=network.isolated_subnet_ids
        )
        family = f"postgres{settings.major_version}"
        parameters = DbParameterGroup(
            self,
            "parameters",
            name=f"{name}-{family}",
            family=family,
            parameter=[
                DbParameterGroupParameter(name="rds.force_ssl", value="1"),
                DbParameterGroupParameter(name="log_min_duration_statement", value="1000"),
            ],
            # A major upgrade needs a group of the new family while the old one is still in use.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        # RDS would make these itself and keep them for ever.
        log_groups = [
            CloudwatchLogGroup(
                self,
                f"{log}-log-group",
                name=f"/aws/rds/instance/{self.identifier}/{log}",
                retention_in_days=log_retention_days,
            )
            for log in _EXPORTED_LOGS
        ]
        instance = DbInstance(
            self,
            "instance",
            identifier=self.identifier,
            engine="postgres",
            engine_version=settings.engine_version,
            instance_class=settings.instance_class,
            db_name=settings.name or name.replace("-", "_"),
            username="postgres",
            manage_master_user_password=True,
            port=PORT,
            allocated_storage=settings.storage_gib,
            max_allocated_storage=settings.max_storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            multi_az=settings.multi_az,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[self.security_group.id],
            publicly_accessible=False,
            parameter_group_name=parameters.name,
            allow_major_version_upgrade=True,
            auto_minor_version_upgrade=True,
            backup_retention_period=settings.backup_days,
            copy_tags_to_snapshot=True,
            delete_automated_backups=not settings.deletion_protection,
            deletion_protection=settings.deletion_protection,
            skip_final_snapshot=not settings.final_snapshot,
            # An instance that is made again under its name must not meet its predecessor's
            # snapshot, so the time of creation is part of the name and stays what it was.
            final_snapshot_identifier=(
                f'{self.identifier}-${{formatdate("YYYYMMDDhhmmss", plantimestamp())}}'
                if settings.final_snapshot
                else None
            ),
            enabled_cloudwatch_logs_exports=list(_EXPORTED_LOGS),
            performance_insights_enabled=True,
            performance_insights_retention_period=7,
            lifecycle=TerraformResourceLifecycle(
                prevent_destroy=settings.deletion_protection,
                ignore_changes=["final_snapshot_identifier"] if settings.final_snapshot else None,
            ),
            depends_on=log_groups,
        )
        self.host = instance.address
        self.endpoint = instance.endpoint
        self.database_name = instance.db_name
        self.secret_arn = instance.master_user_secret.get(0).secret_arn

    def allow_from(self, source: SecurityGroup) -> None:
        """Lets `source` open connections to the database."""
        self._network.allow(source, self.security_group, port=PORT)
