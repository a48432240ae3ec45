"""Relational Database Service."""

import uuid
from typing import Any

from moto.core.exceptions import ServiceException
from moto.rds.models import (
    DBInstance,
    DBParameterGroup,
    DBSubnetGroup,
    MasterUserSecret,
    RDSBackend,
)
from moto.rds.responses import RDSResponse

from embedded_aws.control_plane.exchange import has_data_plane
from embedded_aws.control_plane.rds.database_changes import defer

# What a major version alone stands for, and the newest minor version of each.
# https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html
_POSTGRESQL_VERSIONS = {
    "13": "13.23",
    "14": "14.20",
    "15": "15.15",
    "16": "16.11",
    "17": "17.7",
    "18": "18.1",
}

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
_FORCES_TLS_FROM = 15
"""From which major version on `rds.force_ssl` is 1 by default, and no static parameter."""

# The baseline of gp3 volumes, and of those that are striped because of their size, from 400 GiB on.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage
_STRIPED_GIB = 400
_GP3_BASELINE = {"iops": 3000, "storage_throughput": 125}
_GP3_STRIPED_BASELINE = {"iops": 12000, "storage_throughput": 500}

_CERTIFICATE_AUTHORITY = "rds-ca-rsa2048-g1"
_HOSTED_ZONE_ID = "Z1PVIF0B656C1W"


def apply() -> None:
    _instances_remember_performance_insights()
    _instances_have_what_requests_leave_out()
    _major_versions_have_a_minor_one()
    _subnet_groups_say_which_networks_they_support()
    _parameters_say_who_set_them()
    _parameters_are_told_by_name()
    _parameter_groups_in_use_stay()
    _changes_wait_for_the_window()
    _restored_instances_are_no_replicas()
    if has_data_plane():
        _instances_are_servers()
        _instances_restart()
        _snapshots_hold_data()


def _instances_remember_performance_insights() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    create = RDSBackend.create_db_instance
    fields = (
        "enable_performance_insights",
        "performance_insights_kms_key_id",
        "performance_insights_retention_period",
    )

    def create_db_instance(self: Any, db_kwargs: dict[str, Any]) -> Any:
        instance = create(self, db_kwargs)
        for field in fields:
            if field in db_kwargs:
                setattr(instance, field, db_kwargs[field])
        if instance.enable_performance_insights:
            if not getattr(instance, "performance_insights_retention_period", None):
                instance.performance_insights_retention_period = 7
            if not getattr(instance, "performance_insights_kms_key_id", None):
                instance.performance_insights_kms_key_id = _default_key(instance)
        return instance

    RDSBackend.create_db_instance = create_db_instance
    DBInstance.enable_performance_insights = False
    DBInstance.performance_insights_enabled = property(
        lambda self: self.enable_performance_insights
    )


