"""The project's own service and its database on an embedded AWS."""

from collections.abc import Mapping

from embedded_aws import DataPlane, EmbeddedAws
from tests.embedded.conftest import BACKEND
from tests.embedded.world import World, eventually

LOGIN = "notes-login"
"""The secret of the PostgreSQL user that the service makes for itself."""

BACKEND_RUNS = DataPlane(
    sources={"backend": BACKEND},
    runtime="process",
    task_environment={
        "HOST": "{listen_address}",
        "METRICS_PORT": "{free_port}",
        "DB_CA_FILE": "{certificate_authority_file}",
    },
)


def serving_backend(aws: EmbeddedAws, *, log_level: str = "info") -> World:
    """Two tasks of the service that use the DB instance `notes`."""
    world = World(aws, BACKEND, repository="backend")
    rds = world.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="notes",
        DBInstanceClass="db.t4g.small",
        Engine="postgres",
        AllocatedStorage=20,
        DBName="notes",
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
    )

    eventually("the database is available", lambda: is_available(world))
    (database,) = rds.describe_db_instances()["DBInstances"]
    role = world.client("iam").create_role(RoleName="task", AssumeRolePolicyDocument="{}")
    # As Terraform makes it: without a value.
    login = world.client("secretsmanager").create_secret(Name=LOGIN)["ARN"]
    master = database["MasterUserSecret"]["SecretArn"]
    place = {
        "DB_HOST": database["Endpoint"]["Address"],
        "DB_PORT": str(database["Endpoint"]["Port"]),
        "DB_NAME": "notes",
        "DB_SECRET_ARN": login,
    }
    migration = world.container(
        name="migration",
        essential=False,
        portMappings=[],
        entryPoint=["node"],
        command=["dist/migrate.js"],
        environment=_variables({**place, "DB_USER": "notes-service"}),
        secrets=[
            {"name": "DB_MASTER_USER", "valueFrom": f"{master}:username::"},
            {"name": "DB_MASTER_PASSWORD", "valueFrom": f"{master}:password::"},
        ],
    )
    container = world.container(
        dependsOn=[{"containerName": "migration", "condition": "SUCCESS"}],
        environment=_variables(
            {
                **place,
                "PORT": "3000",
                "LOG_LEVEL": log_level,
                "DB_PASSWORD_LIFETIME_SECONDS": "6",
                # Connections are made all the time, so that some meet each moment of a change.
                "DB_CONNECTION_LIFETIME_SECONDS": "1",
            }
        ),
    )
    world.create(
        world.define(containerDefinitions=[container, migration], taskRoleArn=role["Role"]["Arn"]),
        healthCheckGracePeriodSeconds=60,
    )
    # The first time, its packages are installed.
    eventually("the service is steady", world.is_steady, seconds=240)
    return world


def is_available(world: World) -> bool:
    """Whether the DB instance can be asked to restart."""
    (found,) = world.client("rds").describe_db_instances()["DBInstances"]
    return bool(found["DBInstanceStatus"] == "available")


def _variables(named: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in named.items()]
