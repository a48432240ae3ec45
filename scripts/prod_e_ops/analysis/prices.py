"""What an environment costs by the hour: a short table of AWS's prices, and their sum.

On-demand prices in US dollars of us-east-1 and us-west-2, which are the same, in June 2026; other
regions cost up to twice as much. Left out is what depends on use: data, requests, logs, storage of
images. Sources: https://aws.amazon.com/fargate/pricing, https://aws.amazon.com/rds/postgresql/pricing,
https://aws.amazon.com/vpc/pricing, https://aws.amazon.com/elasticloadbalancing/pricing,
https://aws.amazon.com/privatelink/pricing, https://aws.amazon.com/waf/pricing,
https://aws.amazon.com/kms/pricing, https://aws.amazon.com/secrets-manager/pricing,
https://aws.amazon.com/cloudwatch/pricing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prod_e.settings import Database, Environment, Service

AS_OF = "June 2026"
"""When the prices were as they are here."""

_HOURS_PER_MONTH = 730
_NAT_GATEWAY = 0.045
_PUBLIC_ADDRESS = 0.005
_LOAD_BALANCER = 0.0225
_INTERFACE_ENDPOINT = 0.01
_FARGATE = {"x86_64": (0.04048, 0.004445), "arm64": (0.03238, 0.00356)}
"""An hour of a processor, and of a GiB."""
_DATABASE = {
    "db.t4g.micro": 0.016,
    "db.t4g.small": 0.032,
    "db.t4g.medium": 0.065,
    "db.t4g.large": 0.129,
    "db.m6g.large": 0.159,
    "db.m7g.large": 0.168,
    "db.r6g.large": 0.225,
    "db.r7g.large": 0.239,
}
_STORAGE_GIB_MONTH = 0.115
_WAF_MONTH = 9.0
_KEY_MONTH = 1.0
_SECRET_MONTH = 0.4
_ALARM_MONTH = 0.1
_ALARMS_PER_SERVICE = 8
_ENDPOINTS = 5
"""`ecr.api`, `ecr.dkr`, `logs`, `secretsmanager` and `ssm`."""


@dataclass(frozen=True, kw_only=True)
class PricedItem:
    """Something that is paid for by the hour."""

    item: str
    """What."""

    dollars_per_hour: float | None
    """All of them together; null where the table has no price."""


def hourly_prices(environment: "Environment") -> list[PricedItem]:
    """What the environment's settings cost, item by item."""
    return [*_network(environment), *_services(environment), *_rest(environment)]


def total(items: list[PricedItem]) -> float:
    """Dollars per hour of what has a price."""
    return sum(each.dollars_per_hour or 0.0 for each in items)


def _network(environment: "Environment") -> Iterator[PricedItem]:
    network, balancer = environment.network, environment.load_balancer
    zones = network.availability_zones
    if network.vpc_id is None and network.egress == "nat":
        gateways = zones if network.nat_gateways == "per_zone" else 1
        yield _item(f"{gateways} NAT gateways", gateways * (_NAT_GATEWAY + _PUBLIC_ADDRESS))
    elif network.vpc_id is None:
        yield _item(
            f"{_ENDPOINTS} VPC endpoints in {zones} zones", _ENDPOINTS * zones * _INTERFACE_ENDPOINT
        )
    if balancer.is_made:
        yield _item("The load balancer", _LOAD_BALANCER + zones * _PUBLIC_ADDRESS)
        if balancer.waf:
            yield _item("The web ACL", _WAF_MONTH / _HOURS_PER_MONTH)


def _services(environment: "Environment") -> Iterator[PricedItem]:
    for key, service in environment.services.items():
        yield _item(
            f"{service.desired_tasks} tasks of {key}",
            service.desired_tasks * _task(service),
        )


def _task(service: "Service") -> float:
    processor, gib = _FARGATE[service.architecture]
    return service.cpu_units / 1024 * processor + service.memory_mib / 1024 * gib


def _rest(environment: "Environment") -> Iterator[PricedItem]:
    database = environment.database
    if database and database.is_made:
        yield PricedItem(
            item=f"A {database.instance_class} database", dollars_per_hour=_rds(database)
        )
    alarms = _ALARMS_PER_SERVICE * len(environment.services) + 4
    yield _item(
        f"The alarms' key, a secret and about {alarms} alarms",
        (_KEY_MONTH + _SECRET_MONTH + alarms * _ALARM_MONTH) / _HOURS_PER_MONTH,
    )


def _rds(database: "Database") -> float | None:
    instance = _DATABASE.get(database.instance_class)
    if instance is None:
        return None
    storage = database.storage_gib * _STORAGE_GIB_MONTH / _HOURS_PER_MONTH
    return (instance + storage) * (2 if database.multi_az else 1)


def _item(item: str, dollars: float) -> PricedItem:
    return PricedItem(item=item, dollars_per_hour=round(dollars, 4))
