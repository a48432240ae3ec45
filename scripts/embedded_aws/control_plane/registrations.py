"""Targets of target groups, each registration with a life of its own.

An address that is registered again at once, as happens with the addresses of tasks, is another
registration: the state of the former must not become the state of the new one.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from embedded_aws.protocol import TargetReport


@dataclass(kw_only=True)
class Registration:
    """A target from its registration to the end of its draining.

    `state`, `reason` and `description` are those of DescribeTargetHealth. `task_arn`: of the task
    whose address it is; None for an address that somebody registered by hand.
    """

    group_arn: str
    target_id: str
    port: int
    task_arn: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    is_draining: bool = False
    draining_since: float = 0
    state: str = "initial"
    reason: str | None = "Elb.RegistrationInProgress"
    description: str | None = "Target registration is in progress"

    def drain(self) -> None:
        """Lets it finish what it is answering, and nothing more."""
        self.is_draining = True
        self.draining_since = time.monotonic()
        self.state = "draining"
        self.reason = "Target.DeregistrationInProgress"
        self.description = "Target deregistration is in progress"


class Registrations:
    """All registrations that have not ended."""

    def __init__(self) -> None:
        self._by_id: dict[str, Registration] = {}

    def add(self, registration: Registration) -> None:
        """Begins one."""
        self._by_id[registration.id] = registration

    def of_group(self, group_arn: str) -> list[Registration]:
        """Those of a target group, draining ones too."""
        return [each for each in self._by_id.values() if each.group_arn == group_arn]

    def of_task(self, task_arn: str) -> list[Registration]:
        """Those of a task, draining ones too."""
        return [each for each in self._by_id.values() if each.task_arn == task_arn]

    def active(self, group_arn: str, target_id: str) -> Registration | None:
        """The one of a target that does not drain."""
        for each in self.of_group(group_arn):
            if each.target_id == target_id and not each.is_draining:
                return each
        return None

    def forget_group(self, group_arn: str) -> None:
        """Ends those of a group that is deleted."""
        for each in self.of_group(group_arn):
            del self._by_id[each.id]

    def report(self, states: dict[str, TargetReport]) -> None:
        """Takes over what the load balancer says, by the ids of registrations."""
        for id, said in states.items():
            registration = self._by_id.get(id)
            if registration is None:
                continue
            if registration.is_draining:
                if said["state"] == "unused":
                    del self._by_id[id]
            elif said["state"] != "unused" or said.get("reason") == "Target.NotInUse":
                registration.state = said["state"]
                registration.reason = said.get("reason")
                registration.description = said.get("description")

    def as_json(self, group_arn: str) -> list[dict[str, Any]]:
        """Those of a group, for the load balancer."""
        return [asdict(each) for each in self.of_group(group_arn)]


registrations = Registrations()
"""Those of this server, beside moto's own state, which is the process's too."""
