"""What control plane and data plane tell each other ten times a second, in JSON.

The data plane posts a `Report` of what is, and gets a `Desired`: what should be. What comes from a
task definition or a load balancer's rule is in AWS's own shape.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import (
        ContainerDefinitionOutputTypeDef,
        ContainerOverrideOutputTypeDef,
        HealthCheckOutputTypeDef,
        VolumeOutputTypeDef,
    )

Definition: TypeAlias = "ContainerDefinitionOutputTypeDef"
"""A ContainerDefinition of ECS."""
Override: TypeAlias = "ContainerOverrideOutputTypeDef"
"""A ContainerOverride of ECS."""
ContainerCheck: TypeAlias = "HealthCheckOutputTypeDef"
"""A HealthCheck of ECS."""
Volume: TypeAlias = "VolumeOutputTypeDef"
"""A Volume of ECS."""
Action: TypeAlias = dict[str, Any]
"""An Action of Elastic Load Balancing; numbers in it are texts where moto keeps them so."""


class DesiredTask(TypedDict):
    """`desired`: RUNNING or STOPPED. `source_key`: the same for tasks that run the same content.

    `cpu`: in units of which a core has 1,024. `memory`: in MiB. `image_digests`: by container.
    """

    arn: str
    group: str
    desired: str
    last_status: str
    source_key: str
    cpu: int | None
    memory: int | None
    architecture: str
    task_role_arn: str | None
    volumes: Sequence[Volume]
    containers: Sequence[Definition]
    overrides: Sequence[Override]
    image_digests: dict[str, str | None]


class ContainerReport(TypedDict):
    """`status`, `health`: as ECS has them. `exit_code`: None while it runs, or if it is unknown."""

    status: str
    health: str
    exit_code: int | None
    reason: str | None
    image_digest: str | None
    runtime_id: str | None


class TaskReport(TypedDict):
    """`stop_code`, `reason`: as ECS has them, once it stops by itself."""

    status: str
    stop_code: str | None
    reason: str | None
    health: str
    containers: dict[str, ContainerReport]


class TargetReport(TypedDict):
    """What DescribeTargetHealth says of a registration."""

    state: str
    reason: str | None
    description: str | None


class ListenerReport(TypedDict):
    """Where a listener is on this machine. `port`: its own."""

    load_balancer: str
    port: int
    url: str


class RequestReport(TypedDict):
    """Requests that a load balancer has answered since its data plane began.

    `failed`: with a status of 500 or above, or without any.
    """

    count: int
    failed: int


class DatabaseReport(TypedDict):
    """`address`, `port`: None until it answers. `restarts`: how many it has done."""

    status: str
    address: str | None
    port: int | None
    restarts: int
    password_digest: str | None


class DatabasesReport(TypedDict):
    """`instances`: by resource id. `snapshots`: those that are there."""

    instances: dict[str, DatabaseReport]
    snapshots: list[str]


class Report(TypedDict):
    """`tasks`, `listeners`: by ARN. `targets`: by the id of their registration.

    `requests`: by the load balancer's ARN.
    """

    tasks: dict[str, TaskReport]
    targets: dict[str, TargetReport]
    listeners: dict[str, ListenerReport]
    requests: dict[str, RequestReport]
    databases: DatabasesReport


class Rule(TypedDict):
    """A rule of a listener."""

    priority: int
    conditions: list[dict[str, Any]]
    actions: list[Action]


class Listener(TypedDict):
    """A listener, with its rules in the order in which they are tried."""

    arn: str
    port: int
    protocol: str
    rules: list[Rule]
    default_actions: list[Action]


class LoadBalancer(TypedDict):
    """A load balancer."""

    arn: str
    name: str
    attributes: dict[str, str]
    listeners: list[Listener]


class TargetCheck(TypedDict):
    """How targets are checked. `port`: None or `traffic-port` for the target's own."""

    enabled: bool
    path: str
    port: str | None
    interval_seconds: int
    timeout_seconds: int
    healthy_threshold: int
    unhealthy_threshold: int
    matcher: str


class TargetGroup(TypedDict):
    """A target group and what is registered in it."""

    arn: str
    name: str
    protocol: str
    attributes: dict[str, str]
    health_check: TargetCheck
    registrations: list[dict[str, Any]]


class DesiredDatabase(TypedDict):
    """A DB instance. `restarts`: how many it should have done. `restored_from`: a snapshot."""

    identifier: str
    region: str
    port: int
    database: str | None
    user: str
    password: str
    password_digest: str
    restarts: int
    restored_from: str | None
    parameters: dict[str, str]
    exported_logs: list[str]


class Desired(TypedDict):
    """`tasks`, `target_groups`: by ARN. `databases`: by resource id. `snapshots`: of which one."""

    tasks: dict[str, DesiredTask]
    load_balancers: list[LoadBalancer]
    target_groups: dict[str, TargetGroup]
    databases: dict[str, DesiredDatabase]
    snapshots: dict[str, str]
