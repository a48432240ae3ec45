"""A DB instance is a PostgreSQL server, whose password is the one in its secret."""

import asyncio
import contextlib
import json
import os
import signal
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from embedded_aws import DataPlane, EmbeddedAws
from embedded_aws.data_plane.database.postgresql import find_programs
from tests.embedded.conftest import BACKEND
from tests.embedded.world import eventually
from tests.support.aws.aws_clients import client_of

pytestmark = pytest.mark.usefixtures("with_postgresql")


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    programs = find_programs(None, near=[BACKEND])
    with EmbeddedAws(data_plane=DataPlane(postgresql_folder=programs)) as aws:
        yield aws


class Database:
    """A DB instance, and what connects to it."""

    def __init__(self, aws: EmbeddedAws, identifier: str | None = None) -> None:
        self.aws = aws
        self.identifier = identifier or f"db-{uuid4().hex[:8]}"
        self.rds, self.secrets = self.client("rds"), self.client("secretsmanager")

    def client(self, service: Any) -> Any:
        return client_of(self.aws, service)

    def create(self, **arguments: Any) -> "Database":
        self.rds.create_db_instance(
            DBInstanceIdentifier=self.identifier,
            DBInstanceClass="db.t4g.small",
            Engine="postgres",
            EngineVersion="16.4",
            AllocatedStorage=20,
            DBName="notes",
            MasterUsername="postgres",
            ManageMasterUserPassword=True,
            **arguments,
        )
        return self.until("available")

    def describe(self) -> dict[str, Any]:
        found: dict[str, Any] = self.rds.describe_db_instances(
            DBInstanceIdentifier=self.identifier
        )["DBInstances"][0]
        return found

    def until(self, status: str) -> "Database":
        eventually(status, lambda: self.describe()["DBInstanceStatus"] == status)
        return self

    def secret(self, stage: str = "AWSCURRENT") -> dict[str, str]:
        arn = self.describe()["MasterUserSecret"]["SecretArn"]
        text = self.secrets.get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]
        found: dict[str, str] = json.loads(text)
        return found

    def query(self, text: str, *, password: str | None = None, tls: Any = None) -> Any:
        async def run() -> Any:
            endpoint = self.describe()["Endpoint"]
            trusted = ssl.create_default_context(cafile=str(self.aws.certificate_authority_file))
            connection = await asyncpg.connect(
                host=endpoint["Address"],
                port=endpoint["Port"],
                user="postgres",
                database="notes",
                password=password or self.secret()["password"],
                ssl=trusted if tls is None else tls,
                timeout=5,
            )
            try:
                return await connection.fetchval(text)
            finally:
                await connection.close()

        async def run_and_close() -> Any:
            try:
                return await run()
            finally:
                await until_closed()

        return asyncio.run(run_and_close())


async def until_closed() -> None:
    """Waits for the end of every connection: asyncpg leaves one that is refused to the loop."""
    transports: Mapping[int, Any] = vars(asyncio.get_running_loop())["_transports"]
    async with asyncio.timeout(10):
        while any(transport._sock for transport in list(transports.values())):
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def database(aws: EmbeddedAws) -> Database:
    database = Database(aws)
    group = f"parameters-{uuid4().hex[:8]}"
    database.rds.create_db_parameter_group(
        DBParameterGroupName=group, DBParameterGroupFamily="postgres16", Description="of a test"
    )
    database.rds.modify_db_parameter_group(
        DBParameterGroupName=group,
        Parameters=[
            {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "immediate"}
        ],
    )
    return database.create(EnableCloudwatchLogsExports=["postgresql"], DBParameterGroupName=group)


def test_it_answers_on_its_port_over_tls_with_the_password_of_its_secret(
    database: Database,
) -> None:
    assert database.query("SELECT 1") == 1
    assert database.describe()["Endpoint"]["Port"] == 5432
    assert database.secret()["username"] == "postgres"
    with pytest.raises(asyncpg.InvalidPasswordError):
        database.query("SELECT 1", password="another")


def test_it_refuses_a_connection_without_tls(database: Database) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no encryption"):
        database.query("SELECT 1", tls=False)


def test_the_parameters_of_its_group_are_its_servers(database: Database) -> None:
    assert database.query("SHOW work_mem") == "8MB"


def test_two_of_them_have_passwords_of_their_own(aws: EmbeddedAws, database: Database) -> None:
    other = Database(aws).create()
    assert other.secret()["password"] != database.secret()["password"]
    with pytest.raises(asyncpg.InvalidPasswordError):
        other.query("SELECT 1", password=database.secret()["password"])
    other.rds.delete_db_instance(DBInstanceIdentifier=other.identifier, SkipFinalSnapshot=True)


def test_the_master_user_is_no_superuser_and_owns_its_database(database: Database) -> None:
    assert database.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    database.query("CREATE TABLE IF NOT EXISTS owned (id int)")


