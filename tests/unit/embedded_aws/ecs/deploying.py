"""A service in the midst of a deployment, as its scheduler knows it."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from moto.cloudwatch.models import cloudwatch_backends

from embedded_aws.control_plane.ecs import rollouts
from embedded_aws.control_plane.ecs.rollouts import Rollout, count_failure, judge
from embedded_aws.control_plane.registrations import Registration, registrations

REGION = "us-west-2"
SERVICE_ARN = "arn:aws:ecs:us-west-2:123456789012:service"


class Deploying:
    """A service whose second deployment, `d2`, is in progress; the first succeeded."""

    def __init__(self, *, breaker: dict[str, bool] | None = None, alarms: Any = None) -> None:
        self.backend: Any = SimpleNamespace(account_id=uuid4().hex, region_name=REGION)
        given = {"deploymentCircuitBreaker": breaker, "alarms": alarms}
        self.service: Any = SimpleNamespace(
            name="web",
            desired_count=2,
            events=[],
            task_definition="new",
            network_configuration="new subnets",
            deployment_configuration={name: each for name, each in given.items() if each},
            deployments=[
                {"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "IN_PROGRESS",
                 "taskDefinition": "new", "failedTasks": 0, "launchType": "FARGATE"},
                {"id": "ecs-svc/1", "status": "ACTIVE", "rolloutState": "COMPLETED",
                 "taskDefinition": "old", "failedTasks": 7, "launchType": "FARGATE"},
            ],
            past_deployments=[
                {"status": "IN_PROGRESS", "targetServiceRevision": {"arn": f"{SERVICE_ARN}/2"}},
                {
                    "status": "SUCCESSFUL",
                    "targetServiceRevision": {"arn": f"{SERVICE_ARN}/1"},
                    "revision": {
                        "taskDefinition": "old",
                        "capacityProviderStrategy": "old strategy",
                        "networkConfiguration": "old subnets",
                    },
                },
            ],
        )  # fmt: skip
        self.service.rollout = Rollout.begin(self.backend, self.service)

    @property
    def rollout(self) -> Rollout:
        rollout: Rollout = self.service.rollout
        return rollout

    @property
    def primary(self) -> dict[str, Any]:
        deployment: dict[str, Any] = self.service.deployments[0]
        return deployment

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = self.service.past_deployments[0]
        return record

    @property
    def told(self) -> list[str]:
        """The oldest event first, without the service's name."""
        events = reversed(self.service.events)
        return [event["message"].removeprefix("(service web) ") for event in events]

    def alarm(self, name: str, state: str) -> None:
        """An alarm of the account is in this state from now on."""
        alarms = cloudwatch_backends[self.backend.account_id][REGION].alarms
        alarms[name] = SimpleNamespace(state_value=state)

    def fail(self, times: int, *, deployment: str = "ecs-svc/2") -> None:
        for _ in range(times):
            count_failure(self.service, SimpleNamespace(started_by=deployment))

    def judge(self) -> None:
        judge(self.backend, self.service)

    def complete(self, *running: Any) -> None:
        rollouts.complete(self.backend, self.service, running=list(running))


ON = {"enable": True, "rollback": True}
ONE_ALARM = {"alarmNames": ["gone", "errors", "calm"], **ON}


def running_task(
    deployment: str = "ecs-svc/2", *, status: str = "RUNNING", target: str = "healthy"
) -> Any:
    """A task without health checks in its containers, and one target of it."""
    definition = SimpleNamespace(container_definitions=[{}])
    task = SimpleNamespace(
        task_arn=uuid4().hex,
        task_definition_arn="definition",
        started_by=deployment,
        last_status=status,
        desired_status="RUNNING",
        _backend=SimpleNamespace(describe_task_definition=lambda _: definition),
    )
    target_of = Registration(
        group_arn="group", target_id="10.0.0.1", port=80, task_arn=task.task_arn, state=target
    )
    registrations.add(target_of)
    return task
