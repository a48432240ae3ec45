"""How ECS rolls a deployment out, as a data plane whose reports are the test's sees it."""

import time

from tests.embedded.control_plane.clients import (
    Clients,
    Service,
)
from tests.embedded.exchange.data_plane import (
    HEALTHY,
    UNHEALTHY,
    DataPlane,
    container,
    messages,
    task_report,
)


def test_a_rollout_starts_new_tasks_first_and_stops_the_old_ones_once_they_are_healthy(
    service: Service, plane: DataPlane
) -> None:
    old = service.task_arns()
    service.update(forceNewDeployment=True)
    new = service.task_arns() - old
    assert len(new) == 2
    # They run, and are not known to be healthy: all of the old ones are needed.
    plane.post(tasks={arn: task_report("RUNNING") for arn in new})
    assert old | new == service.task_arns()
    assert {task["desired"] for task in plane.tasks().values()} == {"RUNNING"}
    plane.step()
    assert {arn for arn, task in plane.step().items() if task["desired"] == "STOPPED"} <= old
    plane.step()
    assert set(plane.tasks()) == service.task_arns() == new
    (deployment,) = service.describe()["deployments"]
    assert deployment["rolloutState"] == "COMPLETED"
    assert (deployment["desiredCount"], deployment["runningCount"]) == (2, 2)


def test_a_service_that_may_not_have_more_tasks_replaces_them_one_by_one(
    service: Service, plane: DataPlane
) -> None:
    old = service.task_arns()
    service.update(
        deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100},
        forceNewDeployment=True,
    )
    # Half of them must run all the time, and there is room for no third.
    assert len(old & service.task_arns()) == 1
    counts = []
    for _ in range(12):
        plane.step()
        counts.append(len(service.task_arns()))
    assert {1, 2} >= set(counts)
    assert service.task_arns().isdisjoint(old)
    assert service.describe()["deployments"][0]["rolloutState"] == "COMPLETED"


def test_an_unhealthy_target_is_replaced_once_another_task_is_in_its_place(
    service: Service, plane: DataPlane
) -> None:
    service.update(healthCheckGracePeriodSeconds=0)
    sick, well = sorted(service.task_arns())
    groups = plane.post()["target_groups"]
    (of_sick,) = [
        each for each in groups[service.target_group]["registrations"] if each["task_arn"] == sick
    ]
    plane.post(targets={of_sick["id"]: UNHEALTHY})
    assert plane.tasks()[sick]["desired"] == "RUNNING"
    (fresh,) = service.task_arns() - {sick, well}
    plane.post(tasks={fresh: task_report("RUNNING")})
    assert sick in service.task_arns()
    groups = plane.post()["target_groups"]
    (of_fresh,) = [
        each for each in groups[service.target_group]["registrations"] if each["task_arn"] == fresh
    ]
    plane.post(targets={of_fresh["id"]: HEALTHY})
    assert service.task_arns() == {fresh, well}
    plane.step()
    plane.step()
    assert set(plane.tasks()) == {fresh, well}
    (stopped,) = [task for task in service.tasks("STOPPED") if task["taskArn"] == sick]
    assert "Task failed ELB health checks in (target-group arn:" in stopped["stoppedReason"]
    assert any("[500]" in message for message in messages(service))


def test_a_version_that_does_not_start_is_rolled_back(service: Service, plane: DataPlane) -> None:
    old = service.task_arns()
    (before,) = service.describe()["deployments"]
    service.update(taskDefinition=service.register_task_definition(command=["fails"]))
    ended = task_report(
        "STOPPED",
        stop_code="EssentialContainerExited",
        reason="Essential container in task exited",
        containers={"app": container(status="STOPPED", exit_code=1)},
    )
    failed = 0
    for _ in range(40):
        plane.step(task=lambda task: task_report("RUNNING") if task["arn"] in old else ended)
        failed = sum(
            task["stopCode"] == "EssentialContainerExited" for task in service.tasks("STOPPED")
        )
        if len(service.describe()["deployments"]) == 1:
            break
        time.sleep(0.1)
    assert failed in (3, 4)
    (deployment,) = service.describe()["deployments"]
    for same in (
        "id", "status", "taskDefinition", "capacityProviderStrategy", "networkConfiguration",
        "desiredCount", "runningCount", "pendingCount", "failedTasks", "rolloutState",
    ):  # fmt: skip
        assert deployment[same] == before[same]
    assert deployment["createdAt"] > before["createdAt"]
    assert service.describe()["taskDefinition"] == service.task_definition
    assert service.task_arns() == old
    newest, *_ = service.deployments()
    assert newest["status"] == "ROLLBACK_SUCCESSFUL"
    assert newest["statusReason"] == "ECS deployment circuit breaker: tasks failed to start."


def test_a_rollback_whose_tasks_are_yet_to_start_is_in_progress(
    service: Service, plane: DataPlane
) -> None:
    (before,) = service.describe()["deployments"]
    service.update(
        taskDefinition=service.register_task_definition("other"),
        deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100},
    )
    (newest, *_) = service.deployments()
    service.ecs.stop_service_deployment(
        serviceDeploymentArn=newest["serviceDeploymentArn"], stopType="ROLLBACK"
    )
    deployment = service.describe()["deployments"][0]
    assert (deployment["id"], deployment["status"]) == (before["id"], "PRIMARY")
    assert (deployment["rolloutState"], deployment["failedTasks"]) == ("IN_PROGRESS", 0)
    assert deployment["rolloutStateReason"].endswith(f"to deploymentId {before['id']}.")
    assert deployment["taskDefinition"] == service.task_definition


def test_without_a_circuit_breaker_it_is_tried_again_and_told_once(
    clients: Clients, plane: DataPlane
) -> None:
    service = Service(clients)
    ended = task_report("STOPPED", containers={"app": container(status="STOPPED", exit_code=1)})
    told = "is unable to consistently start tasks successfully."

    def count() -> int:
        return sum(told in event["message"] for event in service.describe()["events"])

    deadline = time.monotonic() + 60
    while len(service.tasks("STOPPED")) < 5:
        assert time.monotonic() < deadline
        plane.step(task=lambda _: ended)
        time.sleep(0.05)
    assert count() == 1
    (deployment,) = service.describe()["deployments"]
    assert deployment["rolloutState"] == "IN_PROGRESS"
    assert deployment["failedTasks"] == len(service.tasks("STOPPED"))
    service.ecs.delete_service(cluster=service.cluster, service=service.name, force=True)
    for _ in range(4):
        plane.step()
    assert plane.tasks() == {}
