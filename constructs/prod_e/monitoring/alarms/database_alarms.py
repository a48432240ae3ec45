"""What is watched of a database."""

from prod_e.database.database_base import DatabaseBase
from prod_e.monitoring.events import tell_of_database_events
from prod_e.monitoring.metric import Metric
from prod_e.monitoring.watch import Watch

_GIB = 1024**3


def watch_database(database: DatabaseBase, watch: Watch) -> None:
    """Alarms on a database's CPU, storage (where its size is known) and connections; RDS's events.

    Raises `ValueError` for one that is no RDS instance, of which CloudWatch knows nothing.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
    """
    identifier = database.identifier
    if identifier is None:
        raise ValueError(f"{database.host} is not an RDS instance: CloudWatch has no metrics of it")
    tell_of_database_events(identifier, watch)

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
    free_percent = watch.thresholds.database_free_storage_percent
    watch.alarms.metric_alarm(
        f"{watch.id}-cpu",
        f"The database uses over {watch.thresholds.database_cpu_percent} % of its CPU",
        cpu,
        threshold=watch.thresholds.database_cpu_percent,
        periods=10,
        missing="ignore",
    )
    if database.storage_gib is not None:
        watch.alarms.metric_alarm(
            f"{watch.id}-storage",
            f"Less than {free_percent} % of the database's storage is free",
            storage,
            threshold=database.storage_gib * _GIB * free_percent // 100,
            below=True,
            periods=5,
            missing="ignore",
        )
    watch.alarms.metric_alarm(
        f"{watch.id}-connections",
        f"More than {watch.thresholds.database_connections} connections to the database",
        connections,
        threshold=watch.thresholds.database_connections,
        periods=5,
        missing="ignore",
    )
    watch.dashboard.add(f"{watch.id}: CPU in percent", [cpu.widget_row("CPU")])
    watch.dashboard.add(f"{watch.id}: free storage in bytes", [storage.widget_row("free")])
    watch.dashboard.add(f"{watch.id}: connections", [connections.widget_row("connections")])
