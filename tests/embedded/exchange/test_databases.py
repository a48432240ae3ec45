"""What the control plane desires of databases, and what it makes of their reports."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.embedded.control_plane.clients import Clients
from tests.embedded.exchange.data_plane import DataPlane


class Database:
    """A DB instance with a managed password, and the server that a test has for it."""

    def __init__(self, clients: Clients, plane: DataPlane, **arguments: Any) -> None:
        self.rds, self.secrets = clients("rds"), clients("secretsmanager")
        self.plane = plane
        self.name = f"database-{uuid4().hex[:8]}"
        managed = {} if "MasterUserPassword" in arguments else {"ManageMasterUserPassword": True}
        self.id: str = self.rds.create_db_instance(
            DBInstanceIdentifier=self.name,
            DBInstanceClass="db.t4g.small",
            AllocatedStorage=20,
            MasterUsername="master",
            **{"Engine": "postgres", **managed, **arguments},
        )["DBInstance"]["DbiResourceId"]

    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.rds.describe_db_instances(DBInstanceIdentifier=self.name)[
            "DBInstances"
        ][0]
        return found

    def desired(self) -> dict[str, Any]:
        found: dict[str, Any] = self.plane.post()["databases"][self.id]
        return found

    def secret(self, stage: str = "AWSCURRENT") -> dict[str, str]:
        arn = self.described()["MasterUserSecret"]["SecretArn"]
        told = self.secrets.get_secret_value(SecretId=arn, VersionStage=stage)
        found: dict[str, str] = json.loads(told["SecretString"])
        return found

    def reports(self, *, snapshots: tuple[str, ...] = (), **changes: Any) -> None:
        said = {
            "status": "available",
            "address": "127.0.0.1",
            "port": 5433,
            "restarts": 0,
            "password_digest": None,
            **changes,
        }
        self.plane.post(
            databases={"instances": {self.id: said}, "snapshots": list(snapshots)},
        )

    def delete(self) -> None:
        self.rds.delete_db_instance(DBInstanceIdentifier=self.name, SkipFinalSnapshot=True)


@pytest.fixture
def database(clients: Clients, plane: DataPlane) -> Iterator[Database]:
    made = Database(clients, plane, DBName="app", EnableCloudwatchLogsExports=["postgresql"])
    yield made
    made.delete()
    assert made.id not in plane.post()["databases"]


def digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def test_a_server_is_what_its_instance_says(database: Database) -> None:
    desired = database.desired()
    secret = database.secret()
    assert set(desired["password"]).isdisjoint('/@" ')
    assert len(desired["password"]) == 28
    assert secret == {"username": "master", "password": desired["password"]}
    assert desired == {
        "identifier": database.name,
        "region": "us-west-2",
        "port": 5432,
        "database": "app",
        "user": "master",
        "password": desired["password"],
        "password_digest": digest(desired["password"]),
        "restarts": 0,
        "restored_from": None,
        "parameters": desired["parameters"],
        "exported_logs": ["postgresql"],
    }


def test_an_instance_is_there_once_its_server_answers(database: Database) -> None:
    described = database.described()
    assert described["DBInstanceStatus"] == "creating"
    assert described["MasterUserSecret"]["SecretStatus"] == "creating"
    assert "Endpoint" not in described
    database.reports(status="creating", address=None, port=None)
    assert database.described()["DBInstanceStatus"] == "creating"
    database.reports()
    described = database.described()
    assert described["DBInstanceStatus"] == "available"
    assert described["MasterUserSecret"]["SecretStatus"] == "active"
    assert described["Endpoint"]["Address"] == "127.0.0.1"
    assert described["Endpoint"]["Port"] == 5433
    assert described["Endpoint"]["HostedZoneId"]


def test_a_server_that_cannot_be_is_told(database: Database) -> None:
    database.reports(status="failed", address=None, port=None)
    assert database.described()["DBInstanceStatus"] == "failed"


def test_a_rotated_password_is_current_once_the_server_has_it(database: Database) -> None:
    database.reports()
    before = database.secret()
    database.rds.modify_db_instance(
        DBInstanceIdentifier=database.name, RotateMasterUserPassword=True, ApplyImmediately=True
    )
    assert database.described()["MasterUserSecret"]["SecretStatus"] == "rotating"
    desired = database.desired()
    assert desired["password"] != before["password"]
    assert database.secret() == before
    assert database.secret("AWSPENDING")["password"] == desired["password"]
    database.reports(password_digest=digest(before["password"]))
    assert database.secret() == before
    database.reports(password_digest=desired["password_digest"])
    assert database.secret() == {"username": "master", "password": desired["password"]}
    assert database.secret("AWSPREVIOUS") == before
    assert database.described()["MasterUserSecret"]["SecretStatus"] == "active"
    # One more, after which the first one is nobody's.
    database.rds.modify_db_instance(
        DBInstanceIdentifier=database.name, RotateMasterUserPassword=True, ApplyImmediately=True
    )
    database.reports(password_digest=database.desired()["password_digest"])
    assert database.secret("AWSPREVIOUS")["password"] == desired["password"]


def test_it_alone_restarts_once_and_is_not_available_before(
    clients: Clients, plane: DataPlane, database: Database
) -> None:
    beside = Database(clients, plane)
    with pytest.raises(ClientError, match=r"\(InvalidDBInstanceState\)"):
        database.rds.reboot_db_instance(DBInstanceIdentifier=database.name)
    database.reports()
    database.rds.reboot_db_instance(DBInstanceIdentifier=database.name)
    assert database.described()["DBInstanceStatus"] == "rebooting"
    assert database.desired()["restarts"] == 1
    assert beside.desired()["restarts"] == 0
    beside.delete()
    database.reports(restarts=0)
    assert database.described()["DBInstanceStatus"] == "rebooting"
    database.reports(restarts=1)
    assert database.described()["DBInstanceStatus"] == "available"


def test_a_snapshot_is_kept_until_it_is_deleted(
    clients: Clients, plane: DataPlane, database: Database
) -> None:
    database.reports()
    name = f"snapshot-{uuid4().hex[:8]}"
    made = database.rds.create_db_snapshot(
        DBSnapshotIdentifier=name, DBInstanceIdentifier=database.name
    )["DBSnapshot"]
    assert made["Status"] == "creating"
    assert plane.post()["snapshots"][name] == database.id

    def status() -> str:
        found = database.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
        return str(found[0]["Status"])

    database.reports()
    assert status() == "creating"
    database.reports(snapshots=(name,))
    assert status() == "available"
    restored = f"{database.name}-restored"
    made = database.rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=restored, DBSnapshotIdentifier=name
    )["DBInstance"]
    assert plane.post()["databases"][made["DbiResourceId"]]["restored_from"] == name
    database.rds.delete_db_instance(DBInstanceIdentifier=restored, SkipFinalSnapshot=True)
    database.rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    assert name not in plane.post()["snapshots"]


def test_a_password_of_ones_own_is_the_servers(clients: Clients, plane: DataPlane) -> None:
    own = Database(clients, plane, MasterUserPassword="chosen-by-hand")
    assert own.desired()["password"] == "chosen-by-hand"
    assert "MasterUserSecret" not in own.described()
    own.reports()
    own.rds.modify_db_instance(
        DBInstanceIdentifier=own.name, MasterUserPassword="another-one", ApplyImmediately=True
    )
    assert own.desired()["password"] == "another-one"
    own.delete()


def test_another_engine_has_no_server(clients: Clients, plane: DataPlane) -> None:
    other = Database(clients, plane, Engine="mysql", MasterUserPassword="chosen-by-hand")
    assert other.id not in plane.post()["databases"]
    assert other.described()["Endpoint"]["Address"].endswith(".rds.amazonaws.com")
    other.delete()
