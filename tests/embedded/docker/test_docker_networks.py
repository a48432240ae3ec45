"""Containers on a bridge of Docker's and on this machine's network reach what tasks reach."""

import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from embedded_aws.data_plane.configuration import DockerNetwork
from tests.embedded.docker_world import Images, connect, container_ids, images_of, world_of
from tests.embedded.services.test_container_order import container
from tests.embedded.world import World, eventually

READS_THE_DATABASE = """
const net = require('net');
const {{ PGHOST, PGPORT }} = process.env;
const socket = net.connect(Number(PGPORT), PGHOST, () => {{
  // SSLRequest, to which PostgreSQL answers with S where it has TLS.
  socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
}});
socket.on('data', (said) => {{ console.log('{name} reads ' + said); process.exit(0); }});
socket.on('error', (error) => {{ console.log('{name} ' + error); process.exit(1); }});
"""
ASKS_AWS = """
const url = process.env.AWS_ENDPOINT_URL + '/moto-api/data.json';
require('http').get(url, (r) => {{ console.log('{name} gets ' + r.statusCode); process.exit(0); }})
  .on('error', (error) => {{ console.log('{name} ' + error); process.exit(1); }});
"""
SERVES = "require('http').createServer((q, r) => r.end('hi')).listen(9000, '127.0.0.1');"
ASKS_ITS_NEIGHBOUR = """
const ask = () => require('http').get('http://127.0.0.1:9000', (r) => {{
  console.log('{name} gets ' + r.statusCode); process.exit(0);
}}).on('error', () => setTimeout(ask, 100));
ask();
"""


@pytest.fixture(scope="module", params=["bridge", "host"])
def images(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Images]:
    docker = connect()
    network: DockerNetwork = request.param
    listed = docker.run("network", "ls", "--format", "{{.Driver}}").split()
    if network == "bridge" and "bridge" not in listed:
        pytest.skip("This Docker daemon has no bridge network.")
    with images_of(docker, tmp_path_factory.mktemp("images"), network) as images:
        yield images


@pytest.fixture
def network(images: Images, request: pytest.FixtureRequest) -> str:
    """The gateway of the bridge, or `host`."""
    words = eventually("the data plane knows", lambda: images.aws.tasks_run)
    if words == "as containers on the network of this machine":
        return "host"
    found: str = words.removeprefix("as containers on Docker's bridge network ").split(",")[0]
    return found


@pytest.fixture
def world(images: Images) -> Iterator[World]:
    with world_of(images) as world:
        yield world


def run(world: World, *containers: dict[str, Any]) -> dict[str, Any]:
    """Runs a task to its end."""
    task = world.ecs.run_task(
        cluster=world.name,
        taskDefinition=world.define(containerDefinitions=list(containers)),
        launchType="FARGATE",
        networkConfiguration=world.network,
    )["tasks"][0]["taskArn"]

    def ended() -> dict[str, Any] | None:
        (found,) = world.ecs.describe_tasks(cluster=world.name, tasks=[task])["tasks"]
        return found if found["lastStatus"] == "STOPPED" else None

    found: dict[str, Any] = eventually("the task has ended", ended)
    return found


def script(world: World, name: str, text: str, **variables: str) -> dict[str, Any]:
    environment = [{"name": key, "value": value} for key, value in variables.items()]
    return container(world, name, text, entryPoint=["node"], environment=environment) | {
        "command": ["-e", text.format(name=name)]
    }


def wait_for_line(world: World, line: str) -> None:
    try:
        eventually(f"the log has {line!r}", lambda: line in world.log_lines(), seconds=20)
    except AssertionError as error:
        error.add_note(world.log_lines())
        raise


