"""When a target of the embedded AWS's load balancer is healthy, and which one a request gets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from embedded_aws import protocol
from embedded_aws.data_plane.load_balancer import targets as targets_module
from embedded_aws.data_plane.load_balancer.targets import Target, TargetGroup

ADDRESS = ("10.0.0.9", 3000)
CHECK = {
    "enabled": True,
    "port": "traffic-port",
    "path": "/health",
    "matcher": "200,204-206",
    "interval_seconds": 0,
    "timeout_seconds": 2,
    "healthy_threshold": 2,
    "unhealthy_threshold": 3,
}
MISMATCH = "Target.ResponseCodeMismatch"


class Session:
    """Answers health checks one after the other, with a status or an error, and then ends them."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @asynccontextmanager
    async def get(self, url: str, **options: Any) -> AsyncIterator[SimpleNamespace]:
        if not self.answers:
            raise asyncio.CancelledError
        self.asked.append((url, options))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        yield SimpleNamespace(status=answer)


def desired(**given: Any) -> protocol.TargetGroup:
    values: Any = {
        "arn": "arn:group",
        "name": "group",
        "protocol": "HTTP",
        "attributes": {},
        "health_check": CHECK,
        "registrations": [],
        **given,
    }
    group: protocol.TargetGroup = values
    return group


def group(*answers: int | Exception, **check: Any) -> TargetGroup:
    session: Any = Session(*answers)
    made = TargetGroup(session, lambda task, port: ADDRESS if task == "up" else None)
    made.desired = desired(health_check={**CHECK, **check})
    return made


def target(task: str | None = "up", **given: Any) -> Target:
    return Target(registration={"task_arn": task, "port": 3000, "target_id": "10.0.0.9"}, **given)


def why_unhealthy(of: TargetGroup, checked: Target | None = None) -> Any:
    return asyncio.run(of._why_unhealthy(checked or target(), of.desired["health_check"]))


@pytest.mark.parametrize("status", [200, 204, 205, 206])
def test_an_answer_that_the_matcher_names_is_healthy(status: int) -> None:
    assert why_unhealthy(group(status)) is None


@pytest.mark.parametrize("status", [199, 201, 203, 207, 302, 500])
def test_any_other_answer_is_told_with_its_code(status: int) -> None:
    told = (MISMATCH, f"Health checks failed with these codes: [{status}]")
    assert why_unhealthy(group(status)) == told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TimeoutError(), ("Target.Timeout", "Request timed out")),
        (aiohttp.ClientError(), ("Target.FailedHealthChecks", "Health checks failed")),
        (ConnectionRefusedError(), ("Target.FailedHealthChecks", "Health checks failed")),
    ],
)
def test_no_answer_says_why(error: Exception, told: tuple[str, str]) -> None:
    assert why_unhealthy(group(error)) == told


def test_a_task_that_does_not_run_is_not_asked() -> None:
    of = group()
    told = ("Target.FailedHealthChecks", "Health checks failed")
    assert why_unhealthy(of, target("gone")) == told


@pytest.mark.parametrize(("port", "asked"), [("traffic-port", 3000), (None, 3000), ("8081", 8081)])
def test_a_health_check_asks_as_elb_does(port: str | None, asked: int) -> None:
    of = group(200, port=port)
    why_unhealthy(of)
    session: Any = of._session
    ((url, options),) = session.asked
    assert url == f"http://10.0.0.9:{asked}/health"
    assert options == {
        "headers": {"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"},
        "timeout": aiohttp.ClientTimeout(total=2),
        "allow_redirects": False,
    }


def states(*answers: int, state: str, monkeypatch: pytest.MonkeyPatch, **check: Any) -> list[str]:
    """The states of a target after each answer."""
    monkeypatch.setattr(targets_module, "_FIRST_SECONDS", 0)
    of, checked, seen = group(*answers, **check), target(state=state), list[str]()
    ask = of._why_unhealthy

    async def watched(*given: Any) -> Any:
        seen.append(checked.state)
        return await ask(*given)

    monkeypatch.setattr(of, "_why_unhealthy", watched)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(of._check(checked))
    return seen[1:]


