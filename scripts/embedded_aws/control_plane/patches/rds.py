"""Relational Database Service."""

import uuid
from typing import Any

from moto.core.exceptions import ServiceException
from moto.rds.models import DBInstance, DBParameterGroup, MasterUserSecret, RDSBackend
from moto.rds.responses import RDSResponse

from embedded_aws.control_plane.exchange import has_data_plane


def apply() -> None:
    _instances_remember_performance_insights()
    _instances_have_their_own_resource_id()
    _parameters_say_who_set_them()
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
        return instance

    RDSBackend.create_db_instance = create_db_instance
    DBInstance.enable_performance_insights = False
    DBInstance.performance_insights_enabled = property(
        lambda self: self.enable_performance_insights
    )


def _instances_have_their_own_resource_id() -> None:
    # By this the provider finds an instance; moto gives the same one to all.
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
    make = DBInstance.__init__

    def make_instance(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"

    DBInstance.__init__ = make_instance


def _parameters_say_who_set_them() -> None:
    # The provider takes a parameter without it for one of the engine's defaults.
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Parameter.html
    update = DBParameterGroup.update_parameters

    def update_parameters(self: Any, new_parameters: list[dict[str, Any]]) -> None:
        update(self, [{**new, "Source": "user", "IsModifiable": True} for new in new_parameters])

    DBParameterGroup.update_parameters = update_parameters


def _instances_are_servers() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
    from embedded_aws.control_plane import databases

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
            "HostedZoneId": "Z1PVIF0B656C1W",
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
    from embedded_aws.control_plane import databases

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
    from embedded_aws.control_plane import databases

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
