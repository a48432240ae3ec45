"""What RDS remembers."""

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.embedded.control_plane.clients import (
    Clients,
)


def _database(clients: Clients, **arguments: Any) -> dict[str, Any]:
    database: dict[str, Any] = clients("rds").create_db_instance(
        DBInstanceIdentifier=f"database-{uuid4().hex[:8]}",
        DBInstanceClass="db.t4g.small",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        **arguments,
    )["DBInstance"]
    return database


class TestDatabase:
    def test_it_remembers_performance_insights(self, clients: Clients) -> None:
        database = _database(
            clients, EnablePerformanceInsights=True, PerformanceInsightsRetentionPeriod=31
        )
        assert database["PerformanceInsightsEnabled"] is True
        assert database["PerformanceInsightsRetentionPeriod"] == 31

    def test_performance_insights_can_be_switched_on_later(self, clients: Clients) -> None:
        database = _database(clients)
        assert database["PerformanceInsightsEnabled"] is False
        modified = clients("rds").modify_db_instance(
            DBInstanceIdentifier=database["DBInstanceIdentifier"], EnablePerformanceInsights=True
        )["DBInstance"]
        assert modified["PerformanceInsightsEnabled"] is True

    def test_enhanced_monitoring_has_a_log_stream(self, clients: Clients) -> None:
        role = f"arn:aws:iam::123456789012:role/{uuid4().hex[:8]}"
        watched = _database(clients, MonitoringInterval=60, MonitoringRoleArn=role)
        _, _, stream = watched["EnhancedMonitoringResourceArn"].partition(":log-group:RDSOSMetrics")
        assert stream == f":log-stream:{watched['DbiResourceId']}"
        assert "EnhancedMonitoringResourceArn" not in _database(clients)

    def test_each_has_a_resource_id_of_its_own(self, clients: Clients) -> None:
        assert _database(clients)["DbiResourceId"] != _database(clients)["DbiResourceId"]

    def test_what_is_restored_to_a_point_in_time_is_no_replica(self, clients: Clients) -> None:
        source = _database(clients)["DBInstanceIdentifier"]
        restored = clients("rds").restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=source,
            TargetDBInstanceIdentifier=f"{source}-2",
            UseLatestRestorableTime=True,
        )["DBInstance"]
        assert "ReadReplicaSourceDBInstanceIdentifier" not in restored

    def test_a_parameter_that_was_set_says_that_a_user_did(self, clients: Clients) -> None:
        parameter = _set(clients, "postgres16", "log_min_duration_statement", "250", "immediate")
        assert parameter["Source"] == "user"
        assert parameter["ApplyMethod"] == "immediate"

    def test_a_parameter_that_is_set_to_its_default_stays_the_engines(
        self, clients: Clients
    ) -> None:
        parameter = _set(clients, "postgres16", "rds.force_ssl", "1", "immediate")
        assert parameter["ParameterValue"] == "1"
        assert parameter["Source"] == "system"
        assert parameter["ApplyMethod"] == "pending-reboot"

    def test_a_static_parameter_waits_for_a_reboot(self, clients: Clients) -> None:
        with pytest.raises(ClientError, match="immediate apply method for static parameter"):
            _set(clients, "postgres14", "rds.force_ssl", "1", "immediate")
        parameter = _set(clients, "postgres14", "rds.force_ssl", "1", "pending-reboot")
        assert parameter["Source"] == "user"


def _set(clients: Clients, family: str, name: str, value: str, method: str) -> Any:
    """Sets a parameter of a new group; returns what RDS tells of it then."""
    rds = clients("rds")
    group = f"parameters-{uuid4().hex[:8]}"
    rds.create_db_parameter_group(
        DBParameterGroupName=group, DBParameterGroupFamily=family, Description="d"
    )
    rds.modify_db_parameter_group(
        DBParameterGroupName=group,
        Parameters=[{"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}],
    )
    (parameter,) = rds.describe_db_parameters(DBParameterGroupName=group)["Parameters"]
    return parameter


class TestChangesOfADatabase:
    def test_they_wait_for_the_window_unless_they_are_to_be_applied_at_once(
        self, clients: Clients
    ) -> None:
        rds = clients("rds")
        made = _database(clients, EngineVersion="15", DBParameterGroupName=_group(clients, "15"))
        identifier = made["DBInstanceIdentifier"]
        group = _group(clients, "16")
        waiting = rds.modify_db_instance(
            DBInstanceIdentifier=identifier,
            DBInstanceClass="db.t4g.large",
            EngineVersion="16",
            DBParameterGroupName=group,
            AllowMajorVersionUpgrade=True,
            BackupRetentionPeriod=3,
        )["DBInstance"]
        assert waiting["PendingModifiedValues"] == {
            "DBInstanceClass": "db.t4g.large",
            "EngineVersion": "16",
        }
        assert waiting["DBInstanceClass"] == "db.t4g.small"
        assert waiting["EngineVersion"] == made["EngineVersion"]
        assert _group_of(waiting) == _group_of(made)
        assert waiting["BackupRetentionPeriod"] == 3

        done = rds.modify_db_instance(DBInstanceIdentifier=identifier, ApplyImmediately=True)
        done = done["DBInstance"]
        assert done["PendingModifiedValues"] == {}
        assert done["DBInstanceClass"] == "db.t4g.large"
        assert done["EngineVersion"].startswith("16.")
        assert _group_of(done) == group

    def test_one_that_is_taken_back_waits_no_more(self, clients: Clients) -> None:
        rds, identifier = clients("rds"), _database(clients)["DBInstanceIdentifier"]
        for instance_class, waits in (("db.t4g.large", True), ("db.t4g.small", False)):
            changed = rds.modify_db_instance(
                DBInstanceIdentifier=identifier, DBInstanceClass=instance_class
            )["DBInstance"]
            assert bool(changed["PendingModifiedValues"]) is waits

    def test_a_parameter_group_that_an_instance_uses_cannot_be_deleted(
        self, clients: Clients
    ) -> None:
        rds, group = clients("rds"), _group(clients, "16")
        database = _database(clients, EngineVersion="16", DBParameterGroupName=group)
        with pytest.raises(ClientError, match="still members of this parameter group") as refused:
            rds.delete_db_parameter_group(DBParameterGroupName=group)
        assert refused.value.response["Error"]["Code"] == "InvalidDBParameterGroupState"
        rds.delete_db_instance(
            DBInstanceIdentifier=database["DBInstanceIdentifier"], SkipFinalSnapshot=True
        )
        rds.delete_db_parameter_group(DBParameterGroupName=group)


def _group(clients: Clients, major_version: str) -> str:
    name = f"parameters-{uuid4().hex[:8]}"
    clients("rds").create_db_parameter_group(
        DBParameterGroupName=name,
        DBParameterGroupFamily=f"postgres{major_version}",
        Description="d",
    )
    return name


def _group_of(database: dict[str, Any]) -> str:
    (group,) = database["DBParameterGroups"]
    return str(group["DBParameterGroupName"])