def test_a_service_is_on_the_network_that_is_asked_for(
    world: World, images: Images, network: str
) -> None:
    world.create()
    world.until_steady()
    with world.load() as load:
        images.push("second")
        world.update(forceNewDeployment=True)
        world.until_steady()
        assert world.json("/")["version"] == "second"
    assert load.lost == 0, load
    id, *_ = container_ids(images, world)
    settings = images.docker.inspect("container", id)
    port = world.json("/env")["PORT"]
    if network == "host":
        assert settings["HostConfig"]["NetworkMode"] == "host"
        assert port != "3000"
    else:
        assert settings["HostConfig"]["NetworkMode"] == "bridge"
        (binding,) = settings["NetworkSettings"]["Ports"]["3000/tcp"]
        assert binding["HostIp"] == "127.0.0.1"
        assert port == "3000"


def test_a_task_reaches_aws_and_has_credentials(world: World, network: str) -> None:
    role = world.client("iam").create_role(
        RoleName=world.name, AssumeRolePolicyDocument=json.dumps({"Statement": []})
    )["Role"]["Arn"]
    world.create(world.define(taskRoleArn=role), desiredCount=1)
    world.until_steady()
    has = world.json("/env")
    if network == "host":
        assert has["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith("http://127.0.0.1:")
    else:
        assert has["AWS_ENDPOINT_URL"].startswith(f"http://{network}:")
        assert has["AWS_ACCESS_KEY_ID"].startswith("ASIA")
        assert has["AWS_SESSION_TOKEN"]
    run(world, script(world, "client", ASKS_AWS))
    wait_for_line(world, "client gets 200")


def test_a_task_reaches_its_database(world: World, with_postgresql: None) -> None:
    rds = world.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier=world.name,
        DBInstanceClass="db.t4g.small",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
    )

    def available() -> dict[str, Any] | None:
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=world.name)["DBInstances"]
        return found if found["DBInstanceStatus"] == "available" else None

    endpoint = eventually("the database is there", available)["Endpoint"]
    try:
        run(
            world,
            script(
                world,
                "client",
                READS_THE_DATABASE,
                PGHOST=endpoint["Address"],
                PGPORT=str(endpoint["Port"]),
            ),
        )
        wait_for_line(world, "client reads S")
    finally:
        rds.delete_db_instance(DBInstanceIdentifier=world.name, SkipFinalSnapshot=True)


def test_containers_of_a_task_find_one_another_on_loopback(world: World, images: Images) -> None:
    server = script(world, "server", SERVES) | {"essential": False}
    task = run(world, server, script(world, "client", ASKS_ITS_NEIGHBOUR))
    wait_for_line(world, "client gets 200")
    assert {c["name"]: c["exitCode"] for c in task["containers"]}["client"] == 0
    eventually(
        "nothing of the task is left",
        lambda: (
            task["taskArn"].rpartition("/")[2]
            not in images.docker.run("ps", "--all", "--format", "{{.Names}}")
        ),
        seconds=10,
    )


def test_it_listens_where_its_tasks_need_it_and_nowhere_else(
    world: World, images: Images, network: str
) -> None:
    world.create(desiredCount=1)
    world.until_steady()
    state_folder = images.aws._state_folder
    assert state_folder
    found = {
        connection.laddr.ip
        for process in psutil.process_iter()
        if is_ours(process, state_folder)
        for connection in connections(process)
        if connection.status == psutil.CONN_LISTEN
    }
    outside = {address for address in found if not ipaddress.ip_address(address).is_loopback}
    assert found - outside
    assert outside == (set() if network == "host" else {network})


def is_ours(process: psutil.Process, state_folder: Path) -> bool:
    """Whether it belongs to that embedded AWS: its two processes are told of the state folder."""
    try:
        told = [*process.cmdline(), *process.environ().values()]
    except psutil.Error:
        return False
    is_task = "AWS_EXECUTION_ENV" in process.environ()
    return not is_task and any(str(state_folder) in text for text in told)


def connections(process: psutil.Process) -> list[Any]:
    try:
        return list(process.net_connections(kind="inet"))
    except psutil.Error:
        return []
