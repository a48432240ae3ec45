"""What an environment consists of, as far as the diagram shows it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Place:
    """A row of subnets and the availability zones, numbered from 0, that something takes there."""

    tier: str
    zones: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """`zone` counts the region's availability zones from 0; their names are known on apply."""

    tier: str
    zone: int
    cidr: str


@dataclass(frozen=True, kw_only=True)
class NatGateway:
    """`used_by`: the rows of subnets that have a route through it."""

    name: str
    place: Place
    used_by: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class VpcEndpoint:
    """`service`: the AWS service without the region, such as `ecr.api`; `kind`: Terraform's."""

    service: str
    kind: str
    place: Place


@dataclass(frozen=True, kw_only=True)
class LoadBalancer:
    """`listeners`: what each does, in words. `open_ports`: those that the internet may reach."""

    name: str
    place: Place
    listeners: tuple[str, ...]
    open_ports: tuple[int, ...]
    domain_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AccessLogs:
    """The bucket of the load balancer's access logs, and how long it keeps them."""

    bucket: str
    days: int


@dataclass(frozen=True, kw_only=True)
class Firewall:
    """A web ACL in front of the load balancer."""

    name: str
    rules: int


@dataclass(frozen=True, kw_only=True)
class Service:
    """An ECS service. `open_ports`: those that the load balancer may reach.

    `database_ports`: those of the database that it may reach. `tasks`: how many, in words.
    """

    name: str
    cluster: str
    place: Place
    container: str
    image: str
    cpu_units: int
    memory_mib: int
    architecture: str
    capacity: str
    tasks: str
    port: int
    health_path: str
    routes: tuple[str, ...]
    open_ports: tuple[int, ...]
    database_ports: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Database:
    """An RDS instance; `traits`: what it offers besides its size, in words."""

    name: str
    place: Place
    engine: str
    instance_class: str
    storage: str
    traits: tuple[str, ...]
    encrypted_connections: bool
    managed_password: bool


@dataclass(frozen=True, kw_only=True)
class Repository:
    """An ECR repository; `source`: the folder that Terraform builds its image from, if it does."""

    name: str
    scan_on_push: bool
    source: str | None
    platform: str | None


@dataclass(frozen=True, kw_only=True)
class Redeployment:
    """The rule and the state machine that deploy a service anew when a tag is pushed."""

    rule: str
    state_machine: str
    tags: tuple[str, ...]
    action: str


@dataclass(frozen=True, kw_only=True)
class LogGroup:
    """A CloudWatch log group and how long it keeps its logs."""

    name: str
    days: int


@dataclass(frozen=True, kw_only=True)
class Topic:
    """An SNS topic: how many alarms and rules publish to it, and how many addresses it tells."""

    name: str
    alarms: int
    rules: int
    subscriptions: int


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """An environment. `stacks`: their names; `pushers`: who else may push images.

    `rollback_alarms`: how many alarms roll a deployment back.
    """

    name: str
    region: str
    stacks: tuple[str, ...]
    vpc_cidr: str
    subnets: tuple[Subnet, ...]
    internet_gateway: bool
    nat_gateways: tuple[NatGateway, ...]
    endpoints: tuple[VpcEndpoint, ...]
    firewall: Firewall | None
    load_balancer: LoadBalancer
    access_logs: AccessLogs | None
    services: tuple[Service, ...]
    database: Database | None
    repositories: tuple[Repository, ...]
    pushers: tuple[str, ...]
    redeployments: tuple[Redeployment, ...]
    log_groups: tuple[LogGroup, ...]
    alarms: int
    rollback_alarms: int
    dashboards: tuple[str, ...]
    topics: tuple[Topic, ...]

    @property
    def tiers(self) -> tuple[str, ...]:
        """The rows of subnets, from the internet inwards."""
        return tuple(dict.fromkeys(subnet.tier for subnet in self.subnets))

    @property
    def zones(self) -> int:
        """How many availability zones there are."""
        return 1 + max(subnet.zone for subnet in self.subnets)
