"""A service under load while all that happens in production happens, at random from a seed.

Deployments, roll-backs, kills, rotations of passwords, failovers of the database, scaling and stops
follow one another, some of them amid a deployment. Exit status 1: a request was lost where none may
be, or a plane of the embedded AWS grows.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.plane_memory import MOST_GROWTH_MIB, Memory, Plane

from embedded_aws import EmbeddedAws
from embedded_aws.load import Load
from tests.embedded.backend_world import BACKEND_RUNS, LOGIN, is_available, serving_backend
from tests.embedded.world import World, eventually

CLIENTS = 8
PAUSE_SECONDS = 0.05
FEWEST, MOST = 2, 4
"""Tasks."""

LONG_SECONDS = 300.0

NO_ANSWER = "no answer"
ROLLED_BACK = "which was rolled back"


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Requests that had another answer than 200, by their status, or none."""

    by_cause: Mapping[str, int]

    @classmethod
    def of(cls, load: Load) -> "Losses":
        counted = {
            str(status): count
            for status, count in dict(load.statuses).items()
            if status != HTTPStatus.OK
        }
        return cls(by_cause={**counted, NO_ANSWER: load.broken})

    def since(self, before: "Losses") -> "Losses":
        left = Counter(dict(self.by_cause))
        left.subtract(dict(before.by_cause))
        return Losses(by_cause={cause: count for cause, count in left.items() if count})


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One thing that was done. `lost`: meanwhile. `excess`: how many of these may not be."""

    what: str
    seconds: float
    sent: int
    lost: Mapping[str, int]
    excess: int


class Soak:
    """What may happen to a service; each method returns once the service is steady again.

    It raises `AssertionError` if that comes otherwise.
    """

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.broken = world.define(
            containerDefinitions=[
                world.container(entryPoint=["node"], command=["-e", "process.exit(1)"])
            ]
        )
        self.good = world.service()["taskDefinition"]

    def deploy(self) -> None:
        self._begin_to_deploy()
        self._until("SUCCESSFUL")

    def roll_back(self) -> None:
        self.world.update(taskDefinition=self.broken)
        self._until("ROLLBACK_SUCCESSFUL")
        self._until_steady()
        if self.world.service()["taskDefinition"] != self.good:
            raise AssertionError("the service was not rolled back")

    def kill(self) -> None:
        """Ends a task at once, as a machine does that fails."""
        pids = sorted(self.world.task_pids())
        victim = self.chance.choice(pids)
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        eventually("it is gone", lambda: victim not in self.world.task_pids(), seconds=LONG_SECONDS)
        self._until_steady()

    def stop(self) -> None:
        """Stops a task as ECS does before it retires one."""
        task = self.chance.choice(self.world.tasks())["taskArn"]
        self.world.ecs.stop_task(cluster=self.world.name, task=task)
        eventually(
            "it is gone",
            lambda: task not in {each["taskArn"] for each in self.world.tasks()},
            seconds=LONG_SECONDS,
        )
        self._until_steady()

    def rotate(self) -> None:
        """Changes the master user's password; the service changes its own every few seconds."""
        (database,) = self.world.client("rds").describe_db_instances()["DBInstances"]
        master = database["MasterUserSecret"]["SecretArn"]
        before = [self._password(master), self._password(LOGIN)]
        self.world.client("secretsmanager").rotate_secret(SecretId=master)
        eventually(
            "both are others",
            lambda: self._password(master) != before[0] and self._password(LOGIN) != before[1],
            seconds=LONG_SECONDS,
        )

    def fail_over(self) -> None:
        was_deploying, pids = self._is_deploying(), self.world.task_pids()
        self.world.client("rds").reboot_db_instance(
            DBInstanceIdentifier="notes", ForceFailover=True
        )
        eventually("it is away", lambda: self._asked() != HTTPStatus.OK, seconds=LONG_SECONDS)
        eventually(
            "it is back",
            lambda: is_available(self.world) and self._asked() == HTTPStatus.OK,
            seconds=LONG_SECONDS,
        )
        # A deployment replaces them, also one that has ended meanwhile.
        is_steady = not (was_deploying or self._is_deploying())
        if is_steady and self.world.task_pids() != pids:
            raise AssertionError("a failover replaced tasks")

    def scale_out(self) -> None:
        self._scale(min(MOST, self._desired + 1))

    def scale_in(self) -> None:
        self._scale(max(FEWEST, self._desired - 1))

    def amid_deployment(self, act: Callable[[], str | None]) -> str | None:
        """What happens to tasks that start may fail a deployment, and costs no request."""
        self._begin_to_deploy()
        time.sleep(self.chance.uniform(0, 3))
        act()
        ended = self._until("SUCCESSFUL", "ROLLBACK_SUCCESSFUL")
        return ROLLED_BACK if ended != "SUCCESSFUL" else None

    def _begin_to_deploy(self) -> None:
        self.world.update(taskDefinition=self.good, forceNewDeployment=True)

    def _scale(self, desired: int) -> None:
        self.world.update(desiredCount=desired)
        self._until_steady()

    @property
    def _desired(self) -> int:
        return int(self.world.service()["desiredCount"])

    def _asked(self) -> int:
        return self.world.get("/notes")[0]

    def _password(self, secret: str) -> str:
        text = self.world.client("secretsmanager").get_secret_value(SecretId=secret)
        return str(json.loads(text["SecretString"])["password"])

    def _is_deploying(self) -> bool:
        return bool(self.world.deployment()["status"] == "IN_PROGRESS")

    def _until(self, *statuses: str) -> str:
        def has_ended() -> str | None:
            found = str(self.world.deployment()["status"])
            return None if found.endswith("IN_PROGRESS") else found

        ended: str = eventually("it has ended", has_ended, seconds=LONG_SECONDS)
        if ended not in statuses:
            raise AssertionError(f"the deployment is {ended}:\n{self.world.events()}")
        self._until_steady()
        return ended

    def _until_steady(self) -> None:
        eventually("it is steady", self._is_steady, seconds=LONG_SECONDS)

    def _is_steady(self) -> bool:
        healthy = self.world.health().count("healthy")
        return self.world.is_steady() and healthy == self._desired


