"""What the demo makes go wrong: a database that is away, answers that are errors, old passwords."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from prod_e_ops.demo.live.database import ServedDatabase
from prod_e_ops.demo.live.error_alarm import PERIOD_SECONDS, ErrorAlarm
from prod_e_ops.demo.live.live import Live
from prod_e_ops.errors import OpsError

ALARM: Mapping[str, Any] = {
    "AlarmName": "prod-e-backend-5xx",
    "EvaluationPeriods": 3,
    "Threshold": 1.0,
    "Metrics": [
        {"Id": "share", "Expression": "100 * errors / requests", "ReturnData": True},
        {"Id": "errors", "MetricStat": {"Metric": {"MetricName": "m"}, "Period": 60}},
    ],
}


class Cloud:
    """ECS and CloudWatch of a service whose deployments watch alarms."""

    def __init__(self, *alarms: str, enable: bool = True) -> None:
        self.put: list[Mapping[str, Any]] = []
        self._watched = {"alarmNames": list(alarms), "enable": enable}

    def describe_services(self, **_: object) -> Any:
        return {"services": [{"deploymentConfiguration": {"alarms": self._watched}}]}

    def describe_alarms(self, *, AlarmNames: Sequence[str]) -> Any:  # noqa: N803
        assert AlarmNames == ["prod-e-backend-5xx"]
        return {"MetricAlarms": [{**ALARM, "AlarmArn": "arn", "StateValue": "OK"}]}

    def put_metric_alarm(self, **arguments: Any) -> None:
        self.put.append(arguments)


def alarm_of(cloud: Cloud) -> ErrorAlarm | None:
    return ErrorAlarm.of(lambda _: cloud, cluster="c", service="s")


def test_the_alarm_has_its_own_periods_again_whatever_comes() -> None:
    cloud = Cloud("prod-e-backend-unhealthy-hosts", "prod-e-backend-5xx")
    alarm = alarm_of(cloud)
    assert alarm is not None
    assert (alarm.name, alarm.periods) == ("prod-e-backend-5xx", 3)
    with pytest.raises(OpsError), alarm.quick():
        (quick,) = cloud.put
        assert quick["Metrics"][0] == ALARM["Metrics"][0]
        assert quick["Metrics"][1]["MetricStat"]["Period"] == PERIOD_SECONDS
        assert {**quick, "Metrics": None} == {**ALARM, "Metrics": None}
        raise OpsError("it broke")
    assert cloud.put[-1] == ALARM


@pytest.mark.parametrize(
    "cloud", [Cloud("prod-e-backend-unhealthy-hosts"), Cloud("prod-e-backend-5xx", enable=False)]
)
def test_a_service_whose_deployments_watch_no_errors_has_no_such_alarm(cloud: Cloud) -> None:
    assert alarm_of(cloud) is None


class Secrets:
    """Secrets Manager, RDS and ECS of a service with a database."""

    def __init__(self) -> None:
        self.kept = {"master": {"password": "m1"}, "own": {"password": "o1"}}

    def __call__(self, _: str) -> "Secrets":
        return self

    def describe_db_instances(self, **_: object) -> Any:
        status = {"DBInstanceStatus": "available", "MasterUserSecret": {"SecretArn": "master"}}
        return {"DBInstances": [status]}

    def describe_services(self, **_: object) -> Any:
        return {"services": [{"taskDefinition": "task:1"}]}

    def describe_task_definition(self, **_: object) -> Any:
        variables = [{"name": "PORT", "value": "1"}, {"name": "DB_SECRET_ARN", "value": "own"}]
        containers = [{"name": "sidecar"}, {"name": "app", "environment": variables}]
        return {"taskDefinition": {"containerDefinitions": containers}}

    def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803
        return {"SecretString": json.dumps(self.kept[SecretId])}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803
        self.kept[SecretId] = json.loads(SecretString)

    def rotate_secret(self, *, SecretId: str) -> None:  # noqa: N803
        assert SecretId == "master"


@pytest.mark.parametrize(
    ("after", "kept_by"),
    [
        ({"master": "m2", "own": "o2"}, None),
        ({"master": "m1", "own": "o2"}, "master"),
        ({"master": "m2", "own": ""}, "own"),
    ],
)
def test_passwords_that_are_not_others_are_told(
    after: Mapping[str, str], kept_by: str | None
) -> None:
    secrets = Secrets()
    database = ServedDatabase(
        identifier="db", is_multi_az=True, cluster="c", service="s", clients=secrets
    )
    before = database.begin_to_rotate()
    assert (before, secrets.kept["own"]) == ({"master": "m1", "own": "o1"}, {})
    secrets.kept = {name: {"password": text} for name, text in after.items()}
    if kept_by is None:
        database.expect_others(before)
        return
    with pytest.raises(OpsError, match=f"The secret {kept_by} has no other password"):
        database.expect_others(before)


class Requests:
    """A load generator whose requests have been answered."""

    def __init__(self, statuses: Mapping[int, int], broken: int = 0) -> None:
        self.statuses, self.broken = Counter(statuses), broken
        self.sent = sum(statuses.values()) + broken
        self.lost = self.sent - self.statuses[HTTPStatus.OK]

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def wait_for(self, count: int) -> None:
        pass


class Stopped:
    """ECS, and why a task ended: `s` was one too many."""

    def describe_tasks(self, *, tasks: Sequence[str], **_: object) -> Any:
        reasons = {"s": "Scaling activity initiated by (deployment 1)"}
        told = [
            {"taskArn": each, "stoppedReason": reasons.get(each, "Task failed container health")}
            for each in tasks
        ]
        return {"tasks": told}


Faults = Callable[..., tuple[Live, SimpleNamespace]]


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """A service, what its requests are answered, and its tasks before and after."""

    def make(load: Requests, *tasks: Sequence[str]) -> tuple[Live, SimpleNamespace]:
        step = SimpleNamespace(outcome="", requests=None, update=lambda _: None)
        seen = [[{"taskArn": each} for each in now] for now in tasks]
        database: Any = SimpleNamespace(is_available=lambda: True, fail_over=lambda: None)
        monkeypatch.setattr(Live, "_running", lambda _: seen.pop(0))
        monkeypatch.setattr(Live, "_names", SimpleNamespace(service="s"))
        monkeypatch.setattr(Live, "_has_notes", True)
        monkeypatch.setattr(Live, "_database", database)
        run: Any = SimpleNamespace(
            environment=SimpleNamespace(
                name="prod-e",
                names=SimpleNamespace(cluster="c"),
                services={"api": SimpleNamespace(health_path="/health", service="s")},
            ),
            step=lambda _: nullcontext(step),
            clients=lambda _: Stopped(),
            aws=SimpleNamespace(alarm_bake_seconds=0, watch_alarms_for=lambda _: None),
        )
        answer = SimpleNamespace(status=HTTPStatus.OK)
        door: Any = SimpleNamespace(load=lambda _: load, get=lambda _: answer)
        versions: Any = SimpleNamespace(key="api", erring=None)
        return Live(run=run, delivery=versions, versions=versions, door=door), step

    return make


def test_a_failover_may_answer_503_and_keeps_the_tasks(faults: Faults) -> None:
    # Autoscaling may add one meanwhile, or end one.
    live, step = faults(Requests({200: 90, 503: 10}), ["a", "s"], ["a", "c"])
    asyncio.run(live.fail_over())
    assert step.outcome == "10 answers were 503, no other was lost; the 2 tasks run on"
    assert (step.requests.sent, step.requests.lost) == (100, 10)


@pytest.mark.parametrize(
    ("load", "after", "told"),
    [
        (Requests({200: 90, 503: 10}), ["a", "c"], "Tasks ended meanwhile:"),
        (Requests({200: 90, 503: 9, 502: 1}), ["a", "b"], "100 requests, 10 lost, and none may be"),
        (Requests({200: 90, 503: 9}, broken=1), ["a", "b"], "100 requests, 10 lost, and none may"),
    ],
)
def test_a_failover_that_costs_more_fails(
    faults: Faults, load: Requests, after: Sequence[str], told: str
) -> None:
    live, _ = faults(load, ["a", "b"], after)
    with pytest.raises(OpsError, match=told):
        asyncio.run(live.fail_over())


@pytest.mark.parametrize(
    ("reason", "load", "told"),
    [
        ("alarm(s) detected: prod-e-backend-5xx", Requests({200: 90, 500: 10}), None),
        ("the circuit breaker", Requests({200: 90, 500: 10}), "Not prod-e-backend-5xx had it"),
        ("alarm(s) detected: prod-e-backend-5xx", Requests({500: 9, 502: 1}), "none may be"),
    ],
)
def test_errors_are_rolled_back_by_their_alarm_and_nothing_else(
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
    load: Requests,
    told: str | None,
) -> None:
    live, step = faults(load)
    cloud = Cloud("prod-e-backend-5xx")
    monkeypatch.setattr(Live, "_see_rolled_back", AsyncMock(return_value=reason))
    monkeypatch.setattr(
        ErrorAlarm,
        "of",
        lambda *_, **__: ErrorAlarm(settings=ALARM, clients=lambda _: cloud),
    )
    if told:
        with pytest.raises(OpsError, match=told):
            asyncio.run(live.deploy_erring())
    else:
        asyncio.run(live.deploy_erring())
        assert "10 answers were 500, no other was lost" in step.outcome
        assert f"{PERIOD_SECONDS} s here" in step.outcome
    assert cloud.put[-1] == ALARM
