"""The project's own service runs with its database, and keeps serving when the password changes."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from tests.embedded.conftest import BACKEND
from tests.embedded.world import World, eventually

pytestmark = pytest.mark.usefixtures("with_postgresql")


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    data_plane = DataPlane(
        sources={"backend": BACKEND},
        runtime="process",
        task_environment={
            "HOST": "{listen_address}",
            "METRICS_PORT": "{free_port}",
            "DB_CA_FILE": "{certificate_authority_file}",
        },
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        yield aws


@pytest.fixture(scope="module")
def serving(aws: EmbeddedAws) -> World:
    """Two tasks of the service, with a database."""
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

    def available() -> bool:
        (found,) = rds.describe_db_instances()["DBInstances"]
        return bool(found["DBInstanceStatus"] == "available")

    eventually("the database is available", available)
    (database,) = rds.describe_db_instances()["DBInstances"]
    role = world.client("iam").create_role(RoleName="task", AssumeRolePolicyDocument="{}")
    container = world.container(
        environment=[
            {"name": "PORT", "value": "3000"},
            {"name": "DB_HOST", "value": database["Endpoint"]["Address"]},
            {"name": "DB_PORT", "value": str(database["Endpoint"]["Port"])},
            {"name": "DB_NAME", "value": "notes"},
            {"name": "DB_SECRET_ARN", "value": database["MasterUserSecret"]["SecretArn"]},
        ]
    )
    world.create(
        world.define(container, taskRoleArn=role["Role"]["Arn"]),
        healthCheckGracePeriodSeconds=60,
    )
    # The first time, its packages are installed.
    eventually("the service is steady", world.is_steady, seconds=240)
    return world


def test_a_note_is_written_and_read_through_the_load_balancer(serving: World) -> None:
    request = urllib.request.Request(
        f"{serving.url()}/notes",
        data=json.dumps({"title": "remember"}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201
    assert "remember" in serving.get("/notes")[2]
    assert serving.json("/health")["database"] == "ok"


def test_a_rotation_of_the_password_loses_no_request(serving: World) -> None:
    rds, secrets = serving.client("rds"), serving.client("secretsmanager")
    (database,) = rds.describe_db_instances()["DBInstances"]
    arn = database["MasterUserSecret"]["SecretArn"]

    def password() -> str:
        return str(secrets.get_secret_value(SecretId=arn)["SecretString"])

    before, pids = password(), serving.task_pids()
    with serving.load("/notes") as load:
        secrets.rotate_secret(SecretId=arn)
        eventually("it is another", lambda: password() != before)
        eventually("requests go on", lambda: load.sent > 400)
    assert load.lost == 0, load
    assert serving.task_pids() == pids


def test_after_a_failover_it_serves_again(serving: World) -> None:
    rds = serving.client("rds")
    rds.reboot_db_instance(DBInstanceIdentifier="notes", ForceFailover=True)
    eventually("notes cannot be read", lambda: serving.get("/notes")[0] != 200)
    eventually("they can again", lambda: serving.get("/notes")[0] == 200)
