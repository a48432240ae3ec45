"""Targets: where they are, whether they are healthy, and when they have drained.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from embedded_aws import protocol
from embedded_aws.protocol import TargetCheck, TargetReport

Address = tuple[str, int]
AddressOfTask = Callable[[str, int], Address | None]

_FIRST_SECONDS = 0.25
"""A target that was never healthy is checked this often, so that nobody waits for an interval;
what fails then counts no more often than with the interval."""


@dataclass(kw_only=True)
class Target:
    """A registration, as the load balancer sees it. `asked`: when its draining began."""

    registration: Mapping[str, Any]
    state: str = "initial"
    reason: str | None = "Elb.RegistrationInProgress"
    description: str | None = "Target registration is in progress"
    in_flight: int = 0
    draining_since: float | None = None
    checker: "asyncio.Task[None] | None" = None
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, state: str, reason: str | None = None, description: str | None = None) -> None:
        """Sets what DescribeTargetHealth says."""
        self.state, self.reason, self.description = state, reason, description

    def as_json(self) -> TargetReport:
        """For the report."""
        return {"state": self.state, "reason": self.reason, "description": self.description}


class TargetGroup:
    """A target group and its targets."""

    def __init__(self, session: aiohttp.ClientSession, address_of_task: AddressOfTask) -> None:
        self.desired: protocol.TargetGroup
        self.targets: dict[str, Target] = {}
        self._session = session
        self._address_of_task = address_of_task
        self._turn = 0

    def follow(self, desired: protocol.TargetGroup, *, is_used: bool) -> None:
        """Follows what is desired. `is_used`: whether a listener leads here."""
        self.desired = desired
        wanted = {each["id"]: each for each in desired["registrations"]}
        for id, registration in wanted.items():
            target = self.targets.get(id)
            if target is None:
                target = self.targets[id] = Target(registration=registration)
            target.registration = registration
            if registration["is_draining"]:
                self._drain(target)
            elif not is_used:
                target.set(
                    "unused", "Target.NotInUse", "Target group is not configured to receive traffic"
                )
            elif target.checker is None:
                target.set(
                    "initial",
                    "Elb.RegistrationInProgress",
                    "Target registration is in progress",
                )
                target.checker = asyncio.ensure_future(self._check(target))
            if not is_used and target.checker:
                target.checker.cancel()
                target.checker = None
        for id in set(self.targets) - set(wanted):
            self.close(id)

    def close(self, id: str) -> None:
        """Forgets a target."""
        target = self.targets.pop(id)
        target.cut.set()
        if target.checker:
            target.checker.cancel()

    def choose(self) -> Target | None:
        """The target of the next request; None if there is none at all.

        Where no target is healthy, all get requests: the load balancer fails open.
        """
        able = [
            target
            for target in self.targets.values()
            if target.draining_since is None and self.address(target) is not None
        ]
        able = [target for target in able if target.state == "healthy"] or able
        if not able:
            return None
        if self.desired["attributes"].get("load_balancing.algorithm.type") == (
            "least_outstanding_requests"
        ):
            return min(able, key=lambda target: target.in_flight)
        self._turn += 1
        return able[self._turn % len(able)]

    def address(self, target: Target) -> Address | None:
        """Where a target is on this machine; None while its task does not run."""
        registration = target.registration
        if registration["task_arn"]:
            return self._address_of_task(registration["task_arn"], int(registration["port"]))
        with contextlib.suppress(ValueError):
            # Nothing here leads off this machine.
            if ipaddress.ip_address(registration["target_id"]).is_loopback:
                return registration["target_id"], int(registration["port"])
        return None

    def _drain(self, target: Target) -> None:
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
        now = time.monotonic()
        if target.draining_since is None:
            target.draining_since = now
            target.set(
                "draining",
                "Target.DeregistrationInProgress",
                "Target deregistration is in progress",
            )
            if target.checker:
                target.checker.cancel()
        delay = float(self.desired["attributes"]["deregistration_delay.timeout_seconds"])
        if now - target.draining_since >= delay:
            target.cut.set()
        if target.in_flight == 0 or target.cut.is_set():
            target.set("unused", "Target.NotRegistered")

    async def _check(self, target: Target) -> None:
        passed = failed = 0
        begun = time.monotonic()
        counted = begun
        while True:
            check = self.desired["health_check"]
            if not check["enabled"]:
                target.set("healthy")
                return
            reason = await self._why_unhealthy(target, check)
            now = time.monotonic()
            if reason is None:
                passed, failed = passed + 1, 0
                # A new target needs to pass once.
                if target.state == "initial" or passed >= check["healthy_threshold"]:
                    target.set("healthy")
            elif target.state != "initial" or now - counted >= check["interval_seconds"]:
                passed, failed, counted = 0, failed + 1, now
                if target.state == "unhealthy" or failed >= check["unhealthy_threshold"]:
                    target.set("unhealthy", *reason)
            is_new = target.state == "initial"
            await asyncio.sleep(_FIRST_SECONDS if is_new else check["interval_seconds"])

    async def _why_unhealthy(self, target: Target, check: TargetCheck) -> tuple[str, str] | None:
        address = self.address(target)
        if address is None:
            return "Target.FailedHealthChecks", "Health checks failed"
        host, port = address
        if check["port"] not in (None, "traffic-port"):
            port = int(check["port"])
        try:
            async with self._session.get(
                f"http://{host}:{port}{check['path']}",
                headers={"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"},
                timeout=aiohttp.ClientTimeout(total=check["timeout_seconds"]),
                allow_redirects=False,
            ) as answer:
                if _is_matched(answer.status, check["matcher"]):
                    return None
                return (
                    "Target.ResponseCodeMismatch",
                    f"Health checks failed with these codes: [{answer.status}]",
                )
        except TimeoutError:
            return "Target.Timeout", "Request timed out"
        except (aiohttp.ClientError, OSError):
            return "Target.FailedHealthChecks", "Health checks failed"


def _is_matched(status: int, matcher: str) -> bool:
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False
