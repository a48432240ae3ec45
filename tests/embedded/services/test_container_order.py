"""A task's containers start in the order of `dependsOn`, and stop in the reverse."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from embedded_aws.data_plane.runtimes.runtime import StartError
from embedded_aws.data_plane.tasks.container_order import may_start, start_order, stop_waves
from tests.embedded.world import World, eventually

SAYS = "console.log('{name} starts');"
STAYS = "process.on('SIGTERM', () => {{ console.log('{name} stops'); process.exit(0); }});"
WAITS = "setInterval(() => {{}}, 1000);"


@dataclass
class State:
    status: str = "PENDING"
    health: str = "UNKNOWN"
    exit_code: int | None = None
    runs_seconds: float = 0.0
    definition: Any = field(default_factory=dict)


def definition(name: str, **conditions: str) -> Any:
    depends = [{"containerName": n, "condition": c} for n, c in conditions.items()]
    return {"name": name, "dependsOn": depends}


def test_containers_start_after_those_that_they_depend_on() -> None:
    given = [
        definition("app", proxy="HEALTHY", migration="SUCCESS"),
        definition("proxy", migration="START"),
        definition("migration"),
        definition("logger"),
    ]
    assert start_order(given) == ["migration", "proxy", "app", "logger"]
    assert stop_waves(given) == [{"app", "logger"}, {"proxy"}, {"migration"}]


def test_containers_that_depend_on_one_another_are_refused() -> None:
    with pytest.raises(StartError, match="a, b depend on one another"):
        start_order([definition("a", b="START"), definition("b", a="START")])


@pytest.mark.parametrize(
    ("condition", "state", "may"),
    [
        ("START", State(), False),
        ("START", State("RUNNING"), True),
        ("START", State("STOPPED", exit_code=0), True),
        ("COMPLETE", State("RUNNING"), False),
        ("COMPLETE", State("STOPPED", exit_code=3), True),
        ("SUCCESS", State("RUNNING"), False),
        ("SUCCESS", State("STOPPED", exit_code=0), True),
        ("HEALTHY", State("RUNNING"), False),
        ("HEALTHY", State("RUNNING", "HEALTHY"), True),
    ],
)
def test_a_container_starts_when_its_condition_is_met(
    condition: str, state: State, may: bool
) -> None:
    assert may_start(definition("app", other=condition), {"other": state}) is may


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ("SUCCESS", State("STOPPED", exit_code=1)),
        ("HEALTHY", State("STOPPED", exit_code=0)),
        ("HEALTHY", State("RUNNING", "UNHEALTHY")),
    ],
)
def test_a_condition_that_cannot_be_met_any_more_is_told(condition: str, state: State) -> None:
    with pytest.raises(StartError, match=f"other did not reach the condition {condition}"):
        may_start(definition("app", other=condition), {"other": state})


@pytest.mark.parametrize("condition", ["COMPLETE", "SUCCESS", "HEALTHY"])
def test_a_condition_that_does_not_come_in_time_is_told(condition: str) -> None:
    late = State("RUNNING", runs_seconds=2.1, definition={"startTimeout": 2})
    given = definition("app", other=condition)
    with pytest.raises(StartError, match=f"condition {condition} within its start timeout of 2 s"):
        may_start(given, {"other": late})
    for early in (
        State("RUNNING", runs_seconds=1.9, definition={"startTimeout": 2}),
        State("RUNNING", runs_seconds=500),
    ):
        assert may_start(given, {"other": early}) is False


def container(world: World, name: str, script: str, **arguments: Any) -> dict[str, Any]:
    """A container of a script, in which `{name}` is its name."""
    command = ["node", "-e", script.format(name=name)]
    return world.container(
        **{"name": name, "command": command, "portMappings": [], "environment": [], **arguments}
    )


def run(world: World, *containers: dict[str, Any]) -> str:
    definition = world.define(containerDefinitions=list(containers))
    task: str = world.ecs.run_task(
        cluster=world.name,
        taskDefinition=definition,
        launchType="FARGATE",
        networkConfiguration=world.network,
    )["tasks"][0]["taskArn"]
    return task


def status(world: World, task: str) -> str:
    (found,) = world.ecs.describe_tasks(cluster=world.name, tasks=[task])["tasks"]
    return str(found["lastStatus"])


def said(world: World) -> list[str]:
    events = world.logs.filter_log_events(logGroupName=f"/ecs/{world.name}")["events"]
    return [event["message"] for event in sorted(events, key=lambda e: e["timestamp"])]


def test_a_task_starts_and_stops_its_containers_in_order(world: World) -> None:
    migrates = SAYS + "setTimeout(() => console.log('{name} is done'), 500);"
    serves = SAYS + STAYS + WAITS
    task = run(
        world,
        container(
            world,
            "app",
            serves,
            dependsOn=[
                {"containerName": "migration", "condition": "SUCCESS"},
                {"containerName": "proxy", "condition": "HEALTHY"},
            ],
        ),
        container(
            world,
            "proxy",
            serves,
            healthCheck={"command": ["CMD", "node", "-e", "0"], "interval": 5, "retries": 2},
        ),
        container(world, "migration", migrates, essential=False),
    )
    eventually("the task runs", lambda: status(world, task) == "RUNNING")
    eventually("the app has started", lambda: "app starts" in said(world))
    world.ecs.stop_task(cluster=world.name, task=task)
    eventually("all of it has stopped", lambda: status(world, task) == "STOPPED")
    lines = eventually(
        "it is in the log", lambda: (found := said(world)) and len(found) == 6 and found
    )
    assert lines.index("migration is done") < lines.index("app starts")
    assert lines.index("proxy starts") < lines.index("app starts")
    assert lines[-2:] == ["app stops", "proxy stops"]


def test_a_task_whose_migration_fails_does_not_start(world: World) -> None:
    task = run(
        world,
        container(
            world,
            "app",
            SAYS + WAITS,
            dependsOn=[{"containerName": "migration", "condition": "SUCCESS"}],
        ),
        container(world, "migration", "process.exit(1)", essential=False),
    )
    eventually("it has stopped", lambda: status(world, task) == "STOPPED")
    (found,) = world.ecs.describe_tasks(cluster=world.name, tasks=[task])["tasks"]
    assert found["stopCode"] == "TaskFailedToStart"
    assert "migration did not reach the condition SUCCESS" in found["stoppedReason"]
    assert "app starts" not in said(world)


def test_a_task_whose_migration_takes_longer_than_its_start_timeout_does_not_start(
    world: World,
) -> None:
    depends = [{"containerName": "migration", "condition": "SUCCESS"}]
    task = run(
        world,
        container(world, "app", SAYS + WAITS, dependsOn=depends),
        container(world, "migration", WAITS, essential=False, startTimeout=2),
    )
    eventually("it has stopped", lambda: status(world, task) == "STOPPED")
    (found,) = world.ecs.describe_tasks(cluster=world.name, tasks=[task])["tasks"]
    assert found["stopCode"] == "TaskFailedToStart"
    assert "within its start timeout of 2 seconds" in found["stoppedReason"]
    assert "app starts" not in said(world)
