"""In which order a task's containers start and stop: `dependsOn`.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
`startTimeout`: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from embedded_aws.data_plane.runtimes.runtime import StartError
from embedded_aws.protocol import Definition


class State(Protocol):
    """What is known of a container. `runs_seconds`: since it was started; 0 before."""

    @property
    def definition(self) -> Definition: ...

    status: str
    health: str
    exit_code: int | None

    @property
    def runs_seconds(self) -> float: ...


def start_order(definitions: Iterable[Definition]) -> list[str]:
    """The containers' names, each after those that it depends on; raises `StartError` for a circle.

    Those that depend on nothing keep their order.
    """
    left = {definition["name"]: _depends_on(definition) for definition in definitions}
    found: list[str] = []
    while left:
        ready = next((name for name, needed in left.items() if not needed & set(left)), None)
        if ready is None:
            raise StartError(f"The containers {', '.join(left)} depend on one another")
        found.append(ready)
        del left[ready]
    return found


def stop_waves(definitions: Iterable[Definition]) -> list[set[str]]:
    """The containers' names: each wave may stop when those before it have."""
    left = {definition["name"]: _depends_on(definition) for definition in definitions}
    found: list[set[str]] = []
    while left:
        wave = set(left) - set().union(*left.values())
        found.append(wave or set(left))
        left = {name: needed for name, needed in left.items() if name not in found[-1]}
    return found


def may_start(definition: Definition, states: Mapping[str, State]) -> bool:
    """Whether what a container waits for has come; raises `StartError` if it cannot come any more.

    `states`: of all containers of the task, by name.
    """
    met = True
    for dependency in definition.get("dependsOn") or ():
        name, condition = dependency["containerName"], dependency["condition"]
        state = states[name]
        has_ended = state.status == "STOPPED"
        is_met = {
            "START": state.status != "PENDING",
            "COMPLETE": has_ended,
            "SUCCESS": has_ended and state.exit_code == 0,
            "HEALTHY": state.status == "RUNNING" and state.health == "HEALTHY",
        }[condition]
        if not is_met and (has_ended or state.health == "UNHEALTHY"):
            raise StartError(
                f"Container {definition['name']} was not started: container {name} did not reach"
                f" the condition {condition}"
            )
        # Of the one that is waited for, from its own start on; without it there is no limit.
        limit = state.definition.get("startTimeout")
        if not is_met and limit and state.runs_seconds > limit:
            raise StartError(
                f"Container {definition['name']} was not started: container {name} did not reach"
                f" the condition {condition} within its start timeout of {limit} seconds"
            )
        met = met and is_met
    return met


def _depends_on(definition: Definition) -> set[str]:
    return {each["containerName"] for each in definition.get("dependsOn") or ()}
