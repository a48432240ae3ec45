"""Terraform without the time for which the AWS provider waits whatever AWS answers.

Its waits for a load balancer, a database and a cluster begin with a pause, of 30 seconds and more,
which is there for AWS's sake and which no setting shortens. Terraform is told to stop once nothing
else is left to do, and goes on from its state, in which what it waited for is there, or finds that
it is gone. Nobody looks at plans of that, and each costs a start of the provider: Terraform plans
and applies in one.

https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/elbv2/load_balancer.go
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.checks import Clients
from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.output.events import Event, UnderWay
from prod_e_ops.terraform.runner import Terraform
from prod_e_ops.terraform.states.unfinished import keep_unfinished, keep_unfinished_here

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


_REFERENCE = re.compile(r"\$\{(?P<type>\w+)\.(?P<name>[\w-]+)\.(?P<argument>\w+)\}")
_EXPRESSION = re.compile(r"\$\{[^}]*\}")


@dataclass(kw_only=True)
class PastWaits:
    """One application of a stack that is not there yet, or its destruction, past the waits.

    `variables`: of the stack. `clients`: reach the AWS that it is applied to, an embedded one.
    """

    terraform: Terraform
    stack: Stack
    variables: Mapping[str, str]
    clients: Clients
    _under_way: UnderWay = field(default_factory=UnderWay)
    _waited_for: frozenset[str] = frozenset()
    _changed_at: float = 0.0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def apply(self, on_event: Callable[[Event], None]) -> None:
        """Makes what the stack describes."""

        def begin(follow: Callable[[Event], None]) -> Awaitable[None]:
            return self.terraform.apply_at_once(
                self.stack, variables=self.variables, on_event=follow, stop=self._stop
            )

        if await self._is_stopped(begin, on_event, at=self._is_there):
            if not keep_unfinished_here(self.stack, self._waited_for):
                await keep_unfinished(self.terraform, self.stack, self._waited_for)
            await self.terraform.apply_at_once(
                self.stack, variables=self.variables, on_event=on_event
            )

    async def destroy(self, on_event: Callable[[Event], None]) -> int:
        """Applies the stack's saved plan, which takes all of it away.

        Returns how many resources are gone of whose end Terraform tells nothing.
        """

        def begin(follow: Callable[[Event], None]) -> Awaitable[None]:
            return self.terraform.apply(self.stack, on_event=follow, stop=self._stop)

        if await self._is_stopped(begin, on_event, at=self._is_gone):
            await self.terraform.apply_at_once(
                self.stack, destroy=True, variables=self.variables, on_event=on_event
            )
        return len(self._waited_for)

    async def _is_stopped(
        self,
        begin: Callable[[Callable[[Event], None]], Awaitable[None]],
        on_event: Callable[[Event], None],
        *,
        at: "Callable[[_Waiting], bool]",
    ) -> bool:
        """Runs Terraform to its end, or stops it where it only waits for what `at` says is so."""

        def follow(event: Event) -> None:
            if self._under_way.note(event):
                self._changed_at = time.monotonic()
            on_event(event)

        watching = asyncio.ensure_future(self._stop_at_waits(at))
        try:
            await begin(follow)
        except OpsError:
            if not self._stop.is_set():
                raise
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        if self._stop.is_set() and self.terraform.logs:
            # It was told to stop, and has not failed.
            (self.terraform.logs / f"{self.stack.name}-apply.log").unlink(missing_ok=True)
        return self._stop.is_set()

    async def _stop_at_waits(self, is_so: "Callable[[_Waiting], bool]") -> None:
        """Stops Terraform once it does nothing but wait for what is so already."""
        described = self.stack.resources

        def are_so(waiting: "Sequence[_Waiting]") -> bool:
            return all(map(is_so, waiting))

        while True:
            await asyncio.sleep(_POLL_SECONDS)
            under_way = frozenset(self._under_way.addresses)
            if time.monotonic() - self._changed_at < _ANSWERED_SECONDS or not under_way:
                continue
            waiting = [_Waiting.at(address, described) for address in under_way]
            if await in_thread(partial(are_so, waiting)):
                break
        for each in waiting:
            if each.type == _LOAD_BALANCER:
                await in_thread(partial(self._set_attributes, each))
        self._waited_for = under_way
        self._stop.set()

    def _is_there(self, it: "_Waiting") -> bool:
        """Whether it is created, and nothing but the provider's wait is left."""
        if it.type == _LOAD_BALANCER:
            return self._load_balancer(it.text("name")) is not None
        if it.type == _DATABASE:
            return self._database_status(it.text("identifier")) == "available"
        if it.type == _CLUSTER:
            clusters = self.clients("ecs").describe_clusters(clusters=[it.text("name")])
            return bool(clusters["clusters"])
        if it.type == _CAPACITY_PROVIDERS:
            (cluster,) = self.clients("ecs").describe_clusters(clusters=[it.text("cluster_name")])[
                "clusters"
            ]
            return set(cluster["capacityProviders"]) == set(it.arguments["capacity_providers"])
        # Nothing needs it, and it is put there once more.
        return it.type == _BUCKET_LIFECYCLE

    def _is_gone(self, it: "_Waiting") -> bool:
        """Whether it is deleted; of databases alone the provider wants to hear that again."""
        return it.type == _DATABASE and self._database_status(it.text("identifier")) is None

    def _database_status(self, identifier: str) -> str | None:
        rds = self.clients("rds")
        try:
            (found,) = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
        except rds.exceptions.DBInstanceNotFoundFault:
            return None
        return str(found["DBInstanceStatus"])

    def _load_balancer(self, name: str) -> str | None:
        elb = self.clients("elbv2")
        try:
            (found,) = elb.describe_load_balancers(Names=[name])["LoadBalancers"]
        except elb.exceptions.LoadBalancerNotFoundException:
            return None
        return str(found["LoadBalancerArn"])

    def _set_attributes(self, balancer: "_Waiting") -> None:
        arn = self._load_balancer(balancer.text("name"))
        self.clients("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=arn,
            Attributes=[{"Key": key, "Value": value} for key, value in self._attributes(balancer)],
        )

    def _attributes(self, balancer: "_Waiting") -> Iterator[tuple[str, str]]:
        """The attributes of a load balancer, as the API takes them."""
        for argument, key in _ATTRIBUTES.items():
            if (value := balancer.arguments.get(argument)) is not None:
                yield key, str(value).lower() if isinstance(value, bool) else str(value)
        logs = balancer.arguments.get("access_logs") or {}
        if logs.get("enabled") and (bucket := self._bucket(balancer.resolved(logs["bucket"]))):
            yield "access_logs.s3.enabled", "true"
            yield "access_logs.s3.bucket", bucket
            if prefix := logs.get("prefix"):
                yield "access_logs.s3.prefix", prefix

    def _bucket(self, described: str) -> str | None:
        """The bucket of this name, in which Terraform may compute a part, such as the account."""
        name = re.compile(".*".join(map(re.escape, _EXPRESSION.split(described))))
        for each in self.clients("s3").list_buckets()["Buckets"]:
            if name.fullmatch(each["Name"]):
                return str(each["Name"])
        return None


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """A resource that is waited for. `stack`: the arguments of all, by type and name."""

    type: str
    arguments: Mapping[str, Any]
    stack: Mapping[str, Mapping[str, Any]]

    @classmethod
    def at(cls, address: str, stack: Mapping[str, Mapping[str, Any]]) -> "_Waiting":
        kind, _, name = address.partition(".")
        return cls(type=kind, arguments=stack.get(kind, {}).get(name, {}), stack=stack)

    def text(self, argument: str) -> str:
        return self.resolved(str(self.arguments.get(argument)))

    def resolved(self, value: str) -> str:
        """What a reference to another resource's argument leads to; else the value as it is."""
        if found := _REFERENCE.fullmatch(value):
            other = self.stack.get(found["type"], {}).get(found["name"], {})
            return self.resolved(str(other.get(found["argument"], "")))
        return value