@pytest.mark.parametrize("way", ["RotateSecret", "ModifyDBInstance"])
def test_after_a_rotation_the_new_password_is_the_only_one(database: Database, way: str) -> None:
    before = database.secret()["password"]
    if way == "RotateSecret":
        arn = database.describe()["MasterUserSecret"]["SecretArn"]
        database.secrets.rotate_secret(SecretId=arn)
    else:
        database.rds.modify_db_instance(
            DBInstanceIdentifier=database.identifier,
            RotateMasterUserPassword=True,
            ApplyImmediately=True,
        )
    eventually("it is another", lambda: database.secret()["password"] != before)
    assert database.query("SELECT 1") == 1
    assert database.secret("AWSPREVIOUS")["password"] == before
    with pytest.raises(asyncpg.InvalidPasswordError):
        database.query("SELECT 1", password=before)


def test_a_failover_ends_connections_and_keeps_data(database: Database) -> None:
    database.query("CREATE TABLE kept (id int)")
    database.query("INSERT INTO kept VALUES (7)")
    started = database.query("SELECT pg_postmaster_start_time()")
    database.rds.reboot_db_instance(DBInstanceIdentifier=database.identifier, ForceFailover=True)
    assert database.describe()["DBInstanceStatus"] == "rebooting"
    eventually("nothing answers", lambda: not answers(database))
    database.until("available")
    assert database.query("SELECT id FROM kept") == 7
    assert database.query("SELECT pg_postmaster_start_time()") > started


def answers(database: Database) -> bool:
    gone = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    with contextlib.suppress(*gone):
        database.query("SELECT 1")
        return True
    return False


def test_a_snapshot_can_be_restored_into_another_instance(
    aws: EmbeddedAws, database: Database
) -> None:
    snapshot = f"s-{uuid4().hex[:8]}"
    database.query("CREATE TABLE early (id int)")
    database.query("INSERT INTO early VALUES (1)")
    database.rds.create_db_snapshot(
        DBInstanceIdentifier=database.identifier, DBSnapshotIdentifier=snapshot
    )

    def status() -> str:
        (found,) = database.rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"]
        return str(found["Status"])

    eventually("it is taken", lambda: status() == "available")
    database.query("INSERT INTO early VALUES (2)")
    restored = Database(aws)
    restored.rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=restored.identifier, DBSnapshotIdentifier=snapshot
    )
    restored.until("available")
    assert restored.query("SELECT count(*) FROM early") == 1
    assert restored.describe()["Endpoint"] != database.describe()["Endpoint"]


def test_what_is_restored_to_a_point_in_time_is_an_empty_instance(
    aws: EmbeddedAws, database: Database
) -> None:
    database.query("CREATE TABLE before (id int)")
    restored = Database(aws)
    restored.rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=database.identifier,
        TargetDBInstanceIdentifier=restored.identifier,
        UseLatestRestorableTime=True,
    )
    restored.until("available")
    assert restored.query("SELECT to_regclass('before')") is None


def test_the_final_snapshot_has_what_the_instance_had(aws: EmbeddedAws) -> None:
    database, snapshot = Database(aws).create(), f"final-{uuid4().hex[:8]}"
    database.query("CREATE TABLE last (id int)")
    database.query("INSERT INTO last VALUES (9)")
    database.rds.delete_db_instance(
        DBInstanceIdentifier=database.identifier, FinalDBSnapshotIdentifier=snapshot
    )
    restored = Database(aws)

    def is_available() -> bool:
        (found,) = restored.rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"]
        return bool(found["Status"] == "available")

    eventually("it is taken", is_available)
    restored.rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=restored.identifier, DBSnapshotIdentifier=snapshot
    )
    assert restored.until("available").query("SELECT id FROM last") == 9


def test_what_it_writes_is_exported_to_cloudwatch_logs(database: Database) -> None:
    logs = database.client("logs")
    group = f"/aws/rds/instance/{database.identifier}/postgresql"
    logs.create_log_group(logGroupName=group)
    with contextlib.suppress(asyncpg.PostgresError):
        database.query("SELECT a_column_that_is_not_there")

    def found() -> bool:
        events = logs.filter_log_events(logGroupName=group)["events"]
        return any("a_column_that_is_not_there" in event["message"] for event in events)

    eventually("it is there", found, seconds=15)


def test_a_server_that_crashes_recovers(aws: EmbeddedAws, database: Database) -> None:
    database.query("CREATE TABLE recovered (id int)")
    resource_id = database.describe()["DbiResourceId"]
    assert aws._state_folder is not None
    pids = Path(aws._state_folder, "databases", resource_id, "process", "pids.json")
    os.kill(json.loads(pids.read_text())["child"], signal.SIGKILL)
    eventually("it answers again", lambda: answers(database))
    assert database.query("SELECT count(*) FROM recovered") == 0
