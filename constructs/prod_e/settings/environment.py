"""One environment: everything that its three stacks are made from."""

import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Annotated

from pydantic import Field, PrivateAttr

from prod_e.names import EnvironmentNames, ServiceNames
from prod_e.settings.connections import ConnectingService, Connections, connections_allowed
from prod_e.settings.fields import Mistake, Region, Section, matching
from prod_e.settings.sections.cluster import Cluster
from prod_e.settings.sections.database import Database
from prod_e.settings.sections.delivery import Delivery
from prod_e.settings.sections.load_balancer import LoadBalancer
from prod_e.settings.sections.monitoring import Monitoring
from prod_e.settings.sections.network import LEAST_SUBNETS, Network
from prod_e.settings.sections.providers import Providers
from prod_e.settings.sections.service import Service
from prod_e.settings.sections.state import State, bucket_problems
from prod_e.settings.tags import tag_mistakes

_MOST_RULES = 100

_OF_ACM = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+")
"""https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html"""

_MOST_WILDCARDS = 6
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html"""

_REFUSED_BEGINNINGS = {"internal-": "load balancers", "sg-": "security groups"}
"""How AWS lets no such resource's name begin."""


class Environment(Section):
    """One environment: everything that its three stacks are made from."""

    name: Annotated[
        str,
        matching(
            r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
            "lower-case letters, digits and single hyphens, starting with a letter",
            max_length=24,
        ),
    ]
    """The prefix of every name in AWS. Nothing is renamed: with another one, another environment
    is made anew beside this one."""

    region: Region = "us-west-2"
    """The AWS region that everything is made in."""

    account: (
        Annotated[str, matching(r"^[0-9]{12}$", "the twelve digits of an AWS account")] | None
    ) = None
    """The AWS account; deploying with credentials of another one is refused."""

    tags: dict[str, str] = Field(default_factory=dict)
    """The tags of every resource, beside `prod-e:environment`, which has the environment's name."""

    network: Network = Network()
    """The VPC."""

    cluster: Cluster = Cluster()
    """The ECS cluster."""

    services: Annotated[dict[str, Service], Field(min_length=1)]
    """What runs, each service by its key."""

    database: Database | None = None
    """The database; without this section there is none."""

    load_balancer: LoadBalancer = LoadBalancer()
    """The load balancer."""

    monitoring: Monitoring = Monitoring()
    """Alarms, logs and the dashboard."""

    delivery: Delivery | None = None
    """Who else may push images; without this section nobody."""

    state: State = State()
    """Where Terraform keeps its state."""

    providers: Providers = Providers()
    """Which versions of Terraform's providers the stacks take."""

    _file: str = PrivateAttr("")

    def model_post_init(self, context: str | None, /) -> None:
        """Keeps what `load_environment` says about where the settings come from."""
        self._file = context or f"environments/{self.name}.toml"

    @property
    def file(self) -> str:
        """The file with these settings, as messages name it."""
        return self._file

    @property
    def names(self) -> EnvironmentNames:
        """What the environment's own resources and stacks are called."""
        return EnvironmentNames(self.name, existing_cluster=self.cluster.existing_name)

    @property
    def existing(self) -> tuple[str, ...]:
        """The keys that name what is there already, in place of what would be made."""
        database = self.database or Database()
        named = {
            "network.vpc_id": self.network.vpc_id,
            "cluster.arn": self.cluster.arn,
            "load_balancer.listener_arn": self.load_balancer.listener_arn,
            "database.arn": database.arn,
            "database.host": database.host,
        }
        return tuple(key for key, value in named.items() if value)

    def uses_database(self, key: str) -> bool:
        """Whether the service `key` may reach the database."""
        return self.database is not None and self.services[key].database is not False

    def database_connections(self, key: str) -> int:
        """The most connections to the database of one task of the service `key`."""
        return self._connections.of(key)

    @property
    def connections_allowed(self) -> int | None:
        """How many connections the database allows; `None` where that is not known."""
        if self.database is None or not self.database.is_made:
            return None
        return connections_allowed(self.database.instance_class)

    @property
    def _connections(self) -> Connections:
        return Connections(
            allowed=self.connections_allowed,
            services={
                key: ConnectingService(
                    max_tasks=service.max_tasks, given=service.database_connections
                )
                for key, service in self.services.items()
                if self.uses_database(key)
            },
        )

    def source_of(self, key: str) -> str:
        """The folder with the Dockerfile of the service `key`, seen from the project's folder."""
        return self.services[key].source or key

    def _mistakes(self) -> Iterator[Mistake]:
        yield from tag_mistakes(
            self.tags, have_database=self.database is not None and self.database.is_made
        )
        restored = self.database.restored if self.database else None
        if restored and restored.identifier == self.names.database:
            yield (
                "database.restored.identifier",
                f"{restored.identifier!r} is that of the environment's own instance; give another",
            )
        yield from self._existing_mistakes()
        yield from self._database_mistakes()
        yield from self._name_mistakes()
        yield from self._route_mistakes()
        yield from self._tag_mistakes()

    def _existing_mistakes(self) -> Iterator[Mistake]:
        """Whether what is there already fits together."""
        if self.network.vpc_id:
            for key, what, is_made in (
                ("public_subnet_ids", "load balancer", self.load_balancer.is_made),
                ("isolated_subnet_ids", "database", self.database and self.database.is_made),
            ):
                if is_made and len(getattr(self.network, key)) < LEAST_SUBNETS:
                    yield (
                        f"network.{key}",
                        f"has fewer than {LEAST_SUBNETS}, which the {what} needs, in two zones",
                    )
        arns = {
            "cluster.arn": self.cluster.arn,
            "load_balancer.listener_arn": self.load_balancer.listener_arn,
            "load_balancer.certificate_arn": self.load_balancer.certificate_arn,
        }
        if self.database:
            arns["database.arn"] = self.database.arn
            arns["database.secret_arn"] = self.database.secret_arn
        for key, arn in arns.items():
            if arn is None:
                continue
            region, account = arn.split(":")[3:5]
            if region != self.region:
                yield key, f"is in {region}, and the environment is in region = {self.region!r}"
            if self.account and account != self.account:
                yield key, f"is in the account {account}, and account = {self.account!r}"
        in_a_vpc = [key for key in self.existing if not key.startswith("cluster.")]
        if in_a_vpc and self.network.vpc_id is None:
            yield (
                "network.vpc_id",
                f"is missing for {' and '.join(in_a_vpc)}; the tasks run in that VPC too",
            )

    def _database_mistakes(self) -> Iterator[Mistake]:
        name = self.database and (self.database.name or self.name.replace("-", "_"))
        if self.database and name and (unfit := self.database.name_problem(name)):
            yield "database.name", unfit
        for key, service in self.services.items():
            if self.database is None:
                for field in ("database", "database_secret_arn", "database_connections"):
                    if getattr(service, field):
                        yield f"services.{key}.{field}", "needs the section [database]"
            elif service.database is None and len(self.services) > 1:
                yield (
                    f"services.{key}.database",
                    "is missing: where there are several services, each says whether it may reach"
                    " the database; allowed: true or false",
                )
        if self.database and (problem := self._connections.problem()):
            yield (
                "database.instance_class",
                f"{self.database.instance_class!r} {problem}; take a larger class, or smaller"
                " database_connections or max_tasks",
            )

    def _tag_mistakes(self) -> Iterator[Mistake]:
        """Whether a tag that moves is in a repository where none may."""
        for key, service in self.services.items():
            moving = service.image_tag.moves_to_builds
            if not service.immutable_tags or moving is None:
                continue
            if service.image_tag.follows and self.providers.leaves_tags_out:
                continue
            newer = ', or providers.aws = "~> 6.25"' if service.image_tag.follows else ""
            yield (
                f"services.{key}.immutable_tags",
                f"is against image_tag = {moving!r}, which moves with each build; set"
                f' image_tag = "content"{newer}',
            )

    def _name_mistakes(self) -> Iterator[Mistake]:
        for beginning, what in _REFUSED_BEGINNINGS.items():
            if f"{self.name}-".startswith(beginning):
                yield (
                    "name",
                    f"{self.name!r} is refused by AWS: the names of {what}, which begin with it,"
                    f" may not begin with {beginning!r}",
                )
        if self.load_balancer.is_made and self.load_balancer.access_logs:
            bucket = f"{self.name}-alb-logs-{'0' * 12}-{self.region}"
            for problem in bucket_problems(bucket):
                yield (
                    "name",
                    f"makes the access logs' bucket {bucket!r}, which AWS refuses: {problem};"
                    " take another, or set load_balancer.access_logs = false",
                )
        for key in self.services:
            if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", key):
                yield (
                    f"services.{key}",
                    "is not a name; allowed: lower-case letters, digits and single hyphens",
                )
            if key in self.watched_besides_services:
                yield (
                    f"services.{key}",
                    f"has the name of the environment's own {key.replace('-', ' ')}, whose alarms"
                    " have it; take another",
                )
            target_group = self.service_names(key).target_group
            if len(target_group) > 32:
                yield (
                    f"services.{key}",
                    f"makes the target group's name {target_group!r}, {len(target_group)}"
                    " characters long; AWS allows 32",
                )

    def _route_mistakes(self) -> Iterator[Mistake]:
        domain = self.load_balancer.domain_name if self.load_balancer.is_made else None
        for key, service in self.services.items():
            host = service.host
            if domain and host and host != domain and not host.endswith(f".{domain}"):
                yield (
                    f"services.{key}.host",
                    f"{host!r} is outside of load_balancer.domain_name = {domain!r}, for which the"
                    " certificate is made; allowed: the domain and names below it",
                )
            elif (
                domain
                and self.load_balancer.hosted_zone_id
                and host
                and not _OF_ACM.fullmatch(host)
            ):
                yield (
                    f"services.{key}.host",
                    f"{host!r} is not a name that ACM issues a certificate for; allowed: a name, or"
                    " one whose whole first label is *",
                )
            wildcards = len(re.findall(r"[*?]", f"{host or ''}{service.path}"))
            if wildcards > _MOST_WILDCARDS:
                yield (
                    f"services.{key}.path",
                    f"has with host {wildcards} wildcards; the load balancer allows"
                    f" {_MOST_WILDCARDS} in a rule",
                )
        if len(self.services) > _MOST_RULES:
            yield (
                "services",
                f"are {len(self.services)}, each with a rule of the load balancer; AWS allows"
                f" {_MOST_RULES}",
            )
        for (one, first), (other, second) in combinations(self.services.items(), 2):
            if (first.host, first.path) == (second.host, second.path):
                yield (
                    f"services.{other}.path",
                    f"{second.path!r}{f' on {second.host!r}' if second.host else ''} is the route"
                    f" of services.{one} too; give one of them another path or host",
                )
            elif first.rule_priority == second.rule_priority:
                yield (
                    f"services.{other}.priority",
                    f"{second.rule_priority} is that of services.{one} too; set another",
                )
            earlier, later = self.service_names(one), self.service_names(other)
            for field in ("repository", "task_family", "service", "log_group"):
                name = getattr(later, field)
                if name == getattr(earlier, field):
                    yield f"services.{other}.{field}", f"{name!r} is that of services.{one} too"

    def service_names(self, key: str) -> ServiceNames:
        """What the resources of the service `key` are called in AWS."""
        return ServiceNames.of(self.name, key, self.services[key])

    @property
    def made_databases(self) -> Mapping[str, str]:
        """The identifiers of the RDS instances that are made, by the key that names each."""
        if self.database is None or not self.database.is_made:
            return {}
        restored = self.database.restored
        has_original = restored is None or restored.original == "kept"
        return {
            **({"name": self.names.database} if has_original else {}),
            **({"database.restored.identifier": restored.identifier} if restored else {}),
        }

    @property
    def watched(self) -> tuple[str, ...]:
        """What follows the environment's name in the names of roles, secrets and alarms."""
        return (*self.services, *self.watched_besides_services)

    @property
    def watched_besides_services(self) -> tuple[str, ...]:
        """The same, of what is no service."""
        return (
            *(["database"] if self.database else []),
            *(["load-balancer"] if self.load_balancer.is_made else []),
        )
