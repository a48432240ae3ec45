"""What the control plane desires of a data plane whose reports are the test's."""

import json
import urllib.request
from urllib.error import HTTPError

import pytest

from embedded_aws import EmbeddedAws
from tests.embedded.control_plane.clients import (
    Clients,
    Service,
    address,
    ecr_image,
    push,
)
from tests.embedded.exchange.data_plane import (
    DataPlane,
    container,
    task_report,
)


def test_what_runs_is_what_its_definition_and_its_deployment_say(
    service: Service, plane: DataPlane
) -> None:
    (deployment,) = service.describe()["deployments"]
    tasks = plane.tasks()
    assert set(tasks) == service.task_arns()
    for arn, task in tasks.items():
        assert task == {
            "arn": arn,
            "group": "service:service",
            "desired": "RUNNING",
            "last_status": "RUNNING",
            "source_key": deployment["id"],
            "cpu": 256,
            "memory": 512,
            "architecture": "X86_64",
            "task_role_arn": None,
            "volumes": [],
            "containers": task["containers"],
            "overrides": [],
            "image_digests": {"app": "sha256:1"},
        }
        assert [each["name"] for each in task["containers"]] == ["app"]


def test_each_container_runs_what_its_tag_named_when_the_deployment_began(
    clients: Clients, service: Service, plane: DataPlane
) -> None:
    first, second = (push(clients, service.cluster, tag, tag) for tag in ("first", "second"))
    definition = service.register_containers(
        *({"name": name, "image": ecr_image(service, name)} for name in ("first", "second"))
    )
    old = service.task_arns()
    service.update(taskDefinition=definition, loadBalancers=[])
    push(clients, service.cluster, "second", "what was pushed later")
    new = [task for arn, task in plane.tasks().items() if arn not in old]
    assert [task["image_digests"] for task in new] == [{"first": first, "second": second}] * 2


def test_a_task_goes_through_its_states_as_it_is_reported(
    clients: Clients, plane: DataPlane
) -> None:
    service = Service(clients, desiredCount=1)
    (arn,) = plane.tasks()
    (task,) = service.tasks()
    assert (task["lastStatus"], task["healthStatus"]) == ("PROVISIONING", "UNKNOWN")
    assert service.targets() == []
    plane.post(tasks={arn: task_report("PENDING")})
    assert service.tasks()[0]["lastStatus"] == "PENDING"
    plane.post(tasks={arn: task_report("RUNNING", health="HEALTHY")})
    (task,) = service.tasks()
    assert (task["lastStatus"], task["healthStatus"]) == ("RUNNING", "HEALTHY")
    (of_container,) = task["containers"]
    assert of_container["lastStatus"] == "RUNNING"
    assert of_container["runtimeId"] == "process-1"
    assert of_container["imageDigest"] == "sha256:1"
    (target,) = service.targets()
    assert target["Target"]["Id"] == address(task)
    assert target["TargetHealth"]["State"] == "initial"
    assert service.describe()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    plane.step()
    assert service.describe()["deployments"][0]["rolloutState"] == "COMPLETED"
    service.update(desiredCount=0)
    assert service.targets()[0]["TargetHealth"]["State"] == "draining"
    # It is asked to stop once nobody is sent to it any more.
    assert plane.tasks()[arn]["desired"] == "RUNNING"
    plane.step()
    assert plane.tasks()[arn]["desired"] == "STOPPED"
    plane.post(tasks={arn: task_report("STOPPED", containers={"app": container(exit_code=143)})})
    assert plane.tasks() == {}
    (stopped,) = service.tasks("STOPPED")
    assert stopped["lastStatus"] == "STOPPED"
    assert stopped["stopCode"] == "ServiceSchedulerInitiated"
    assert stopped["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc")
    assert stopped["containers"][0]["exitCode"] == 143
    assert service.targets() == []


