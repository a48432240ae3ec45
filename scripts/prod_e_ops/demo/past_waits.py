"""Terraform without the time for which the AWS provider waits whatever AWS answers.

Its waits for a load balancer, a database and a cluster begin with a pause, of 30 seconds and more,
which is there for AWS's sake and which no setting shortens. Terraform is told to stop once nothing
else is left to do, and goes on from its state, in which what it waited for is there.

https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/elbv2/load_balancer.go
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.checks import Clients
from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.events import Event, UnderWay
from prod_e_ops.terraform.runner import PLAN_JSON_FILE, Terraform
from prod_e_ops.terraform.unfinished import keep_unfinished

_POLL_SECONDS = 0.3
_ANSWERED_SECONDS = 1.0
"""Until the provider has heard that what it asked for was made."""

_LOAD_BALANCER = "aws_lb"
_DATABASE = "aws_db_instance"
_CLUSTER = "aws_ecs_cluster"
_CAPACITY_PROVIDERS = "aws_ecs_cluster_capacity_providers"
_BUCKET_LIFECYCLE = "aws_s3_bucket_lifecycle_configuration"
_ATTRIBUTES = {
    "enable_deletion_protection": "deletion_protection.enabled",
    "idle_timeout": "idle_timeout.timeout_seconds",
    "client_keep_alive": "client_keep_alive.seconds",
    "drop_invalid_header_fields": "routing.http.drop_invalid_header_fields.enabled",
    "preserve_host_header": "routing.http.preserve_host_header.enabled",
    "enable_xff_client_port": "routing.http.xff_client_port.enabled",
    "xff_header_processing_mode": "routing.http.xff_header_processing.mode",
    "desync_mitigation_mode": "routing.http.desync_mitigation_mode",
    "enable_http2": "routing.http2.enabled",
}
"""Those that the provider sets after its first wait, by their names in Terraform.

One that is missing here costs the wait that follows its change, and nothing else.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
"""


@dataclass(kw_only=True)
class PastWaits:
    """One application of a stack's plan, past the provider's waits.

    `clients`: reach the AWS that it is applied to, an embedded one.
    """

    terraform: Terraform
    stack: Stack
    clients: Clients
    _under_way: UnderWay = field(default_factory=UnderWay)
    _waited_for: frozenset[str] = frozenset()
    _changed_at: float = 0.0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def apply(
        self, on_event: Callable[[Event], None], *, plan_again: Callable[[], Awaitable[None]]
    ) -> None:
        """Applies the saved plan. `plan_again`: saves another one."""
        planned = json.loads((self.stack.folder / PLAN_JSON_FILE).read_text("utf-8"))

        def follow(event: Event) -> None:
            if self._under_way.note(event):
                self._changed_at = time.monotonic()
            on_event(event)

        watching = asyncio.ensure_future(self._stop_at_waits(planned))
        try:
            await self.terraform.apply(self.stack, on_event=follow, stop=self._stop)
        except OpsError:
            if not self._stop.is_set():
                raise
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        if not self._stop.is_set():
            return
        if self.terraform.logs:
            # It was told to stop, and has not failed.
            (self.terraform.logs / f"{self.stack.name}-apply.log").unlink(missing_ok=True)
        await keep_unfinished(self.terraform, self.stack, self._waited_for)
        await plan_again()
        await self.terraform.apply(self.stack, on_event=on_event)

    async def _stop_at_waits(self, planned: Mapping[str, Any]) -> None:
        """Stops Terraform once it does nothing but wait for what is there."""
        creates = {
            change["address"]: change
            for change in planned["resource_changes"]
            if change["change"]["actions"] == ["create"]
        }
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            under_way = self._under_way.addresses
            if time.monotonic() - self._changed_at < _ANSWERED_SECONDS or not under_way:
                continue
            waiting = [creates[address] for address in under_way if address in creates]
            if len(waiting) < len(under_way):
                continue
            if await in_thread(partial(self._are_there, waiting)):
                break
        for change in waiting:
            if change["type"] == _LOAD_BALANCER:
                attributes = list(_attributes(change, planned))
                await in_thread(partial(self._set_attributes, change, attributes))
        self._waited_for = frozenset(change["address"] for change in waiting)
        self._stop.set()

    def _are_there(self, changes: Sequence[Mapping[str, Any]]) -> bool:
        return all(map(self._is_there, changes))

    def _is_there(self, change: Mapping[str, Any]) -> bool:
        """Whether what a change creates is there, and nothing but the provider's wait is left."""
        name = change["change"]["after"].get("name") or change["change"]["after"].get("identifier")
        if change["type"] == _LOAD_BALANCER:
            return self._load_balancer(name) is not None
        if change["type"] == _DATABASE:
            rds = self.clients("rds")
            try:
                (found,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
            except rds.exceptions.DBInstanceNotFoundFault:
                return False
            return bool(found["DBInstanceStatus"] == "available")
        if change["type"] == _CLUSTER:
            return bool(self.clients("ecs").describe_clusters(clusters=[name])["clusters"])
        if change["type"] == _CAPACITY_PROVIDERS:
            wanted = change["change"]["after"]
            (cluster,) = self.clients("ecs").describe_clusters(clusters=[wanted["cluster_name"]])[
                "clusters"
            ]
            return set(cluster["capacityProviders"]) == set(wanted["capacity_providers"])
        # Nothing needs it, and it is put there once more.
        return bool(change["type"] == _BUCKET_LIFECYCLE)

    def _load_balancer(self, name: str) -> str | None:
        elb = self.clients("elbv2")
        try:
            (found,) = elb.describe_load_balancers(Names=[name])["LoadBalancers"]
        except elb.exceptions.LoadBalancerNotFoundException:
            return None
        return str(found["LoadBalancerArn"])

    def _set_attributes(
        self, change: Mapping[str, Any], attributes: Sequence[tuple[str, str]]
    ) -> None:
        arn = self._load_balancer(change["change"]["after"]["name"])
        self.clients("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=arn,
            Attributes=[{"Key": key, "Value": value} for key, value in attributes],
        )


def _attributes(change: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The attributes of a planned load balancer, as the API takes them."""
    after = change["change"]["after"]
    for name, key in _ATTRIBUTES.items():
        if (value := after.get(name)) is not None:
            yield key, _text(value)
    for logs in after.get("access_logs") or ():
        bucket = logs.get("bucket") or _bucket(change, planned)
        if bucket and logs.get("enabled"):
            yield "access_logs.s3.enabled", "true"
            yield "access_logs.s3.bucket", bucket
            if prefix := logs.get("prefix"):
                yield "access_logs.s3.prefix", prefix


def _bucket(change: Mapping[str, Any], planned: Mapping[str, Any]) -> str | None:
    """The name of the bucket of access logs, which the plan says of the bucket alone."""
    (configured,) = (
        each
        for each in planned["configuration"]["root_module"]["resources"]
        if each["address"] == change["address"]
    )
    references = [
        reference
        for logs in configured["expressions"].get("access_logs", ())
        for reference in logs["bucket"].get("references", ())
    ]
    for each in planned["resource_changes"]:
        if each["address"] in references:
            name: str | None = each["change"]["after"].get("bucket")
            return name
    return None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
