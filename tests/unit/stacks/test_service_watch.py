"""Services that ECS has given up are noticed while Terraform still waits for them."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.errors import AwsFailed, DeploymentFailed, OpsError
from prod_e_ops.service.model import Event as ServiceEvent
from prod_e_ops.service.model import ServiceStatus
from prod_e_ops.stacks import apply as apply_module
from prod_e_ops.stacks import service_watch
from prod_e_ops.stacks.apply import apply_plan
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.service_watch import ServiceWatch, keep_services, watched_services
from prod_e_ops.terraform.output.events import Event
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from prod_e_ops.terraform.states.state import StateResource
from tests.support.project.prepared_world import (
    PlannedTerraform,
    change,
    prepared_in,
    screen_of,
)
from tests.support.service_status import UNDER_WAY

SERVICE = "aws_ecs_service.api"
LOAD_BALANCER = "aws_lb.a"
NEW = UNDER_WAY.deployment


def status(name: str, *, id: str = "d2", events: Sequence[ServiceEvent] = ()) -> ServiceStatus:
    deployment = replace(NEW, id=id, status=name)
    return replace(UNDER_WAY, deployment=deployment, events=tuple(events))


BEFORE = status("SUCCESSFUL", id="d1")
"""What ECS has before Terraform changes anything."""


@dataclass
class Ecs:
    """What ECS tells of a service, look by look; the last one stays. None: it is not there."""

    looks: list[ServiceStatus | OpsError | None] = field(default_factory=list)

    async def exists(self) -> bool:
        return self.looks[0] is not None

    async def status(self) -> ServiceStatus:
        now = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(now, OpsError):
            raise now
        assert now is not None
        return now


def began(address: str, kind: str = "apply_start") -> Event:
    return Event(stack="tiny-e", kind=kind, address=address, message="", action="create")


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_watch, "_POLL_SECONDS", 0.001)


def watch_of(ecs: Ecs) -> tuple[ServiceWatch, list[str], list[str]]:
    said: list[str] = []
    shown: list[str] = []
    services: Any = {SERVICE: ecs}
    return ServiceWatch(services, say=said.append, show=shown.append), said, shown


def followed(watch: ServiceWatch, *, until: Callable[[], bool] | None = None) -> None:
    """Follows until it stops by itself, or until something has come, and then a little longer."""

    async def follow() -> None:
        following = asyncio.ensure_future(watch.follow())
        async with asyncio.timeout(60):
            if until is None:
                await following
                return
            while not until():
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
        assert not following.done()
        following.cancel()

    asyncio.run(follow())


@pytest.mark.parametrize("name", ["FAILED", "ROLLBACK_FAILED", "STOPPED"])
def test_terraform_is_stopped_once_it_waits_for_nothing_else(name: str) -> None:
    watch, said, shown = watch_of(Ecs([BEFORE, status("IN_PROGRESS"), status(name)]))
    watch.note(began(SERVICE))
    followed(watch)
    assert watch.stop.is_set()
    assert watch.failed[SERVICE].status == name
    assert said == ["  ECS has given up on tiny-e-api: it starts no more tasks of it."]
    assert shown
    assert shown[0].startswith("tiny-e-api: ")


def test_terraform_is_not_stopped_while_it_does_something_else() -> None:
    watch, _, _ = watch_of(Ecs([BEFORE, status("FAILED")]))
    watch.note(began(SERVICE))
    watch.note(began(LOAD_BALANCER))
    followed(watch, until=lambda: SERVICE in watch.failed)
    assert not watch.stop.is_set()


def test_a_rollback_that_succeeded_ends_terraforms_wait_by_itself() -> None:
    watch, said, _ = watch_of(Ecs([BEFORE, status("ROLLBACK_SUCCESSFUL")]))
    watch.note(began(SERVICE))
    followed(watch, until=lambda: SERVICE in watch.failed)
    assert not watch.stop.is_set()
    assert said == []


def looks_of(watch: ServiceWatch) -> Sequence[Collection[str] | None]:
    """What it will look at, look by look."""
    looked: list[Collection[str] | None] = []
    look = watch.look

    async def counted(addresses: Collection[str] | None = None) -> None:
        looked.append(addresses)
        await look(addresses)

    watch.look = counted  # type: ignore[method-assign]
    return looked


def test_what_may_begin_a_moment_after_a_failure_has_the_time_of_one_more_look() -> None:
    watch, _, _ = watch_of(Ecs([BEFORE, status("FAILED")]))
    watch.note(began(SERVICE))
    looked = looks_of(watch)
    followed(watch)
    assert looked == [{SERVICE}, {SERVICE}]


def test_the_deployment_before_is_none_of_this_ones() -> None:
    failed_before = status("FAILED", id="d1")
    ecs = Ecs([failed_before, failed_before])
    watch, said, shown = watch_of(ecs)
    watch.note(began(SERVICE))
    looked = looks_of(watch)
    followed(watch, until=lambda: len(looked) > 3)
    assert (watch.failed, said, shown) == ({}, [], [])


def test_a_service_is_looked_at_only_while_terraform_works_on_it() -> None:
    watch, _, shown = watch_of(Ecs([BEFORE, status("IN_PROGRESS")]))
    watch.note(began(SERVICE))
    watch.note(began(SERVICE, "apply_complete"))

    async def follow() -> None:
        following = asyncio.ensure_future(watch.follow())
        await asyncio.sleep(0.05)
        following.cancel()

    asyncio.run(follow())
    assert shown == []
    # In the end all of them are.
    asyncio.run(watch.look())
    assert len(shown) == 1


def event(id: str, at: datetime, message: str) -> ServiceEvent:
    return ServiceEvent(id=id, at=at, message=message)


def test_each_new_event_is_told_once_the_oldest_first() -> None:
    at = NEW.created_at
    events = [
        event("3", at + timedelta(seconds=5), "(service tiny-e-api) has begun"),
        # Their times are whole seconds in places.
        event("2", at - timedelta(seconds=0.9), "at the same time"),
        event("1", at - timedelta(seconds=1.1), "before"),
    ]
    watch, said, _ = watch_of(Ecs([status("IN_PROGRESS", events=events)]))
    asyncio.run(watch.look())
    asyncio.run(watch.look())
    assert [line.split(maxsplit=1)[1] for line in said] == ["at the same time", "has begun"]


@pytest.mark.parametrize("now", [None, AwsFailed("AccessDenied")])
def test_what_aws_refuses_or_lacks_is_terraforms_to_tell(now: OpsError | None) -> None:
    watch, said, shown = watch_of(Ecs([now]))
    asyncio.run(watch.look())
    assert (watch.failed, said, shown) == ({}, [], [])


def test_services_that_a_plan_makes_or_changes_are_watched(tmp_path: Path) -> None:
    prepared = prepared_in(tmp_path, PlannedTerraform(), "tiny-e")
    summary = PlanSummary(
        created=(change("aws_ecs_service.a", name="tiny-e-backend"), change("aws_lb.a")),
        changed=(change("aws_ecs_service.another", name="another-e-backend"),),
        destroyed=(change("aws_ecs_service.b", name="tiny-e-backend"),),
    )
    plan = StackPlan(stack=prepared.stacks[0], summary=summary)
    (found,) = watched_services(prepared, plan).items()
    assert (found[0], found[1].key) == ("aws_ecs_service.a", "backend")


class Keeping(PlannedTerraform):
    async def untaint(self, _: object, address: str) -> None:
        self.done.append(f"untaint {address}")


@pytest.mark.parametrize(
    ("summary", "kept"),
    [
        (PlanSummary(created=(change(SERVICE), change(LOAD_BALANCER))), [f"untaint {SERVICE}"]),
        # What was changed was steady before.
        (PlanSummary(changed=(change(SERVICE),), created=(change(LOAD_BALANCER),)), []),
    ],
)
def test_a_service_that_terraform_did_not_see_steady_is_not_made_anew(
    tmp_path: Path, summary: PlanSummary, kept: Sequence[str]
) -> None:
    tainted = [
        StateResource(address=address, values={}, is_tainted=True)
        for address in (SERVICE, LOAD_BALANCER)
    ]
    terraform = Keeping(state={"tiny-e": tainted})
    prepared = prepared_in(tmp_path, terraform, "tiny-e")
    plan = StackPlan(stack=prepared.stacks[0], summary=summary)
    asyncio.run(keep_services(prepared, plan))
    assert terraform.done == kept


def test_why_ecs_gave_up_is_told_in_place_of_terraforms_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = PlanSummary(created=(change(SERVICE, name="tiny-e-backend"),))
    terraform = Keeping(
        plans={"tiny-e": [summary]},
        ends={"tiny-e": [OpsError("Terraform failed."), OpsError("Terraform failed.")]},
        says=[began(SERVICE)],
    )
    prepared = prepared_in(tmp_path, terraform, "tiny-e")
    plan = StackPlan(stack=prepared.stacks[0], summary=summary)
    ecs = Ecs([BEFORE, status("FAILED")])
    services: Any = {SERVICE: ecs}
    monkeypatch.setattr(apply_module, "watched_services", lambda *_: services)

    async def failure(service: object, deployment: Any) -> OpsError:
        assert (service, deployment.status) == (ecs, "FAILED")
        return DeploymentFailed("The task exits with 1.")

    monkeypatch.setattr(apply_module, "failure", failure)
    monkeypatch.setattr(service_watch, "_POLL_SECONDS", 60)
    with pytest.raises(DeploymentFailed, match="exits with 1"):
        asyncio.run(apply_plan(prepared, plan, agree=nobody))
    # Another error is Terraform's own.
    ecs.looks[:] = [status("IN_PROGRESS")]
    with pytest.raises(OpsError, match="Terraform failed"):
        asyncio.run(apply_plan(prepared, plan, agree=nobody))


class Waiting(Keeping):
    """Waits for a service, until it is told to stop."""

    async def apply(self, stack: object, **given: Any) -> None:
        assert given["change_count"] == 1
        for event in self.says:
            given["on_event"](event)
        async with asyncio.timeout(30):
            await given["stop"].wait()
        raise OpsError("Terraform was stopped.")


async def nobody(_: object) -> None:
    pytest.fail("nothing is planned anew")


def test_terraform_waits_no_longer_than_ecs_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepared_in(tmp_path, Waiting(says=[began(SERVICE)]), "tiny-e")
    services: Any = {SERVICE: Ecs([BEFORE, status("FAILED")])}
    monkeypatch.setattr(apply_module, "watched_services", lambda *_: services)

    async def failure(*_: object) -> OpsError:
        return DeploymentFailed("The task exits with 1.")

    monkeypatch.setattr(apply_module, "failure", failure)
    summary = PlanSummary(created=(change(SERVICE, name="tiny-e-backend"),))
    plan = StackPlan(stack=prepared.stacks[0], summary=summary)
    with pytest.raises(DeploymentFailed):
        asyncio.run(apply_plan(prepared, plan, agree=nobody))


def test_services_are_looked_at_no_more_once_terraform_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepared_in(tmp_path, PlannedTerraform(), "tiny-e")
    services: Any = {SERVICE: Ecs([BEFORE])}
    monkeypatch.setattr(apply_module, "watched_services", lambda *_: services)
    plan = StackPlan(stack=prepared.stacks[0], summary=PlanSummary(created=(change(SERVICE),)))

    async def apply() -> int:
        await apply_plan(prepared, plan, agree=nobody)
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert asyncio.run(apply()) == 1


@pytest.mark.parametrize(
    ("ends", "at_once", "is_kept"),
    [
        (OpsError("Terraform failed."), False, True),
        (asyncio.CancelledError(), False, True),
        # There is no time for that.
        (asyncio.CancelledError(), True, False),
    ],
)
def test_a_service_that_is_there_is_kept_however_terraform_ends(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: BaseException,
    at_once: bool,
    is_kept: bool,
) -> None:
    tainted = [StateResource(address=SERVICE, values={}, is_tainted=True)]
    terraform = Keeping(state={"tiny-e": tainted}, ends={"tiny-e": [ends]})
    prepared = prepared_in(tmp_path, terraform, "tiny-e", stopped_at_once=at_once)
    monkeypatch.setattr(apply_module, "watched_services", lambda *_: {})
    plan = StackPlan(stack=prepared.stacks[0], summary=PlanSummary(created=(change(SERVICE),)))
    with pytest.raises(type(ends)):
        asyncio.run(apply_plan(prepared, plan, agree=nobody))
    assert terraform.done == ["fail tiny-e", *[f"untaint {SERVICE}"] * is_kept]


def test_a_step_counts_the_changes_that_are_made(tmp_path: Path) -> None:
    summary = PlanSummary(created=(change(LOAD_BALANCER), change("aws_vpc.a")))
    says = [began(LOAD_BALANCER), began(LOAD_BALANCER, "apply_complete")]
    terraform = PlannedTerraform(says=says)
    prepared = prepared_in(tmp_path, terraform, "tiny-e")

    for destroy in (False, True):
        plan = StackPlan(stack=prepared.stacks[0], summary=summary, destroy=destroy)
        asyncio.run(apply_plan(prepared, plan, agree=nobody))
    steps = screen_of(prepared).steps
    assert [(each.title, each.outcome) for each in steps] == [
        ("Deploy tiny-e", "1 change"),
        ("Destroy tiny-e", "1 change"),
    ]
    assert steps[0].updates == ["0 of 2: create aws_lb.a"]