@dataclass(frozen=True, kw_only=True)
class Event:
    """`act`: may return what else is to be said of it. `weight`: how often it comes.

    It may cost `most` requests, and any number that had one of the `answers`.
    """

    act: Callable[[], str | None]
    weight: int
    answers: frozenset[str] = frozenset()
    most: int = 0


def events_of(soak: Soak) -> Mapping[str, Event]:
    away = frozenset({str(int(HTTPStatus.SERVICE_UNAVAILABLE))})
    alone = {
        "deployment": Event(act=soak.deploy, weight=3),
        "roll-back of a version that crashes": Event(act=soak.roll_back, weight=2),
        "rotation": Event(act=soak.rotate, weight=3),
        "scale-out": Event(act=soak.scale_out, weight=3),
        "scale-in": Event(act=soak.scale_in, weight=3),
        "stop of a task": Event(act=soak.stop, weight=2),
        # Each client waits for one answer at most.
        "kill of a task": Event(act=soak.kill, weight=3, most=CLIENTS),
        "failover": Event(act=soak.fail_over, weight=2, answers=away),
    }

    def amid(event: Event) -> Event:
        return Event(
            act=lambda: soak.amid_deployment(event.act),
            weight=1,
            answers=event.answers,
            most=event.most,
        )

    return {
        **alone,
        **{
            f"{name} amid a deployment": amid(alone[name])
            for name in ("rotation", "kill of a task", "failover")
        },
    }


def excess(event: Event, lost: Mapping[str, int]) -> int:
    counted = sum(count for cause, count in lost.items() if cause not in event.answers)
    return max(0, counted - event.most)


