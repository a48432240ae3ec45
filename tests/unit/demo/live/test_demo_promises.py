"""What AWS is asked for once all is there, and what is lifted before all is destroyed."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.demo import promises as promises_module
from prod_e_ops.demo.checks import Check
from prod_e_ops.demo.infrastructure.let_go import let_go
from prod_e_ops.demo.promises import keep_promises
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError
from tests.support.project.demo_run import last_step, run_of, said_in

FOLLOWS = "[services.backend]\n"


class Checks:
    """AWS holds what was promised from some look on."""

    def __init__(self, kept_from: int) -> None:
        self.looks = 0
        self._kept_from = kept_from

    def __call__(self, *_: object) -> Sequence[Check]:
        self.looks += 1
        found = 2 if self.looks >= self._kept_from else 1
        return [
            Check(promise="Two tasks run", expected=2, found=found),
            Check(promise="It is encrypted", expected=True, found=True),
        ]


@pytest.fixture
def waits_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promises_module, "_POLL_SECONDS", 0.001)

    async def for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(promises_module, "until_one_fails", for_ever)


def test_promises_may_be_kept_a_moment_later_and_each_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits_shortly: None
) -> None:
    checks = Checks(kept_from=3)
    monkeypatch.setattr(promises_module, "check_environment", checks)
    run = run_of(tmp_path, FOLLOWS)
    asyncio.run(keep_promises(run))
    assert checks.looks == 3
    assert said_in(run)[1:] == ["  ✓ Two tasks run", "  ✓ It is encrypted"]
    assert last_step(run).result == "2 promises are kept"


def test_a_promise_that_stays_broken_fails_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits_shortly: None
) -> None:
    monkeypatch.setattr(promises_module, "_HEALTHY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(promises_module, "check_environment", Checks(kept_from=1_000_000))
    run = run_of(tmp_path, FOLLOWS)
    with pytest.raises(OpsError, match="AWS does not hold what was deployed") as error:
        asyncio.run(keep_promises(run))
    assert error.value.details == ("✗ Two tasks run: expected 2, found 1",)


def test_a_task_that_cannot_start_is_told_before_the_promise_that_it_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits_shortly: None
) -> None:
    async def fails(_: Run, delivered: asyncio.Event) -> None:
        assert delivered.is_set()
        raise OpsError("it exited with 1")

    monkeypatch.setattr(promises_module, "until_one_fails", fails)
    monkeypatch.setattr(promises_module, "check_environment", Checks(kept_from=1_000_000))
    with pytest.raises(OpsError, match="it exited with 1"):
        asyncio.run(keep_promises(run_of(tmp_path, FOLLOWS)))


class NotFound(Exception):
    """There is no such thing."""


class Held:
    """An AWS with a protected database and load balancer, access logs and images.

    `empty`: it has none of it.
    """

    exceptions = SimpleNamespace(
        DBInstanceNotFoundFault=NotFound,
        LoadBalancerNotFoundException=NotFound,
        RepositoryNotFoundException=NotFound,
    )

    def __init__(self, *, empty: bool = False, logs: str = "logs") -> None:
        self.changed: list[tuple[str, Mapping[str, Any]]] = []
        self._is_empty = empty
        self._logs = logs

    def __call__(self, _: str) -> "Held":
        return self

    def _found(self) -> None:
        if self._is_empty:
            raise NotFound

    def modify_db_instance(self, **call: Any) -> None:
        self._found()
        self.changed.append(("database", call))

    def describe_load_balancers(self, *, Names: list[str]) -> Any:  # noqa: N803
        assert Names == ["tiny-e-alb"]
        self._found()
        return {"LoadBalancers": [{"LoadBalancerArn": "arn:alb"}]}

    def describe_load_balancer_attributes(self, *, LoadBalancerArn: str) -> Any:  # noqa: N803
        assert LoadBalancerArn == "arn:alb"
        bucket = [{"Key": "access_logs.s3.bucket", "Value": self._logs}]
        return {"Attributes": [{"Key": "idle_timeout.timeout_seconds", "Value": "60"}, *bucket]}

    def modify_load_balancer_attributes(self, **call: Any) -> None:
        self.changed.append(("load balancer", call))

    def get_paginator(self, call: str) -> "Held":
        assert call == "list_object_versions"
        return self

    def paginate(self, *, Bucket: str) -> Any:  # noqa: N803
        assert Bucket == "logs"
        old = {"Key": "a", "VersionId": "1"}
        marker = {"Key": "a", "VersionId": "2"}
        return [{"Versions": [old]}, {"DeleteMarkers": [marker]}, {}]

    def delete_object(self, **call: Any) -> None:
        self.changed.append(("object", call))

    def list_images(self, *, repositoryName: str) -> Any:  # noqa: N803
        assert repositoryName == "tiny-e-backend"
        self._found()
        tags = [("sha256:b", "latest"), ("sha256:b", "v1"), ("sha256:a", "v0")]
        return {"imageIds": [{"imageDigest": digest, "imageTag": tag} for digest, tag in tags]}

    def batch_delete_image(self, **call: Any) -> None:
        self.changed.append(("images", call))


def test_what_keeps_an_environment_from_being_destroyed_is_lifted(tmp_path: Path) -> None:
    held = Held()
    let_go(run_of(tmp_path, "[services.backend]\n[database]\n").environment, held)
    off = ("deletion_protection.enabled", "access_logs.s3.enabled")
    assert held.changed == [
        (
            "database",
            {
                "DBInstanceIdentifier": "tiny-e-database",
                "DeletionProtection": False,
                "ApplyImmediately": True,
            },
        ),
        (
            "load balancer",
            {
                "LoadBalancerArn": "arn:alb",
                "Attributes": [{"Key": key, "Value": "false"} for key in off],
            },
        ),
        ("object", {"Bucket": "logs", "Key": "a", "VersionId": "1"}),
        ("object", {"Bucket": "logs", "Key": "a", "VersionId": "2"}),
        (
            "images",
            {
                "repositoryName": "tiny-e-backend",
                "imageIds": [{"imageDigest": "sha256:a"}, {"imageDigest": "sha256:b"}],
            },
        ),
    ]


def test_nothing_is_lifted_of_what_is_not_there(tmp_path: Path) -> None:
    environment = run_of(tmp_path, "[services.backend]\n[database]\n").environment
    held = Held(empty=True)
    let_go(environment, held)
    assert held.changed == []
    without_logs = Held(logs="")
    let_go(run_of(tmp_path, FOLLOWS).environment, without_logs)
    assert [what for what, _ in without_logs.changed] == ["load balancer", "images"]
