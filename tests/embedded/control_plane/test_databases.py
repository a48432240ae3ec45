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

    def test_each_has_a_resource_id_of_its_own(self, clients: Clients) -> None:
        assert _database(clients)["DbiResourceId"] != _database(clients)["DbiResourceId"]

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