def _instances_have_what_requests_leave_out() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
    make, endpoint = DBInstance.__init__, DBInstance.endpoint

    def make_instance(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        # By this the provider finds an instance; moto gives the same one to all.
        self.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"
        if self.db_cluster_identifier is not None:
            return
        if self.engine == "postgres":
            self.license_model = "postgresql-license"
        if self.storage_type == "gp3":
            is_striped = self.allocated_storage >= _STRIPED_GIB
            for name, value in (_GP3_STRIPED_BASELINE if is_striped else _GP3_BASELINE).items():
                setattr(self, name, getattr(self, name) or value)
        if self.ca_certificate_identifier == "rds-ca-default":
            self.ca_certificate_identifier = _CERTIFICATE_AUTHORITY
        if self.kms_key_id == "default_kms_key_id":
            self.kms_key_id = _default_key(self)
        self.publicly_accessible = bool(self.publicly_accessible)
        self.network_type = kwargs.get("network_type") or "IPV4"
        self.backup_target = "region"
        self.engine_lifecycle_support = (
            kwargs.get("engine_lifecycle_support") or "open-source-rds-extended-support"
        )
        self.pending_modified_values = {}

    DBInstance.__init__ = make_instance
    DBInstance.db_instance_port = 0
    DBInstance.endpoint = property(
        lambda self: {**endpoint.fget(self), "HostedZoneId": _HOSTED_ZONE_ID}
    )
    DBInstance.certificate_details = property(
        lambda self: {"CAIdentifier": self.ca_certificate_identifier}
    )
    DBInstance.enhanced_monitoring_resource_arn = property(_log_stream_of_enhanced_monitoring)


def _log_stream_of_enhanced_monitoring(instance: Any) -> str | None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.CloudWatchLogs.html
    if not instance.monitoring_interval:
        return None
    return (
        f"arn:{instance.partition}:logs:{instance.region}:{instance.account_id}"
        f":log-group:RDSOSMetrics:log-stream:{instance.dbi_resource_id}"
    )


def _default_key(instance: Any) -> str:
    """The ARN of the key that AWS manages for RDS in the instance's account and region."""
    return str(instance.backend.kms.describe_key("alias/aws/rds").arn)


def _major_versions_have_a_minor_one() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    version, options = DBInstance.engine_version, DBInstance.option_group_name

    def set_version(self: Any, value: str) -> None:
        is_postgresql = self.engine == "postgres"
        version.fset(self, _POSTGRESQL_VERSIONS.get(value, value) if is_postgresql else value)

    def option_group_name(self: Any) -> str:
        if self.engine == "postgres" and not self.option_group_supplied:
            return f"default:postgres-{self.engine_version.split('.')[0]}"
        return options.fget(self)  # type: ignore[no-any-return]

    DBInstance.engine_version = property(version.fget, set_version)
    DBInstance.option_group_name = property(option_group_name, options.fset)


def _subnet_groups_say_which_networks_they_support() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBSubnetGroup.html
    subnets = DBSubnetGroup.subnets
    DBSubnetGroup.supported_network_types = ("IPV4",)
    DBSubnetGroup.subnets = property(
        lambda self: [{**subnet, "SubnetOutpost": {}} for subnet in subnets.fget(self)]
    )


def _parameters_say_who_set_them() -> None:
    # One that is set to the default stays the engine's, whatever its method of applying is to be.
    # https://github.com/hashicorp/terraform-provider-aws/issues/23335
    update = DBParameterGroup.update_parameters

    def update_parameters(self: Any, new_parameters: list[dict[str, Any]]) -> None:
        major = int(str(self.family).removeprefix("postgres") or 0)
        for parameter in new_parameters:
            is_tls = parameter["ParameterName"] == "rds.force_ssl"
            if is_tls and major < _FORCES_TLS_FROM and parameter.get("ApplyMethod") == "immediate":
                # https://github.com/ministryofjustice/cloud-platform/issues/1197
                raise InvalidParameterCombinationError(
                    "cannot use immediate apply method for static parameter"
                )
            default = str(int(major >= _FORCES_TLS_FROM)) if is_tls else None
            told = {"Source": "user", "IsModifiable": True}
            if parameter["ParameterValue"] == default:
                told |= {"Source": "system", "ApplyMethod": "pending-reboot"}
            update(self, [{**parameter, **told}])

    DBParameterGroup.update_parameters = update_parameters


class InvalidParameterCombinationError(ServiceException):  # type: ignore[misc]
    """What RDS refuses to apply in that way."""

    code = "InvalidParameterCombination"


def _parameters_are_told_by_name() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameters.html
    describe = RDSResponse.describe_db_parameters

    def describe_db_parameters(self: Any) -> Any:
        answer = describe(self)
        source = self.params.get("Source")
        parameters = [p for p in answer.result["Parameters"] if source in (None, p["Source"])]
        answer.result["Parameters"] = sorted(parameters, key=lambda p: p["ParameterName"])
        return answer

    RDSResponse.describe_db_parameters = describe_db_parameters


def _parameter_groups_in_use_stay() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBParameterGroup.html
    delete = RDSBackend.delete_db_parameter_group

    def delete_db_parameter_group(self: Any, db_parameter_group_name: str) -> Any:
        for instance in self.databases.values():
            if instance.db_parameter_group_name == db_parameter_group_name:
                raise InvalidDBParameterGroupStateError(
                    "One or more database instances are still members of this parameter group"
                    f" {db_parameter_group_name}, so the group cannot be deleted"
                )
        return delete(self, db_parameter_group_name)

    RDSBackend.delete_db_parameter_group = delete_db_parameter_group


class InvalidDBParameterGroupStateError(ServiceException):  # type: ignore[misc]
    code = "InvalidDBParameterGroupState"


def _changes_wait_for_the_window() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
    modify = RDSBackend.modify_db_instance

    def modify_db_instance(self: Any, db_instance_identifier: str, db_kwargs: Any) -> Any:
        (instance,) = self.describe_db_instances(db_instance_identifier)
        defer(instance, db_kwargs)
        return modify(self, db_instance_identifier, db_kwargs)

    RDSBackend.modify_db_instance = modify_db_instance


def _restored_instances_are_no_replicas() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html
    restore = RDSBackend.restore_db_instance_to_point_in_time

    def restore_db_instance(self: Any, source: str, target: str, overrides: Any) -> Any:
        instance = restore(self, source, target, overrides)
        # moto takes the source for a primary that this one follows.
        instance.source_db_instance_identifier = None
        return instance

    RDSBackend.restore_db_instance_to_point_in_time = restore_db_instance


def _instances_are_servers() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
    from embedded_aws.control_plane.rds import databases

    create, update = RDSBackend.create_db_instance, DBInstance.update
    endpoint, address = DBInstance.endpoint, DBInstance.address

    def create_db_instance(self: Any, db_kwargs: dict[str, Any]) -> Any:
        instance = create(self, db_kwargs)
        databases.equip(instance, restored_from=db_kwargs.get("restored_from"))
        return instance

    def update_instance(self: Any, **changes: Any) -> None:
        # moto would make the rotated secret current at once, whatever the server has.
        is_rotated = changes.pop("rotate_master_user_password", None)
        update(self, **changes)
        if databases.has_server(self):
            if is_rotated:
                databases.rotate(self)
            elif changes.get("master_user_password"):
                self.server.password = changes["master_user_password"]

    def server_endpoint(self: Any) -> dict[str, Any] | None:
        if not databases.has_server(self):
            return endpoint.fget(self)  # type: ignore[no-any-return]
        # There is none until the instance is up.
        if self.server.address is None:
            return None
        return {
            "Address": self.server.address,
            "Port": self.server.port,
            "HostedZoneId": _HOSTED_ZONE_ID,
        }

    def server_address(self: Any) -> Any:
        has_address = databases.has_server(self) and self.server.address
        return self.server.address if has_address else address.fget(self)

    def secret_status(self: Any) -> str:
        # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_MasterUserSecret.html
        server = getattr(self.resource, "server", None)
        if server is not None and server.pending_version:
            return "rotating"
        return "creating" if self.resource.status == "creating" else "active"

    RDSBackend.create_db_instance = create_db_instance
    DBInstance.update = update_instance
    DBInstance.endpoint = property(server_endpoint)
    DBInstance.address = property(server_address)
    MasterUserSecret.secret_status = property(secret_status)


def _instances_restart() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RebootDBInstance.html
    from embedded_aws.control_plane.rds import databases

    reboot = RDSResponse.reboot_db_instance

    def reboot_db_instance(self: Any) -> Any:
        identifier = self.params.get("DBInstanceIdentifier")
        (instance,) = self.backend.describe_db_instances(identifier)
        if databases.has_server(instance):
            if instance.status != "available":
                raise InvalidDBInstanceStateError(
                    f"DBInstance {identifier} is not in available state."
                )
            databases.restart(instance)
        return reboot(self)

    RDSResponse.reboot_db_instance = reboot_db_instance


class InvalidDBInstanceStateError(ServiceException):  # type: ignore[misc]
    code = "InvalidDBInstanceState"


def _snapshots_hold_data() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html
    from embedded_aws.control_plane.rds import databases

    create, delete = RDSBackend.create_db_snapshot, RDSBackend.delete_db_snapshot
    restore = RDSBackend.restore_db_instance_from_db_snapshot

    def create_db_snapshot(self: Any, *arguments: Any, **named: Any) -> Any:
        snapshot = create(self, *arguments, **named)
        databases.keep_snapshot(snapshot)
        return snapshot

    def delete_db_snapshot(self: Any, db_snapshot_identifier: str) -> Any:
        databases.forget_snapshot(db_snapshot_identifier)
        return delete(self, db_snapshot_identifier)

    def restore_db_instance(self: Any, from_snapshot_id: str, overrides: dict[str, Any]) -> Any:
        name = from_snapshot_id.split(":")[-1]
        return restore(self, from_snapshot_id, {**overrides, "restored_from": name})

    RDSBackend.create_db_snapshot = create_db_snapshot
    RDSBackend.delete_db_snapshot = delete_db_snapshot
    RDSBackend.restore_db_instance_from_db_snapshot = restore_db_instance
