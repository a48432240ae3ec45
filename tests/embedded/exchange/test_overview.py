"""What the page for a browser is told while a data plane reports what is a test's."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embedded_aws import EmbeddedAws
from tests.embedded.control_plane.clients import ROLLED_BACK, Clients, Service, ecr_image, push
from tests.embedded.exchange.data_plane import (
    UNHEALTHY,
    DataPlane,
    container,
    task_report,
)
from tests.embedded.world import eventually
from tests.support.aws.aws_clients import client_of


class Page:
    """What `GET /_embedded/overview` tells."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self._url = f"{aws.page_url}overview"

    def read(self) -> dict[str, Any]:
        with urllib.request.urlopen(self._url, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def service(self, of: Service) -> dict[str, Any]:
        (found,) = (each for each in self.read()["services"] if each["cluster"] == of.cluster)
        return dict(found)

    def events(self) -> list[dict[str, Any]]:
        return list(self.read()["events"])

    def named(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.read()[kind] if each["name"] == name)
        return dict(found)


@pytest.fixture
def page(aws: EmbeddedAws) -> Page:
    return Page(aws)


@pytest.fixture
def service(clients: Clients, plane: DataPlane) -> Iterator[Service]:
    """One whose two tasks are to run, and do not yet."""
    made = Service(clients, **ROLLED_BACK)
    yield made
    made.ecs.delete_service(cluster=made.cluster, service=made.name, force=True)
    for _ in range(4):
        plane.step()


def is_now(text: str) -> bool:
    return abs(datetime.now(UTC) - datetime.fromisoformat(text)) < timedelta(minutes=1)


def test_a_service_is_told_with_its_tasks_as_they_are_reported(
    service: Service, plane: DataPlane, page: Page
) -> None:
    begun = page.service(service)
    assert begun["name"] == "service"
    assert (begun["desired"], begun["running"], begun["pending"]) == (2, 0, 0)
    assert begun["rollout"] == "IN_PROGRESS"
    assert begun["rollout_reason"].endswith("in progress.")
    assert begun["is_rolled_back"] is False
    assert begun["version"] == "app"
    newest, oldest = (task["id"] for task in begun["tasks"])
    arns = list(plane.tasks())
    assert [arn.rpartition("/")[2] for arn in arns] == [oldest, newest]
    assert begun["tasks"][0] == {
        "id": newest,
        "status": "PROVISIONING",
        "target": None,
        "version": "app",
        "started_at": None,
        "reason": None,
    }
    plane.post(tasks={arns[0]: task_report("PENDING"), arns[1]: task_report("RUNNING")})
    running = page.service(service)
    assert (running["running"], running["pending"]) == (1, 1)
    task, other = running["tasks"]
    assert (task["status"], task["target"]) == ("RUNNING", "initial")
    assert is_now(task["started_at"])
    assert (other["status"], other["target"]) == ("PENDING", None)
    plane.step()
    plane.step()
    steady = page.service(service)
    assert (steady["rollout"], steady["is_rolled_back"]) == ("COMPLETED", False)
    assert [task["target"] for task in steady["tasks"]] == ["healthy", "healthy"]
    plane.step(target=UNHEALTHY)
    assert {task["target"] for task in page.service(service)["tasks"]} >= {"unhealthy"}


def test_a_task_that_has_stopped_is_told_with_the_reason_for_a_while(
    service: Service, plane: DataPlane, page: Page
) -> None:
    (stopped, _) = plane.tasks()
    reason = "Essential container in task exited"
    plane.post(tasks={stopped: task_report("STOPPED", reason=reason)})
    told = {task["id"]: task for task in page.service(service)["tasks"]}
    ended = told[stopped.rpartition("/")[2]]
    assert (ended["status"], ended["reason"]) == ("STOPPED", reason)
    # The other one, and what takes its place.
    assert len(told) == 3


def test_a_service_that_is_deleted_is_told_no_more(
    clients: Clients, plane: DataPlane, page: Page
) -> None:
    service = Service(clients, desiredCount=0)
    assert page.service(service)
    service.ecs.delete_service(cluster=service.cluster, service=service.name, force=True)
    plane.step()
    assert service.cluster not in {each["cluster"] for each in page.read()["services"]}


def test_tasks_of_others_are_not_the_services(
    service: Service, plane: DataPlane, page: Page
) -> None:
    service.ecs.run_task(
        cluster=service.cluster,
        taskDefinition=service.task_definition,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": service.subnets}},
    )
    assert len(page.service(service)["tasks"]) == 2


def test_a_rollback_is_told_with_the_version_that_the_service_goes_back_to(
    service: Service, plane: DataPlane, page: Page
) -> None:
    for _ in range(3):
        plane.step()
    old = set(plane.tasks())
    service.update(taskDefinition=service.register_task_definition("registry.test/broken:2"))
    under_way = page.service(service)
    assert (under_way["version"], under_way["is_rolled_back"]) == ("broken:2", False)
    ended = task_report("STOPPED", containers={"app": container(status="STOPPED", exit_code=1)})

    def rolled_back() -> bool:
        plane.step(task=lambda task: task_report("RUNNING") if task["arn"] in old else ended)
        return bool(page.service(service)["is_rolled_back"])

    eventually("it is rolled back", rolled_back)
    assert page.service(service)["version"] == "app"


def test_the_version_is_that_of_the_container_behind_the_load_balancer(
    clients: Clients, service: Service, plane: DataPlane, page: Page
) -> None:
    front, beside = ecr_image(service, "latest"), "registry.test/a/beside:1"
    digest = push(clients, service.cluster, "latest", "the front")
    push(clients, service.cluster, "v1.2.3", "the front")
    push(clients, service.cluster, "v0.0.1", "another")
    definition = service.register_containers(
        {"name": "beside", "image": beside}, {"name": "app", "image": front}
    )
    service.update(taskDefinition=definition)
    told = page.service(service)
    assert told["version"] == "v1.2.3"
    assert told["tasks"][0]["version"] == "v1.2.3"
    # Whoever has no tag but the one that is followed is called by that, and one without by itself.
    clients("ecr").batch_delete_image(
        repositoryName=service.cluster, imageIds=[{"imageTag": "v1.2.3"}]
    )
    assert page.service(service)["version"] == "latest"
    clients("ecr").batch_delete_image(
        repositoryName=service.cluster, imageIds=[{"imageTag": "latest"}]
    )
    assert page.service(service)["version"] == digest[: len("sha256:") + 12]
    service.update(loadBalancers=[])
    assert page.service(service)["version"] == "beside:1"
    assert page.service(service)["tasks"][0]["version"] == "beside:1"


def test_a_load_balancer_is_told_with_what_it_answers(
    clients: Clients, service: Service, plane: DataPlane, page: Page
) -> None:
    elb = clients("elbv2")
    balancer = elb.create_load_balancer(Name=service.cluster, Subnets=service.subnets)[
        "LoadBalancers"
    ][0]["LoadBalancerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": service.target_group}]
    listeners = [
        elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=forward
        )["Listeners"][0]["ListenerArn"]
        for port in (80, 8080)
    ]
    nothing = page.named("load_balancers", service.cluster)
    assert (nothing["listeners"], nothing["requests"], nothing["failed"]) == ([], 0, 0)
    assert nothing["seconds"] == [{"requests": 0, "failed": 0}] * 60
    where = {"load_balancer": balancer, "port": 80, "url": "http://127.0.0.1:4080"}
    counted = {balancer: {"count": 7, "failed": 2}}
    reported = {"listeners": {listeners[0]: where, "arn:another": where}, "requests": counted}
    plane.post(**reported)
    told = page.named("load_balancers", service.cluster)
    assert told["listeners"] == [where]
    assert (told["requests"], told["failed"]) == (7, 2)

    def over() -> list[dict[str, int]]:
        seconds = page.named("load_balancers", service.cluster)["seconds"]
        return [second for second in seconds if second["requests"]]

    assert eventually("the second is over", over) == [{"requests": 7, "failed": 2}]