def test_a_task_that_is_run_once_is_as_it_was_asked_for_and_stays_ended(
    service: Service, plane: DataPlane
) -> None:
    role = "arn:aws:iam::123456789012:role/one-off"
    service.ecs.register_task_definition(
        family=service.cluster,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        runtimePlatform={"cpuArchitecture": "ARM64"},
        taskRoleArn="arn:aws:iam::123456789012:role/usual",
        volumes=[{"name": "scratch"}],
        # On Fargate a container need not reserve anything of its own.
        containerDefinitions=[{"name": "app", "image": "app", "essential": True}],
    )
    overrides = [{"name": "app", "command": ["migrate"]}]
    arn = service.ecs.run_task(
        cluster=service.cluster,
        taskDefinition=service.cluster,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": service.subnets}},
        overrides={
            "cpu": "512", "memory": "1024", "taskRoleArn": role, "containerOverrides": overrides,
        },
    )["tasks"][0]["taskArn"]  # fmt: skip
    desired = plane.tasks()[arn]
    assert {
        key: desired[key]
        for key in (
            "group", "desired", "last_status", "source_key", "cpu", "memory", "architecture",
            "task_role_arn", "overrides",
        )
    } == {
        "group": f"family:{service.cluster}",
        "desired": "RUNNING",
        "last_status": "PROVISIONING",
        "source_key": arn,
        "cpu": 512,
        "memory": 1024,
        "architecture": "ARM64",
        "task_role_arn": role,
        "overrides": overrides,
    }  # fmt: skip
    assert [volume["name"] for volume in desired["volumes"]] == ["scratch"]
    plane.post(tasks={arn: task_report("RUNNING")})
    ended = task_report(
        "STOPPED",
        stop_code="EssentialContainerExited",
        reason="Essential container in task exited",
        containers={"app": container(status="STOPPED", exit_code=3, reason="Why it ended")},
    )
    plane.post(tasks={arn: ended})
    assert arn not in plane.tasks()
    (task,) = service.ecs.describe_tasks(cluster=service.cluster, tasks=[arn])["tasks"]
    assert (task["lastStatus"], task["stopCode"], task["stoppedReason"]) == (
        "STOPPED", "EssentialContainerExited", "Essential container in task exited",
    )  # fmt: skip
    assert task["containers"][0]["exitCode"] == 3
    assert task["containers"][0]["reason"] == "Why it ended"


def test_a_task_that_somebody_stops_ends_at_once_and_another_takes_its_place(
    service: Service, plane: DataPlane
) -> None:
    stopped, other = sorted(service.task_arns())
    service.ecs.stop_task(cluster=service.cluster, task=stopped, reason="It is in the way")
    assert other in service.task_arns()
    for _ in range(4):
        plane.step()
    assert stopped not in plane.tasks()
    assert len(service.task_arns()) == 2
    (task,) = (each for each in service.tasks("STOPPED") if each["taskArn"] == stopped)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "It is in the way")
    assert task["attachments"][0]["status"] == "DELETED"


def test_where_listeners_are_is_what_the_last_report_says(
    aws: EmbeddedAws, plane: DataPlane
) -> None:
    where = {"load_balancer": "a", "port": 80, "url": "http://127.0.0.1:8080"}
    plane.post(listeners={"arn:1": where, "arn:2": {**where, "port": 81}})
    assert aws.listeners() == [{"arn": "arn:1", **where}, {"arn": "arn:2", **where, "port": 81}]
    plane.post(listeners={"arn:2": where})
    assert aws.listeners() == [{"arn": "arn:2", **where}]


def test_load_balancers_and_target_groups_are_as_they_were_made(
    clients: Clients, service: Service, plane: DataPlane
) -> None:
    elbv2 = clients("elbv2")
    balancer = elbv2.create_load_balancer(Name=service.cluster, Subnets=service.subnets)
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": service.target_group}]
    listener = elbv2.create_listener(
        LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward
    )["Listeners"][0]["ListenerArn"]
    for priority in (20, 3):
        elbv2.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [f"/{priority}"]}],
            Actions=forward,
        )
    desired = plane.post()
    (found,) = (each for each in desired["load_balancers"] if each["arn"] == arn)
    assert found["name"] == service.cluster
    assert found["attributes"]["idle_timeout.timeout_seconds"] == "60"
    (of_listener,) = found["listeners"]
    assert (of_listener["arn"], of_listener["port"], of_listener["protocol"]) == (
        listener, 80, "HTTP",
    )  # fmt: skip
    assert [rule["priority"] for rule in of_listener["rules"]] == [3, 20]
    for rule in of_listener["rules"]:
        assert rule["conditions"][0]["Field"] == "path-pattern"
        assert rule["actions"][0]["Type"] == "forward"
    assert of_listener["default_actions"][0]["TargetGroupArn"] == service.target_group
    group = desired["target_groups"][service.target_group]
    assert (group["arn"], group["name"], group["protocol"]) == (
        service.target_group, service.cluster, "HTTP",
    )  # fmt: skip
    assert group["health_check"] == {
        "enabled": True,
        "path": "/",
        "port": "traffic-port",
        "interval_seconds": 30,
        "timeout_seconds": 5,
        "healthy_threshold": 5,
        "unhealthy_threshold": 2,
        "matcher": "200",
    }
    elbv2.delete_load_balancer(LoadBalancerArn=arn)
    assert plane.post()["load_balancers"] == []


def test_what_it_tells_is_for_this_moment_and_for_nothing_else(aws: EmbeddedAws) -> None:
    with urllib.request.urlopen(f"{aws.page_url}listeners", timeout=60) as answer:
        headers = dict(answer.headers)
        body = answer.read()
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(body))
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    with urllib.request.urlopen(aws.page_url, timeout=60) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(f"{aws.page_url}nothing", timeout=60)
    assert refused.value.code == 404
    assert json.load(refused.value) == {"message": "No /_embedded/nothing here."}
