"""A deployment is followed to its end, and one that did not succeed says why and what to do."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.errors import DeploymentFailed, DeploymentNotBegun, DeploymentTooSlow, OpsError
from prod_e_ops.service import follow as module
from prod_e_ops.service.follow import (
    follow_deployment,
    newest_deployment,
    verify_service,
    verify_services,
)
from prod_e_ops.service.model import Deployment, Event, ServiceStatus
from tests.support.project.demo_run import Screen
from tests.support.service_status import NOW, UNDER_WAY

DONE = replace(UNDER_WAY.deployment, status="SUCCESSFUL", finished_at=NOW)
BROKEN = replace(UNDER_WAY.deployment, status="ROLLBACK_SUCCESSFUL", reason="it never answered")
ENVIRONMENT: Any = SimpleNamespace(name="tiny-e", services={"api": None, "jobs": None})


class Ecs:
    """Services with deployments. `statuses`, of each: one after the other, the last one stays."""

    def __init__(self) -> None:
        self.statuses: dict[str, list[ServiceStatus]] = {
            key: [replace(UNDER_WAY, deployment=DONE, service=f"tiny-e-{key}")]
            for key in ENVIRONMENT.services
        }
        self.history: list[Sequence[Deployment]] = [[DONE]]
        self.after: list[datetime | None] = []
        self.follows: str | None = "latest"
        self.reasons: Sequence[str] = ("app: exit code 1",)

    def says(self, *deployments: Deployment, key: str = "api", **more: Any) -> None:
        service = f"tiny-e-{key}"
        self.statuses[key] = [
            replace(UNDER_WAY, deployment=each, service=service, **more) for each in deployments
        ]

    def deployments(self, environment: object, key: str) -> Any:
        async def status() -> ServiceStatus:
            statuses = self.statuses[key]
            return statuses.pop(0) if len(statuses) > 1 else statuses[0]

        async def history(*, after: datetime | None = None) -> Sequence[Deployment]:
            self.after.append(after)
            return self.history.pop(0) if len(self.history) > 1 else self.history[0]

        return SimpleNamespace(
            environment=environment,
            key=key,
            names=SimpleNamespace(service=f"tiny-e-{key}"),
            settings=SimpleNamespace(image_tag=SimpleNamespace(follows=self.follows)),
            status=status,
            history=history,
        )


@pytest.fixture
def ecs(monkeypatch: pytest.MonkeyPatch) -> Ecs:
    found = Ecs()

    async def explain(deployments: Any, deployment: Deployment) -> Sequence[str]:
        assert deployments.key in ENVIRONMENT.services
        return found.reasons

    monkeypatch.setattr(module, "Deployments", found.deployments)
    monkeypatch.setattr(module, "explain", explain)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.001)
    return found


class Terminal(Screen):
    """A terminal that keeps its last step."""

    def step(self, title: str) -> Any:
        self.shown: Any = super().step(title)
        return self.shown


def follow(terminal: Screen, **options: Any) -> Deployment:
    given: dict[str, Any] = {"since": None, **options}
    any_terminal: Any = terminal
    return asyncio.run(follow_deployment(ENVIRONMENT, "api", terminal=any_terminal, **given))


def test_a_deployment_is_shown_until_it_has_succeeded(ecs: Ecs) -> None:
    ecs.says(UNDER_WAY.deployment, UNDER_WAY.deployment, DONE)
    terminal = Terminal()
    assert follow(terminal) == DONE
    assert terminal.lines == ["Deploy tiny-e-api"]
    assert terminal.shown.updates == [UNDER_WAY.progress] * 2
    assert terminal.shown.outcome == "2 of 2 tasks run tiny-e-api:2"


def test_what_ecs_says_of_it_is_told_once_and_in_order_and_nothing_older(ecs: Ecs) -> None:
    events = tuple(
        Event(id=str(seconds), at=NOW + timedelta(seconds=seconds), message=f"after {seconds}")
        for seconds in (2, 0, -1, -2)
    )
    ecs.statuses["api"] = [
        replace(UNDER_WAY, events=events[1:]),
        replace(UNDER_WAY, events=events),
        replace(UNDER_WAY, events=events, deployment=DONE),
    ]
    terminal = Terminal()
    follow(terminal)
    assert [line.partition("after ")[2] for line in terminal.lines[1:]] == ["-1", "0", "2"]
    assert all(line.startswith("  12:30:") for line in terminal.lines[1:])


def test_one_that_another_has_followed_is_followed_to_its_own_end(ecs: Ecs) -> None:
    another = replace(DONE, id="d2")
    ecs.says(UNDER_WAY.deployment, another)
    ecs.history = [[another, UNDER_WAY.deployment], [another, DONE]]
    assert follow(Terminal()) == DONE
    assert ecs.after == [NOW - timedelta(seconds=1)] * 2


def test_one_that_ecs_no_longer_keeps_is_waited_for_no_longer_than_patience_lasts(
    ecs: Ecs,
) -> None:
    ecs.says(UNDER_WAY.deployment, replace(DONE, id="d2"))
    ecs.history = [[]]
    with pytest.raises(DeploymentTooSlow) as slow:
        follow(Terminal(), patience=0.01)
    assert "The deployment of tiny-e-api is still under way after 0 minutes" in slow.value.message


def test_one_that_takes_too_long_says_how_it_is_and_how_to_watch_it(ecs: Ecs) -> None:
    ecs.says(UNDER_WAY.deployment)
    with pytest.raises(DeploymentTooSlow) as slow:
        follow(Terminal(), patience=0.01)
    assert slow.value.message == (
        f"The deployment of tiny-e-api is still under way after 0 minutes: {UNDER_WAY.progress}."
    )
    assert slow.value.details == ("app: exit code 1",)
    assert "status api -e tiny-e --wait" in str(slow.value.next_step)


def test_a_push_is_followed_by_the_deployment_that_begins_after_it(ecs: Ecs) -> None:
    begun = replace(DONE, id="d2", created_at=NOW + timedelta(seconds=5))
    before = replace(DONE, id="d0")
    ecs.history = [[before], [begun, before]]
    ecs.says(begun)
    terminal = Terminal()
    assert follow(terminal, since=NOW) == begun
    assert ecs.after == [NOW, NOW]
    assert terminal.shown.updates[:2] == ["waiting for the deployment to begin"] * 2


def test_a_push_that_no_deployment_follows_is_told_with_the_way_on(ecs: Ecs) -> None:
    with pytest.raises(DeploymentNotBegun) as missing:
        follow(Terminal(), since=NOW, begins_within=0.4)
    assert missing.value.message == "No deployment of tiny-e-api began within 0 seconds."
    assert "The service runs what it ran before." in missing.value.details[0]
    assert "plan tiny-e" in missing.value.details[0]
    assert "redeploy" in str(missing.value.next_step)


@pytest.mark.parametrize(
    ("status", "told", "hint"),
    [
        ("ROLLBACK_SUCCESSFUL", "ECS rolled the deployment of tiny-e-api back", "push a repaired"),
        ("ROLLBACK_FAILED", "failed, and ECS could not roll it back", "Nothing may be running"),
        ("FAILED", "The deployment of tiny-e-api failed", "Go back with"),
    ],
)
@pytest.mark.parametrize("reason", ["", "it never answered"])
def test_one_that_fails_says_why_and_how_to_go_back(
    ecs: Ecs, status: str, told: str, hint: str, reason: str
) -> None:
    ecs.says(UNDER_WAY.deployment, replace(BROKEN, status=status, reason=reason))
    terminal = Terminal()
    with pytest.raises(DeploymentFailed) as failed:
        follow(terminal)
    assert failed.value.message.endswith(f"{told}{f': {reason}' if reason else '.'}")
    assert failed.value.details == ("app: exit code 1",)
    assert hint in str(failed.value.next_step)
    assert "rollback" in str(failed.value.next_step)
    assert terminal.shown.outcome == replace(BROKEN, status=status).state


@pytest.mark.parametrize(
    ("follows", "left"),
    [("latest", "the tag latest still names what failed"), (None, "the settings still pin what")],
)
def test_what_was_rolled_back_is_still_what_the_next_deployment_runs(
    ecs: Ecs, follows: str | None, left: str
) -> None:
    ecs.follows = follows
    ecs.reasons = ()
    ecs.says(BROKEN)
    with pytest.raises(DeploymentFailed) as failed:
        follow(Terminal())
    assert left in str(failed.value.next_step)
    assert failed.value.details == ("ECS no longer keeps its stopped tasks, which would say why.",)


@pytest.mark.parametrize("reasons", [(), ("app: exit code 1",)])
def test_the_first_one_has_nothing_to_go_back_to(ecs: Ecs, reasons: Sequence[str]) -> None:
    ecs.reasons = reasons
    ecs.history = [[BROKEN]]
    ecs.says(BROKEN)
    with pytest.raises(DeploymentFailed) as failed:
        follow(Terminal())
    assert failed.value.message == "The first deployment of tiny-e-api failed: it never answered"
    assert len(failed.value.details) == 1
    assert "There is nothing to go back to" in str(failed.value.next_step)
    assert "push" in str(failed.value.next_step)
    assert "rollback" not in str(failed.value.next_step)


def test_one_that_was_stopped_leads_to_the_one_in_its_place(ecs: Ecs) -> None:
    ecs.says(replace(BROKEN, status="STOPPED"))
    with pytest.raises(DeploymentFailed) as failed:
        follow(Terminal())
    assert "was stopped before it was complete: it never answered" in failed.value.message
    assert failed.value.details == ("app: exit code 1",)
    assert "Another one may have taken its place" in str(failed.value.next_step)
    assert "--wait" in str(failed.value.next_step)


def test_whoever_goes_away_is_told_that_ecs_goes_on(ecs: Ecs) -> None:
    ecs.says(UNDER_WAY.deployment)
    terminal: Any = Terminal()

    async def leave() -> None:
        async with asyncio.timeout(0.01):
            await follow_deployment(ENVIRONMENT, "api", since=None, terminal=terminal)

    with pytest.raises(TimeoutError):
        asyncio.run(leave())
    assert terminal.lines[-1].startswith("ECS goes on with the deployment. Watch it with `")


def test_the_newest_deployment_is_that_of_the_status(ecs: Ecs) -> None:
    ecs.says(BROKEN)
    assert asyncio.run(newest_deployment(ENVIRONMENT, "api")) == BROKEN


def verify(terminal: Terminal, **options: Any) -> None:
    any_terminal: Any = terminal
    asyncio.run(verify_services(ENVIRONMENT, any_terminal, **options))


def test_all_services_are_verified_in_one_step(ecs: Ecs) -> None:
    terminal = Terminal()
    verify(terminal)
    assert terminal.lines == ["Verify the services"]
    assert terminal.shown.outcome == "tiny-e-api runs 2 of 2 tasks, tiny-e-jobs runs 2 of 2 tasks"


def test_a_deployment_that_is_under_way_is_followed_before_it_counts(ecs: Ecs) -> None:
    ecs.says(UNDER_WAY.deployment, UNDER_WAY.deployment, DONE, key="jobs")
    terminal = Terminal()
    verify(terminal)
    assert terminal.lines == ["Verify the services", "Deploy tiny-e-jobs"]


def test_each_service_that_failed_is_told_and_the_last_one_fails_the_command(ecs: Ecs) -> None:
    for key in ENVIRONMENT.services:
        ecs.says(BROKEN, key=key)
    terminal = Terminal()
    with pytest.raises(DeploymentFailed, match="tiny-e-jobs"):
        verify(terminal)
    (shown,) = [line for line in terminal.lines if line.startswith("error: ")]
    assert "tiny-e-api" in shown


def test_a_service_that_was_pushed_is_followed_from_its_push_and_not_looked_at_twice(
    ecs: Ecs,
) -> None:
    ecs.says(BROKEN)
    terminal = Terminal()
    with pytest.raises(OpsError, match="No deployment of tiny-e-api began within 0 seconds"):
        verify(terminal, pushed={"api": NOW}, begins_within=0.01)
    assert terminal.lines == ["Deploy tiny-e-api", "Verify the services"]


@pytest.mark.parametrize(
    ("digest", "is_it"), [("sha256:1", True), (None, True), ("sha256:2", False)]
)
def test_a_service_runs_the_image_that_was_pushed(
    ecs: Ecs, digest: str | None, is_it: bool
) -> None:
    ecs.says(replace(DONE, revision=replace(DONE.revision, digest=digest)))
    verified = verify_service(
        ENVIRONMENT,
        "api",
        digests={"sha256:0", "sha256:1"},
        terminal=Terminal(),  # type: ignore[arg-type]
    )
    if is_it:
        asyncio.run(verified)
        return
    with pytest.raises(DeploymentNotBegun, match="runs sha256:2, which is another im") as other:
        asyncio.run(verified)
    assert "redeploy" in str(other.value.next_step)
