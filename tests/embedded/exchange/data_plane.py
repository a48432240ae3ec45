"""A data plane of which each report is a test's."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from embedded_aws import EmbeddedAws
from tests.embedded.control_plane.clients import Service

HEALTHY = {"state": "healthy", "reason": None, "description": None}
UNHEALTHY = {
    "state": "unhealthy",
    "reason": "Target.ResponseCodeMismatch",
    "description": "Health checks failed with these codes: [500]",
}
UNUSED = {"state": "unused", "reason": "Target.NotRegistered", "description": "-"}
NOTHING: dict[str, Any] = {
    "tasks": {},
    "targets": {},
    "listeners": {},
    "requests": {},
    "databases": {"instances": {}, "snapshots": []},
}


def container(**changes: object) -> dict[str, object]:
    return {
        "status": "RUNNING",
        "health": "UNKNOWN",
        "exit_code": None,
        "reason": None,
        "image_digest": "sha256:1",
        "runtime_id": "process-1",
        **changes,
    }


def task_report(status: str, **changes: object) -> dict[str, object]:
    return {
        "status": status,
        "stop_code": None,
        "reason": None,
        "health": "UNKNOWN",
        "containers": {"app": container(status=status)},
        **changes,
    }


class DataPlane:
    """Everything that is desired happens between two reports, unless a test says otherwise."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.url = f"{aws.endpoint_url}/_embedded/exchange"

    def post(self, **report: Any) -> dict[str, Any]:
        body = json.dumps({**NOTHING, **report}).encode()
        with urllib.request.urlopen(self.url, data=body, timeout=60) as answer:
            desired: dict[str, Any] = json.load(answer)
        return desired

    def tasks(self) -> Mapping[str, Mapping[str, Any]]:
        tasks: Mapping[str, Mapping[str, Any]] = self.post()["tasks"]
        return tasks

    def step(
        self,
        *,
        target: Mapping[str, object] = HEALTHY,
        task: Callable[[Mapping[str, Any]], Mapping[str, object]] | None = None,
    ) -> Mapping[str, Mapping[str, Any]]:
        """What is desired happens; `target`: what targets are found. `task`: what tasks become."""
        desired = self.post()
        registrations = [
            each for group in desired["target_groups"].values() for each in group["registrations"]
        ]
        tasks: Mapping[str, Mapping[str, Any]] = self.post(
            tasks={
                arn: task(each) if task else task_report(each["desired"])
                for arn, each in desired["tasks"].items()
            },
            targets={
                each["id"]: UNUSED if each["is_draining"] else target for each in registrations
            },
        )["tasks"]
        return tasks


def messages(service: Service) -> list[str]:
    """The events, the first one first, without the names of what they are about."""
    return [
        " ".join(word for word in event["message"].split() if "/" not in word and "-" not in word)
        for event in reversed(service.describe()["events"])
    ]