def soak(world: World, *, seed: int, seconds: float) -> tuple[list[Happened], Load]:
    """Lets things happen for a while."""
    chance = random.Random(seed)
    events = events_of(Soak(world, chance))
    names, weights = list(events), [event.weight for event in events.values()]
    happened: list[Happened] = []
    end = time.monotonic() + seconds
    with Load(url=f"{world.url()}/notes", clients=CLIENTS, pause_seconds=PAUSE_SECONDS) as load:
        load.wait_for(CLIENTS)
        while time.monotonic() < end:
            (name,) = chance.choices(names, weights)
            began, before, sent = time.monotonic(), Losses.of(load), load.sent
            print(f"  {name} ...", file=sys.stderr)
            note = events[name].act()
            load.wait_for(2 * CLIENTS)
            lost = Losses.of(load).since(before).by_cause
            happened.append(
                Happened(
                    what=f"{name}, {note}" if note else name,
                    seconds=round(time.monotonic() - began, 1),
                    sent=load.sent - sent,
                    lost=lost,
                    excess=excess(events[name], lost),
                )
            )
            last = happened[-1]
            print(f"{last.seconds:6.1f} s  {last.what}: {shown(lost)}", file=sys.stderr)
            time.sleep(chance.uniform(0, 2))
    return happened, load


def shown(lost: Mapping[str, int]) -> str:
    return ", ".join(f"{count} lost: {cause}" for cause, count in sorted(lost.items())) or "0 lost"


def table(happened: Sequence[Happened]) -> Iterator[str]:
    yield f"{'WHAT':58} {'TIMES':>5} {'SENT':>7}  LOST"
    for name in sorted({each.what for each in happened}):
        these = [each for each in happened if each.what == name]
        lost: Counter[str] = sum((Counter(dict(each.lost)) for each in these), Counter())
        yield f"{name:58} {len(these):5} {sum(e.sent for e in these):7}  {shown(lost)}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    with EmbeddedAws(data_plane=BACKEND_RUNS) as aws:
        # Not a line for each request, which would be most of what the control plane does.
        world = serving_backend(aws, log_level="warn")
        memory = Memory(aws=aws)
        with memory.measured():
            happened, load = soak(world, seed=given.seed, seconds=60 * given.minutes)
        world.remove()
    planes = [Plane.of(plane, samples) for plane, samples in memory.samples.items()]
    percentiles = statistics.quantiles(load.seconds, n=100)
    latency = {
        name: round(1_000 * seconds, 1)
        for name, seconds in (
            ("p50", percentiles[49]),
            ("p95", percentiles[94]),
            ("p99", percentiles[98]),
            ("longest", max(load.seconds)),
        )
    }
    failures = [
        *(f"{e.what}: {e.excess} of {shown(e.lost)} may not be" for e in happened if e.excess),
        *(
            f"the {p.plane} grows by {p.growth} MiB a minute, and {MOST_GROWTH_MIB} may be"
            for p in planes
            if p.growth > MOST_GROWTH_MIB
        ),
    ]
    if given.json:
        result = {
            "seed": given.seed,
            "minutes": given.minutes,
            "happened": [asdict(each) for each in happened],
            "milliseconds": latency,
            "memory": [asdict(each) for each in planes],
            "failures": failures,
        }
        print(json.dumps(result, indent=2))
    else:
        print(f"Seed {given.seed}, {given.minutes:g} minutes, {load.sent} requests.\n")
        print(*table(happened), sep="\n")
        print("\nMilliseconds: " + ", ".join(f"{name} {ms}" for name, ms in latency.items()))
        for each in planes:
            print(
                f"Memory of the {each.plane}: {each.first_mib} MiB at first, {each.last_mib} in the"
                f" end, {each.growth:+} a minute after the first third"
                f" ({MOST_GROWTH_MIB} may be)"
            )
        print(*failures or ["It passed."], sep="\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
