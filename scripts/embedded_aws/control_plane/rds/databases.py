"""DB instances that are real PostgreSQL servers: what they should be, and what they are.

Everything that moto notes down of an instance stays there; here is what a server needs besides.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
"""

import hashlib
import json
import secrets
import string
import uuid
from dataclasses import dataclass, field
from typing import Any

from moto.rds.models import rds_backends

from embedded_aws.protocol import DatabaseReport, DatabasesReport, DesiredDatabase

_PASSWORD_LENGTH = 28
_PASSWORD_CHARACTERS = string.ascii_letters + string.digits + "!#$%&()*+,-.:;<=>?[]^_{|}~"


def new_password() -> str:
    """One as RDS makes them: without `/`, `@`, `"` and blanks, which it does not allow."""
    return "".join(secrets.choice(_PASSWORD_CHARACTERS) for _ in range(_PASSWORD_LENGTH))


@dataclass(kw_only=True)
class Server:
    """The server of an instance.

    `password`: what the master user has, or shall have. `pending_version`: the version of the
    secret that holds it, while it is being rotated. `restarts`: how often it was asked to restart.
    `restored_from`: the snapshot that it began with. `address` and `port`: None until it is up.
    """

    password: str = field(repr=False)
    pending_version: str | None = None
    restarts: int = 0
    restored_from: str | None = None
    address: str | None = None
    port: int | None = None


_snapshots: dict[str, str] = {}
"""The resource id of the instance of each snapshot that is yet to be taken or is kept."""


def equip(instance: Any, *, restored_from: str | None = None) -> None:
    """Gives a new instance its server."""
    if instance.engine != "postgres" or instance.db_cluster_identifier:
        return
    password = getattr(instance, "_master_user_password", None) or new_password()
    instance.server = Server(password=password, restored_from=restored_from)
    instance.status = "creating"
    if hasattr(instance, "master_user_secret"):
        secret = instance.master_user_secret.secret
        (version,) = secret.versions.values()
        version["secret_string"] = secret.secret_string = _secret_text(instance, password)


def rotate(instance: Any, *, version_id: str | None = None) -> None:
    """Begins to change the managed password; the new one is current once the server has it."""
    secret = instance.master_user_secret.secret
    version_id = version_id or str(uuid.uuid4())
    instance.server.password = new_password()
    instance.server.pending_version = version_id
    secret.versions[version_id] = {
        "secret_string": _secret_text(instance, instance.server.password),
        "createdate": secret.created_date,
        "version_id": version_id,
        "version_stages": ["AWSPENDING"],
    }


def instance_of_secret(secret_arn: str) -> Any:
    """The instance whose managed secret it is; None for any other secret."""
    for backend in _backends():
        for instance in backend.databases.values():
            managed = getattr(instance, "master_user_secret", None)
            if has_server(instance) and managed and managed.secret.arn == secret_arn:
                return instance
    return None


def has_server(instance: Any) -> bool:
    """Whether a server runs for it; not for other engines than PostgreSQL, nor for clusters."""
    return hasattr(instance, "server")


def restart(instance: Any) -> None:
    """Restarts its server, as a reboot or a failover does."""
    instance.server.restarts += 1
    instance.status = "rebooting"


def keep_snapshot(snapshot: Any) -> None:
    """Has the data of a snapshot's instance kept."""
    if has_server(snapshot.database):
        snapshot.status = "creating"
        _snapshots[snapshot.db_snapshot_identifier] = snapshot.database.dbi_resource_id


def forget_snapshot(identifier: str) -> None:
    """Has the data of a snapshot removed."""
    _snapshots.pop(identifier, None)


def take_reports(reports: DatabasesReport) -> None:
    """Takes over what the data plane says: `instances` by resource id, `snapshots` by name."""
    for backend in _backends():
        for instance in backend.databases.values():
            said = reports["instances"].get(instance.dbi_resource_id)
            if said and has_server(instance):
                _take_report(instance, said)
        for name, snapshot in backend.database_snapshots.items():
            if name in reports["snapshots"] and snapshot.status == "creating":
                snapshot.status = "available"


def desired() -> dict[str, DesiredDatabase]:
    """The servers that should run, by resource id."""
    return {
        instance.dbi_resource_id: _server(instance)
        for backend in _backends()
        for instance in backend.databases.values()
        if has_server(instance)
    }


def desired_snapshots() -> dict[str, str]:
    """The snapshots that should be kept: the resource id of the instance of each."""
    return dict(_snapshots)


def _take_report(instance: Any, said: DatabaseReport) -> None:
    server = instance.server
    server.address, server.port = said["address"], said["port"]
    if said["status"] == "available" and said["restarts"] == server.restarts:
        instance.status = "available"
    elif said["status"] == "failed":
        instance.status = "failed"
    if server.pending_version and said["password_digest"] == _digest(server.password):
        secret = instance.master_user_secret.secret
        version = secret.versions[server.pending_version]
        for each in secret.versions.values():
            stages = each["version_stages"]
            if "AWSCURRENT" in stages:
                each["version_stages"] = ["AWSPREVIOUS"]
            elif "AWSPREVIOUS" in stages:
                each["version_stages"] = []
        version["version_stages"] = ["AWSCURRENT"]
        secret.default_version_id = server.pending_version
        secret.secret_string = version["secret_string"]
        server.pending_version = None


def _server(instance: Any) -> DesiredDatabase:
    server = instance.server
    parameters = {}
    for group in instance.db_parameter_groups():
        for name, parameter in group.parameters.items():
            parameters[name] = parameter.get("ParameterValue")
    return {
        "identifier": instance.db_instance_identifier,
        "region": instance.region,
        "port": instance.port,
        "database": instance.db_name,
        "user": instance.master_username,
        "password": server.password,
        "password_digest": _digest(server.password),
        "restarts": server.restarts,
        "restored_from": server.restored_from,
        "parameters": parameters,
        "exported_logs": list(instance.enabled_cloudwatch_logs_exports),
    }


def _secret_text(instance: Any, password: str) -> str:
    return json.dumps({"username": instance.master_username, "password": password})


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _backends() -> list[Any]:
    return [backend for of in list(rds_backends.values()) for backend in list(of.values())]
