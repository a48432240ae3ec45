"""Terraform goes on once what it waits for is there, or gone."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.demo.infrastructure import past_waits as module
from prod_e_ops.demo.infrastructure.past_waits import PastWaits
from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.output.events import Event, ignore
from prod_e_ops.terraform.states.state import StateResource

LOAD_BALANCER = "aws_lb.alb"
STACK = {
    "aws_lb": {
        "alb": {
            "name": "tiny-e-alb",
            "idle_timeout": 75,
            "enable_deletion_protection": True,
            "access_logs": {"enabled": True, "bucket": "${aws_s3_bucket.logs.bucket}"},
        }
    },
    "aws_s3_bucket": {
        "logs": {"bucket": "tiny-e-logs-${data.aws_caller_identity.caller.account_id}-us-west-2"}
    },
    "aws_db_instance": {"database": {"identifier": "tiny-e-database"}},
    "aws_ecs_cluster": {"cluster": {"name": "tiny-e-cluster"}},
    "aws_ecs_cluster_capacity_providers": {
        "providers": {
            "cluster_name": "${aws_ecs_cluster.cluster.name}",
            "capacity_providers": ["FARGATE", "FARGATE_SPOT"],
        }
    },
}
DATABASE = "aws_db_instance.database"
CAPACITY_PROVIDERS = "aws_ecs_cluster_capacity_providers.providers"


class WaitingTerraform:
    """Its first application waits until it is stopped; `breaks`: it fails. `ends`: it does not."""

    logs = None

    def __init__(self, *, breaks: bool = False, ends: bool = False) -> None:
        self.breaks = breaks
        self.ends = ends
        self.done: list[str] = []

    async def apply_at_once(
        self,
        stack: Stack,
        *,
        variables: Mapping[str, str],
        on_event: Callable[[Event], None],
        destroy: bool = False,
        stop: asyncio.Event | None = None,
    ) -> None:
        assert variables == {"network": "host"}
        if stop is None:
            self.done.append("destroyed the rest" if destroy else "applied")
            return
        await self._wait(stop, on_event, LOAD_BALANCER, CAPACITY_PROVIDERS)

    async def apply(
        self, stack: Stack, *, on_event: Callable[[Event], None], stop: asyncio.Event
    ) -> None:
        self.done.append("began to destroy")
        await self._wait(stop, on_event, DATABASE)

    async def _wait(
        self, stop: asyncio.Event, on_event: Callable[[Event], None], *addresses: str
    ) -> None:
        for address in addresses:
            on_event(Event(stack="tiny-e", kind="apply_start", address=address, message=""))
        if self.ends:
            return
        if not self.breaks:
            async with asyncio.timeout(60):
                await stop.wait()
            self.done.append("stopped")
        raise OpsError("Terraform failed.")

    async def resources(self, stack: Stack) -> list[StateResource]:
        return [
            StateResource(address=LOAD_BALANCER, values={}, is_tainted=True),
            StateResource(address=CAPACITY_PROVIDERS, values={}, is_tainted=False),
            # By a mistake of its own: it is to be made anew.
            StateResource(address="aws_sns_topic.alarms", values={}, is_tainted=True),
        ]

    async def untaint(self, stack: Stack, address: str) -> None:
        self.done.append(f"untainted {address}")


class Made:
    """An AWS that has the load balancer, and no database, from the second time it is asked on."""

    exceptions = SimpleNamespace(
        LoadBalancerNotFoundException=KeyError, DBInstanceNotFoundFault=KeyError
    )

    def __init__(self) -> None:
        self.asked = 0
        self.attributes: dict[str, str] = {}

    def describe_load_balancers(self, *, Names: list[str]) -> dict[str, Any]:  # noqa: N803
        self.asked += 1
        if self.asked == 1 or Names != ["tiny-e-alb"]:
            raise KeyError(Names)
        return {"LoadBalancers": [{"LoadBalancerArn": "arn:alb"}]}

    def describe_db_instances(self, *, DBInstanceIdentifier: str) -> dict[str, Any]:  # noqa: N803
        self.asked += 1
        if self.asked > 1 and DBInstanceIdentifier == "tiny-e-database":
            raise KeyError(DBInstanceIdentifier)
        return {"DBInstances": [{"DBInstanceStatus": "deleting"}]}

    def modify_load_balancer_attributes(
        self,
        *,
        LoadBalancerArn: str,  # noqa: N803
        Attributes: list[dict[str, str]],  # noqa: N803
    ) -> None:
        assert LoadBalancerArn == "arn:alb"
        self.attributes |= {each["Key"]: each["Value"] for each in Attributes}

    def describe_clusters(self, *, clusters: list[str]) -> dict[str, Any]:
        assert clusters == ["tiny-e-cluster"]
        return {"clusters": [{"capacityProviders": ["FARGATE_SPOT", "FARGATE"]}]}

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": "other-logs"}, {"Name": "tiny-e-logs-123-us-west-2"}]}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(module, "_ANSWERED_SECONDS", 0.1)


def past_waits(
    folder: Path, terraform: WaitingTerraform, aws: Made, *, state: Mapping[str, Any] | None = None
) -> PastWaits:
    """Of a stack with this state on this machine; None: it is elsewhere."""
    stack = Stack("tiny-e", folder)
    backend = "local" if state else "s3"
    stack.json_file.write_text(
        json.dumps({"terraform": {"backend": {backend: {}}}, "resource": STACK})
    )
    if state:
        (folder / "terraform.tfstate").write_text(json.dumps(state))
    return PastWaits(
        terraform=terraform,  # type: ignore[arg-type]
        stack=stack,
        variables={"network": "host"},
        clients=lambda _: aws,
    )


def test_terraform_goes_on_once_what_it_waits_for_is_there(tmp_path: Path) -> None:
    terraform, aws = WaitingTerraform(), Made()
    events: list[Event] = []
    asyncio.run(past_waits(tmp_path, terraform, aws).apply(events.append))
    assert terraform.done == ["stopped", f"untainted {LOAD_BALANCER}", "applied"]
    assert aws.asked > 1
    assert aws.attributes == {
        "deletion_protection.enabled": "true",
        "idle_timeout.timeout_seconds": "75",
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": "tiny-e-logs-123-us-west-2",
    }
    assert [event.address for event in events] == [LOAD_BALANCER, CAPACITY_PROVIDERS]


def test_a_state_on_this_machine_keeps_what_was_waited_for_without_terraform(
    tmp_path: Path,
) -> None:
    terraform = WaitingTerraform()
    balancer = {"mode": "managed", "type": "aws_lb", "name": "alb"}
    unfinished = {"attributes": {}, "status": "tainted"}
    state = {"serial": 1, "resources": [{**balancer, "instances": [unfinished]}]}
    asyncio.run(past_waits(tmp_path, terraform, Made(), state=state).apply(ignore))
    assert terraform.done == ["stopped", "applied"]
    assert json.loads((tmp_path / "terraform.tfstate").read_text()) == {
        "serial": 2,
        "resources": [{**balancer, "instances": [{"attributes": {}}]}],
    }


def test_a_terraform_that_fails_by_itself_is_not_run_again(tmp_path: Path) -> None:
    terraform = WaitingTerraform(breaks=True)
    with pytest.raises(OpsError, match="Terraform failed"):
        asyncio.run(past_waits(tmp_path, terraform, Made()).apply(ignore))
    assert terraform.done == []


def test_terraform_destroys_the_rest_once_the_database_is_gone(tmp_path: Path) -> None:
    terraform, aws = WaitingTerraform(), Made()
    unseen = asyncio.run(past_waits(tmp_path, terraform, aws).destroy(ignore))
    assert terraform.done == ["began to destroy", "stopped", "destroyed the rest"]
    assert aws.asked > 1
    # Terraform never tells that it is destroyed.
    assert unseen == 1


def test_a_destruction_without_waits_is_one_run_of_terraforms(tmp_path: Path) -> None:
    terraform = WaitingTerraform(ends=True)
    assert asyncio.run(past_waits(tmp_path, terraform, Made()).destroy(ignore)) == 0
    assert terraform.done == ["began to destroy"]


def test_nobody_is_asked_before_the_provider_has_its_answer_or_while_nothing_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 100.0)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(module, "_ANSWERED_SECONDS", 1.0)
    aws = Made()
    asked: list[int] = []

    class Patient(WaitingTerraform):
        async def apply_at_once(self, stack: Stack, **options: Any) -> None:
            if options.get("stop") is None:
                return await super().apply_at_once(stack, **options)
            clock.monotonic = lambda: 200.0
            await asyncio.sleep(0.02)
            asked.append(aws.asked)
            clock.monotonic = lambda: 300.0
            working = asyncio.ensure_future(super().apply_at_once(stack, **options))
            await asyncio.sleep(0)
            clock.monotonic = lambda: 300.9
            await asyncio.sleep(0.02)
            asked.append(aws.asked)
            clock.monotonic = lambda: 301.0
            return await working

    asyncio.run(past_waits(tmp_path, Patient(), aws).apply(lambda _: None))
    assert asked == [0, 0]
    assert aws.asked > 1
