"""What is watched of a database."""

from prod_e.database.database import DatabaseBase
from prod_e.monitoring.alarms import Alarms
from prod_e.monitoring.dashboard import Dashboard
from prod_e.monitoring.metric import Metric
from prod_e.monitoring.thresholds import Thresholds

_GIB = 1024**3


def watch_database(
    id: str,
    database: DatabaseBase,
    *,
    alarms: Alarms,
    dashboard: Dashboard,
    thresholds: Thresholds,
) -> None:
    """Alarms on a database's CPU, storage (where its size is known) and connections.

    Raises `ValueError` for one that is no RDS instance, of which CloudWatch knows nothing.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
    """
    identifier = database.identifier
    if identifier is None:
        raise ValueError(f"{database.host} is no RDS instance, so that CloudWatch has no metrics")

    def metric(name: str) -> Metric:
        return Metric(
            namespace="AWS/RDS",
            name=name,
            dimensions={"DBInstanceIdentifier": identifier},
            statistic="Average",
        )

    cpu, storage, connections = (
        metric("CPUUtilization"),
        metric("FreeStorageSpace"),
        metric("DatabaseConnections"),
    )
    # An instance that is full or overloaded may stop reporting: that is no reason to fall silent.
    free_percent = thresholds.database_free_storage_percent
    alarms.metric_alarm(
        f"{id}-cpu",
        f"The database uses over {thresholds.database_cpu_percent} % of its CPU",
        cpu,
        threshold=thresholds.database_cpu_percent,
        periods=10,
        missing="ignore",
    )
    if database.storage_gib is not None:
        alarms.metric_alarm(
            f"{id}-storage",
            f"Less than {free_percent} % of the database's storage is free",
            storage,
            threshold=database.storage_gib * _GIB * free_percent // 100,
            below=True,
            periods=5,
            missing="ignore",
        )
    alarms.metric_alarm(
        f"{id}-connections",
        f"More than {thresholds.database_connections} connections to the database",
        connections,
        threshold=thresholds.database_connections,
        periods=5,
        missing="ignore",
    )
    dashboard.add(f"{id}: CPU in percent", [cpu.widget_row("CPU")])
    dashboard.add(f"{id}: free storage in bytes", [storage.widget_row("free")])
    dashboard.add(f"{id}: connections", [connections.widget_row("connections")])
