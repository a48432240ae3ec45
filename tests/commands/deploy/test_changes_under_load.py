"""What a change of settings does to those who use a service, on the embedded AWS."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from embedded_aws.load import Load
from tests.embedded.world import write_source
from tests.support.aws.aws_clients import client_of
from tests.support.aws.put_images import put_images
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider, pytest.mark.timeout(1_800)]

SETTINGS = TINY.replace('build = "external"', 'build = "external"\nstartup_seconds = 20')
ANOTHER_PORT = SETTINGS.replace("startup_seconds", "port = 8080\nstartup_seconds")


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[EmbeddedAws]:
    source = tmp_path / "app"
    write_source(source, "first")
    data_plane = DataPlane(
        sources={"tiny-e-backend": source}, runtime="process", cache_folder=tmp_path / "builds"
    )
    with EmbeddedAws(data_plane=data_plane) as server:
        yield server


class Watch:
    """Looks all the time whether the load balancer may reach the ports of tasks that run.

    `looks`: how many tasks were seen on each port. `cut_off`: ports of tasks that run and may not
    be reached.
    """

    def __init__(self, aws: EmbeddedAws) -> None:
        self.ecs, self.ec2 = client_of(aws, "ecs"), client_of(aws, "ec2")
        self.looks: Counter[int] = Counter()
        self._ports: dict[str, int] = {}
        self.cut_off: list[int] = []

    @contextmanager
    def looking(self) -> Iterator[None]:
        is_over = threading.Event()

        def look() -> None:
            while not is_over.wait(0.3):
                # In this order: what runs when its rule is read did so before, too.
                ports = self._ports_of_tasks()
                reachable = self.reachable_ports()
                for port in ports:
                    self.looks[port] += 1
                    if port not in reachable and port in self._ports_of_tasks():
                        self.cut_off.append(port)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _ports_of_tasks(self) -> list[int]:
        cluster = "tiny-e-cluster"
        arns = self.ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
        tasks = self.ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        return [self._port(task["taskDefinitionArn"]) for task in tasks]

    def _port(self, definition: str) -> int:
        if definition not in self._ports:
            found = self.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
            (mapping,) = found["containerDefinitions"][0]["portMappings"]
            self._ports[definition] = mapping["containerPort"]
        return self._ports[definition]

    def reachable_ports(self) -> set[int]:
        (group,) = self.ec2.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": ["tiny-e-backend-service"]}]
        )["SecurityGroups"]
        rules: list[Any] = self.ec2.describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}]
        )["SecurityGroupRules"]
        return {rule["FromPort"] for rule in rules if not rule["IsEgress"]}


def test_another_port_loses_no_request(tmp_path: Path, aws: EmbeddedAws) -> None:
    folder = make_project(tmp_path / "project", tiny=SETTINGS)
    variables = aws.environment()
    deployed = prod_e(folder, "deploy", "--yes", variables=variables, timeout_seconds=900)
    assert deployed.returncode == 0, deployed.stderr
    put_images(aws, "tiny-e-backend")

    (folder / "environments" / "tiny.toml").write_text(ANOTHER_PORT)
    (listener,) = aws.listeners()
    watch = Watch(aws)
    load = Load(url=f"{listener['url']}/slow?ms=20", clients=4, pause_seconds=0.02)
    with load, watch.looking():
        load.wait_for(8)
        changed = prod_e(folder, "deploy", "--yes", variables=variables, timeout_seconds=900)
        load.wait_for(40)
        assert watch.reachable_ports() == {8080}
    assert changed.returncode == 0, changed.stderr
    assert load.sent > 100
    assert load.lost == 0, load
    assert set(watch.looks) == {3000, 8080}
    assert watch.cut_off == []

    again = prod_e(folder, "plan", variables=variables)
    assert "tiny-e           no changes" in again.stdout, again.stdout