@pytest.mark.parametrize(
    ("before", "answers", "after"),
    [
        # A new target needs to pass once, and to fail as often as any.
        ("initial", (200,), ["healthy"]),
        ("initial", (500, 500, 500), ["initial", "initial", "unhealthy"]),
        ("initial", (500, 200), ["initial", "healthy"]),
        ("healthy", (500, 500, 500), ["healthy", "healthy", "unhealthy"]),
        ("healthy", (500, 500, 200, 500, 500), ["healthy"] * 5),
        ("unhealthy", (200, 200), ["unhealthy", "healthy"]),
        ("unhealthy", (200, 500, 200), ["unhealthy"] * 3),
    ],
)
def test_a_target_changes_its_state_by_the_thresholds(
    monkeypatch: pytest.MonkeyPatch, before: str, answers: tuple[int, ...], after: list[str]
) -> None:
    assert states(*answers, state=before, monkeypatch=monkeypatch) == after


def test_failures_of_a_new_target_count_no_more_often_than_with_the_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = states(*[500] * 9, state="initial", monkeypatch=monkeypatch, interval_seconds=3600)
    assert found == ["initial"] * 9


def test_without_health_checks_a_target_is_healthy() -> None:
    of, checked = group(enabled=False), target()
    asyncio.run(of._check(checked))
    assert checked.as_json() == {"state": "healthy", "reason": None, "description": None}


def test_requests_go_round_the_healthy_targets_and_to_all_where_none_is() -> None:
    of = group()
    one, two, gone = target(state="healthy"), target(state="healthy"), target("gone")
    draining = target(state="healthy", draining_since=1.0)
    of.targets = {"1": one, "2": two, "3": target(state="unhealthy"), "4": gone, "5": draining}
    chosen = [of.choose() for _ in range(4)]
    assert chosen[0] is chosen[2]
    assert chosen[1] is chosen[3]
    assert {id(each) for each in chosen} == {id(one), id(two)}
    one.state = two.state = "unhealthy"
    assert len({id(of.choose()) for _ in range(3)}) == 3
    of.targets = {"4": gone, "5": draining}
    assert of.choose() is None


def test_the_target_with_the_fewest_requests_is_chosen_where_that_is_the_algorithm() -> None:
    of = group()
    algorithm = {"load_balancing.algorithm.type": "least_outstanding_requests"}
    of.desired = desired(attributes=algorithm)
    idle = target(state="healthy", in_flight=1)
    of.targets = {"1": target(state="healthy", in_flight=2), "2": idle}
    assert [of.choose() for _ in range(3)] == [idle] * 3


@pytest.mark.parametrize(
    ("id", "address"),
    [("127.0.0.1", ("127.0.0.1", 80)), ("::1", ("::1", 80)), ("10.0.0.1", None), ("i-1", None)],
)
def test_a_target_that_is_no_task_is_on_this_machine_or_nowhere(
    id: str, address: tuple[str, int] | None
) -> None:
    registered = Target(registration={"task_arn": None, "target_id": id, "port": "80"})
    assert group().address(registered) == address


@pytest.mark.parametrize(
    ("in_flight", "delay", "state", "is_cut"),
    [
        (1, "300", "draining", False),
        (0, "300", "unused", False),
        (1, "0", "unused", True),
    ],
)
def test_a_target_drains_until_it_is_idle_or_its_delay_is_over(
    in_flight: int, delay: str, state: str, is_cut: bool
) -> None:
    of = group()
    registration = {"id": "1", "is_draining": True, "task_arn": "up", "port": 3000}
    of.targets["1"] = draining = target(state="healthy", in_flight=in_flight)
    attributes = {"deregistration_delay.timeout_seconds": delay}
    of.follow(desired(registrations=[registration], attributes=attributes), is_used=True)
    assert draining.state == state
    assert draining.cut.is_set() is is_cut
    assert draining.draining_since is not None
    reason = {"draining": "Target.DeregistrationInProgress", "unused": "Target.NotRegistered"}
    assert draining.reason == reason[state]


def test_a_group_that_no_listener_leads_to_is_unused_and_a_target_that_is_gone_is_cut() -> None:
    of = group()
    registration = {"id": "1", "is_draining": False, "task_arn": "up", "port": 3000}
    of.follow(desired(registrations=[registration]), is_used=False)
    assert of.targets["1"].as_json() == {
        "state": "unused",
        "reason": "Target.NotInUse",
        "description": "Target group is not configured to receive traffic",
    }
    left = of.targets["1"]
    of.follow(desired(), is_used=False)
    assert not of.targets
    assert left.cut.is_set()