def test_a_database_is_told_with_where_it_answers(
    clients: Clients, plane: DataPlane, page: Page
) -> None:
    rds = clients("rds")

    def create(name: str, engine: str) -> str:
        made = rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t4g.small",
            AllocatedStorage=20,
            Engine=engine,
            MasterUsername="master",
            MasterUserPassword="a password",
        )
        return str(made["DBInstance"]["DbiResourceId"])

    id = create("shown", "postgres")
    create("no-server", "mysql")
    told = page.named("databases", "shown")
    assert told == {"name": "shown", "status": "creating", "address": None}
    said = {
        "status": "available",
        "address": "127.0.0.1",
        "port": 5433,
        "restarts": 0,
        "password_digest": None,
    }
    plane.post(databases={"instances": {id: said}, "snapshots": []})
    told = page.named("databases", "shown")
    assert told == {"name": "shown", "status": "available", "address": "127.0.0.1:5433"}
    assert page.named("databases", "no-server")["address"] is None
    for name in ("shown", "no-server"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_an_alarm_of_any_region_is_told(aws: EmbeddedAws, clients: Clients, page: Page) -> None:
    elsewhere = client_of(aws, "cloudwatch")
    for name, cloudwatch in (("here", clients("cloudwatch")), ("there", elsewhere)):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="Nothing",
            MetricName="Nothing",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            Statistic="Sum",
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=f"{name} rings")
        told = page.named("alarms", name)
        assert told == {"name": name, "state": "ALARM", "reason": f"{name} rings"}
    elsewhere.close()


def test_events_are_told_the_newest_first(service: Service, plane: DataPlane, page: Page) -> None:
    for _ in range(4):
        plane.step()
    told = page.read()
    assert is_now(told["at"])
    assert len(told["at"]) == len("2026-01-31T12:30:15.999+00:00")
    of_service = [
        event
        for event in told["events"]
        if event["message"] in {each["message"] for each in service.describe()["events"]}
    ]
    assert {event["source"] for event in of_service} == {"service"}
    times = [event["at"] for event in told["events"]]
    assert times == sorted(times, reverse=True)
    assert all(map(is_now, times))
    assert "has reached a steady state" in told["events"][0]["message"]
