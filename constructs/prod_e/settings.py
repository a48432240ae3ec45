"""The settings of an environment: what one TOML file in `environments/` may say.

Settings know nothing of Terraform. `load_environments` reads every file of a folder and either
returns validated, immutable objects or raises `SettingsError` with one message per mistake.
"""

import ipaddress
import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import date, time
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from prod_e.delivery.image_build import RESERVED_BUILD_ARGS, names_one_build
from prod_e.load_balancer.priority import rule_priority
from prod_e.names import ServiceNames
from prod_e.service.fargate_sizes import FARGATE_MEMORY_MIB
from prod_e.version_constraint import PATTERN as VERSION_CONSTRAINT

LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
]  # fmt: skip
"""What CloudWatch Logs offers:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

RESERVED_VARIABLES = frozenset({"PORT", "DB_HOST", "DB_PORT", "DB_NAME", "DB_SECRET_ARN"})
"""Environment variables that prod-e itself gives to every container."""

_SECRET_LOOKING = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY)$", re.IGNORECASE)
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_ARN_OF_SECRET = re.compile(
    r"^arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+(:[\w.-]*){0,3}"
    r"|ssm:[a-z0-9-]+:\d{12}:parameter/[\w./-]+)$"
)
_TAG = re.compile(r"[\w\s.:/=+@-]*")

_RFC_1918 = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))

_REFUSED_BEGINNINGS = {"internal-": "load balancers", "sg-": "security groups"}
"""How AWS lets no such resource's name begin."""


class SettingsError(Exception):
    """The settings are wrong; `messages` has one line for each mistake."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = tuple(messages)


class _BrokenRules(ValueError):
    """Rules between fields that do not hold: (key below the model, what is wrong) each."""

    def __init__(self, mistakes: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{key}: {problem}" for key, problem in mistakes))
        self.mistakes = tuple(mistakes)


_ALLOWED: dict[str, str] = {}
"""What each pattern allows, in words for people."""


def _matching(pattern: str, allowed: str, **limits: int) -> Any:
    """A field that matches a pattern; `allowed` says so in words."""
    _ALLOWED[pattern] = allowed
    return Field(pattern=pattern, **limits)  # type: ignore[call-overload]


_EcsName = Annotated[
    str,
    _matching(r"^[A-Za-z0-9_-]{1,255}$", "letters, digits, underscores and hyphens, at most 255"),
]
_Region = Annotated[str, _matching(r"^[a-z]{2}(-[a-z]+)+-\d$", "a region such as us-west-2")]


_SubnetId = Annotated[
    str, _matching(r"^subnet-[0-9a-f]{8,17}$", "a subnet's id such as subnet-0123456789abcdef0")
]
_SubnetIds = Annotated[tuple[_SubnetId, ...], Field(strict=False)]

_LEAST_SUBNETS = 2
"""As many as a load balancer or a database needs, each in another zone."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        """Yields the key and the problem of each rule between fields that does not hold."""
        yield from ()

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        if mistakes := list(self._mistakes()):
            raise _BrokenRules(mistakes)
        return self


class Network(_Settings):
    """The VPC of an environment.

    `cidr`: an IPv4 block from /16 to /23, split into equal public, private and isolated subnets.
    `availability_zones`: 2 or 3.
    `egress`: `nat` gives tasks the internet through NAT gateways; `endpoints` gives them only the
    AWS services that they need, through VPC endpoints.
    `nat_gateways`: `single` is cheap, `per_zone` survives the loss of a zone; only with `nat`.
    `flow_log_retention_days`: how long CloudWatch keeps the VPC's flow log.
    `vpc_id`, `public_subnet_ids`, `private_subnet_ids`, `isolated_subnet_ids`: a VPC that is there
    already, and its subnets for the load balancer, the tasks (with a way out to ECR, CloudWatch
    Logs and S3) and the database; no other key has a meaning then.
    """

    cidr: str = "10.0.0.0/16"
    availability_zones: Literal[2, 3] = 2
    egress: Literal["nat", "endpoints"] = "nat"
    nat_gateways: Literal["single", "per_zone"] | None = None
    flow_log_retention_days: LogRetentionDays = 14
    vpc_id: (
        Annotated[
            str, _matching(r"^vpc-[0-9a-f]{8,17}$", "a VPC's id such as vpc-0123456789abcdef0")
        ]
        | None
    ) = None
    public_subnet_ids: _SubnetIds = ()
    private_subnet_ids: _SubnetIds = ()
    isolated_subnet_ids: _SubnetIds = ()

    @property
    def block(self) -> ipaddress.IPv4Network:
        """The VPC's address block."""
        return ipaddress.IPv4Network(self.cidr)

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        yield from self._existing_mistakes()
        try:
            block = self.block
        except ValueError as error:
            yield "cidr", f"{self.cidr!r} is not an IPv4 block ({error}); for example 10.0.0.0/16"
        else:
            if not 16 <= block.prefixlen <= 23:
                yield (
                    "cidr",
                    f"{self.cidr!r} is too {'large' if block.prefixlen < 16 else 'small'}; allowed:"
                    " /16 (AWS's largest) to /23 (a load balancer needs a /27 in every zone)",
                )
            elif not any(block.subnet_of(private) for private in _RFC_1918):
                yield (
                    "cidr",
                    f"{self.cidr!r} is not private; allowed: a block of"
                    f" {', '.join(map(str, _RFC_1918))}",
                )
        if self.egress == "endpoints" and self.nat_gateways is not None:
            yield (
                "nat_gateways",
                f'{self.nat_gateways!r} has no meaning with egress = "endpoints"; leave it out',
            )

    def _existing_mistakes(self) -> Iterator[tuple[str, str]]:
        subnets = {"public_subnet_ids", "private_subnet_ids", "isolated_subnet_ids"}
        if self.vpc_id is None:
            if given := sorted(subnets & self.model_fields_set):
                yield "vpc_id", f"is missing for {given[0]}; give the id of the subnets' VPC"
            return
        for key in sorted(self.model_fields_set - subnets - {"vpc_id"}):
            yield key, "has no meaning with vpc_id; leave it out"
        for key in ("public_subnet_ids", "private_subnet_ids"):
            if len(getattr(self, key)) < _LEAST_SUBNETS:
                yield key, f"has fewer than {_LEAST_SUBNETS}; give one in each of two zones or more"


class Service(_Settings):
    """One service: a folder with a Dockerfile that runs on Fargate behind the load balancer.

    `source`: the folder with the Dockerfile, from the project's root; default: the service's key.
    `build`: `terraform` builds and pushes with the docker provider, `external` leaves it to you.
    `image_tag`: `latest`, `content` (the content hash of `source`), or a tag of yours. One that
    begins with `content-` or `git-` names a build that exists: none is made, whatever `build` says.
    `build_args`: for the Dockerfile; an image's history shows them. `build_network`: the network of
    the build's steps; default: the daemon's own, or `host` where it has none.
    `path`, `host`: the route; `*` and `?` are the load balancer's wildcards.
    `priority`: 1 to 50000, the lowest is tried first; default: the more specific route first.
    `repository`, `task_family`, `container`, `service`, `log_group`: names; default:
    `<environment>-<service>` (and `/ecs/<environment>-<service>`).
    `cpu_units`, `memory_mib`: a pair that Fargate offers.
    `min_tasks` <= `desired_tasks` <= `max_tasks`; equal minimum and maximum turn scaling off.
    `cpu_target_percent`, `memory_target_percent`, `requests_per_task_and_minute`: what scaling
    aims at.
    `spot_weight`: 0 to 100, the share of tasks on Fargate Spot.
    `environment`: plain variables. `secrets`: variable to ARN in Secrets Manager or Parameter
    Store.
    `database`: whether the service may reach the environment's database.
    `execute_command`: whether `aws ecs execute-command` may open a shell in a task.
    `health_interval_seconds`: 6 to 300, how often the load balancer, and the container itself, ask
    for health.
    `health_command`: the container's own health check; default: node asks for `health_path`.
    """

    source: (
        Annotated[
            str,
            _matching(
                r"^[\w .@+-]+(/[\w .@+-]+)*/?$",
                "a folder of the project, such as backend or apps/web",
            ),
        ]
        | None
    ) = None
    build: Literal["terraform", "external"] = "terraform"
    image_tag: Annotated[
        str,
        _matching(
            r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$",
            "latest, content, or letters, digits, dots, underscores and hyphens, at most 128",
        ),
    ] = "latest"
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    build_args: dict[str, str] = Field(default_factory=dict)
    build_network: Literal["default", "host", "none"] | None = None

    path: Annotated[
        str,
        _matching(
            r"^/[A-Za-z0-9_*?.$/~\"'@:+&-]*$",
            "a path that starts with /; * and ? match anything",
            max_length=128,
        ),
    ] = "/*"
    host: (
        Annotated[
            str,
            _matching(
                r"^[a-z0-9*?.-]+\.[a-z]{2,}$",
                "a host name such as api.example.com; * and ? match anything",
                max_length=128,
            ),
        ]
        | None
    ) = None
    priority: Annotated[int, Field(ge=1, le=50000)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 3000
    health_path: Annotated[
        str,
        _matching(
            r"^/[!-z|~]*$", "a path that starts with /, without spaces or braces", max_length=1024
        ),
    ] = "/health"
    health_interval_seconds: Annotated[int, Field(ge=6, le=300)] = 10
    health_command: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None

    repository: (
        Annotated[
            str,
            _matching(
                r"^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$",
                "lower-case letters and digits, with single . _ - and / between them",
                min_length=2,
                max_length=256,
            ),
        ]
        | None
    ) = None
    task_family: _EcsName | None = None
    container: _EcsName | None = None
    service: _EcsName | None = None
    log_group: (
        Annotated[
            str,
            _matching(r"^[A-Za-z0-9_./#-]{1,512}$", "letters, digits and _ . / # -, at most 512"),
        ]
        | None
    ) = None

    cpu_units: Literal[256, 512, 1024, 2048, 4096, 8192, 16384] = 256
    memory_mib: int = 512
    min_tasks: Annotated[int, Field(ge=0, le=5000)] = 2
    desired_tasks: Annotated[int, Field(ge=0, le=5000)] = 2
    max_tasks: Annotated[int, Field(ge=1, le=5000)] = 10
    cpu_target_percent: Annotated[int, Field(ge=10, le=90)] = 60
    memory_target_percent: Annotated[int, Field(ge=10, le=90)] = 70
    requests_per_task_and_minute: Annotated[int, Field(ge=1)] = 1000
    spot_weight: Annotated[int, Field(ge=0, le=100)] = 0

    environment: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    database: bool = True
    execute_command: bool = False

    @property
    def is_built(self) -> bool:
        """Whether Terraform builds the image from the source as it is now."""
        return self.build == "terraform" and not names_one_build(self.image_tag)

    @property
    def autoscaling(self) -> bool:
        """Whether the number of tasks follows the load."""
        return self.min_tasks < self.max_tasks

    @property
    def rule_priority(self) -> int:
        """The listener rule's priority: given, or derived from the route alone."""
        return self.priority or rule_priority(self.path, self.host)

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        if self.source and ".." in self.source.split("/"):
            yield "source", f"{self.source!r} leads out of the project; allowed: a folder in it"
        if self.log_group and self.log_group.startswith("aws/"):
            yield "log_group", f"{self.log_group!r} is refused by AWS, to which aws/ belongs"
        allowed = FARGATE_MEMORY_MIB[self.cpu_units]
        if self.memory_mib not in allowed:
            yield (
                "memory_mib",
                f"{self.memory_mib} is not offered with cpu_units = {self.cpu_units};"
                f" allowed: {_listed(allowed)}",
            )
        if self.min_tasks > self.max_tasks:
            yield (
                "min_tasks",
                f"{self.min_tasks} is more than max_tasks = {self.max_tasks};"
                " allowed: min_tasks <= desired_tasks <= max_tasks",
            )
        elif not self.min_tasks <= self.desired_tasks <= self.max_tasks:
            yield (
                "desired_tasks",
                f"{self.desired_tasks} is not between min_tasks = {self.min_tasks} and"
                f" max_tasks = {self.max_tasks}",
            )
        yield from self._build_argument_mistakes()
        for name in self.environment:
            yield from _variable_mistakes(f"environment.{name}", name)
            if _SECRET_LOOKING.search(name):
                yield (
                    f"environment.{name}",
                    "looks like a secret, and environment variables are readable in the plan, the"
                    " state and the console; give its ARN in `secrets` instead",
                )
        for name, arn in self.secrets.items():
            yield from _variable_mistakes(f"secrets.{name}", name)
            if name in self.environment:
                yield f"secrets.{name}", "is set in `environment` too; keep one of the two"
            if not _ARN_OF_SECRET.match(arn):
                # The value is not repeated: a mistaken entry may well be the secret itself.
                yield (
                    f"secrets.{name}",
                    "is not the ARN of a Secrets Manager secret or a Parameter Store parameter",
                )

    def _build_argument_mistakes(self) -> Iterator[tuple[str, str]]:
        for name, value in self.build_args.items():
            key = f"build_args.{name}"
            if not _VARIABLE.match(name):
                yield key, "is no build argument's name; allowed: letters, digits and underscores"
            if name in RESERVED_BUILD_ARGS:
                yield key, "is set by prod-e itself; leave it out"
            if not value:
                yield key, "is empty, which Terraform takes for absent; leave it out"
            if _SECRET_LOOKING.search(name):
                yield (
                    key,
                    "looks like a secret, and build arguments are readable in the image's history,"
                    " the plan and the state; give its ARN in `secrets` to the running service",
                )


class Database(_Settings):
    """The RDS PostgreSQL instance that an environment's services share.

    `name`: the database in the instance; default: the environment's name with `_` for `-`.
    `engine_version`: `16`, or `16.4` to hold a minor version.
    `storage_gib`: 20 to 65536. `max_storage_gib`: where storage autoscaling ends, at least 10 %
    above `storage_gib`; absent: no autoscaling.
    `backup_days`: 0 (no backups) to 35.
    `deletion_protection`: RDS and Terraform refuse to delete the instance.
    `final_snapshot`: deletion leaves a snapshot.
    """

    name: (
        Annotated[
            str,
            _matching(
                r"^[A-Za-z][A-Za-z0-9_]{0,62}$",
                "a letter, then letters, digits and underscores, at most 63",
            ),
        ]
        | None
    ) = None
    engine_version: Annotated[
        str,
        _matching(
            r"^1[3-9](\.\d{1,2})?$", "a version of PostgreSQL from 13 on, such as 16 or 16.4"
        ),
    ] = "16"
    instance_class: Annotated[
        str, _matching(r"^db\.[a-z0-9]+\.[a-z0-9]+$", "an instance class such as db.t4g.micro")
    ] = "db.t4g.micro"
    storage_gib: Annotated[int, Field(ge=20, le=65536)] = 20
    max_storage_gib: Annotated[int, Field(ge=22, le=65536)] | None = None
    multi_az: bool = False
    backup_days: Annotated[int, Field(ge=0, le=35)] = 7
    deletion_protection: bool = True
    final_snapshot: bool = True

    @property
    def major_version(self) -> str:
        """The engine's major version, which names the parameter group's family."""
        return self.engine_version.split(".")[0]

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        if self.max_storage_gib is not None and self.max_storage_gib < self.storage_gib * 1.1:
            yield (
                "max_storage_gib",
                f"{self.max_storage_gib} is less than 10 % above storage_gib = {self.storage_gib};"
                f" allowed: {-(-self.storage_gib * 11 // 10)} or more",
            )


class LoadBalancer(_Settings):
    """The Application Load Balancer in front of an environment's services.

    `domain_name` and `hosted_zone_id` (Route 53), both or neither: HTTPS with an ACM certificate,
    HTTP redirected. `certificate_arn`: one that is there already, in place of it.
    `access_logs`: to an S3 bucket, kept `access_log_days`. `waf`: AWS's managed
    rule groups and a rate limit in front. `deletion_protection`: as the ALB's attribute.
    """

    domain_name: (
        Annotated[
            str,
            _matching(
                r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$",
                "a domain name such as api.example.com",
            ),
        ]
        | None
    ) = None
    hosted_zone_id: (
        Annotated[
            str, _matching(r"^Z[A-Z0-9]{1,31}$", "a hosted zone's id such as Z0123456789ABCDEFGHIJ")
        ]
        | None
    ) = None
    certificate_arn: (
        Annotated[
            str,
            _matching(
                r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]+$",
                "the ARN of an ACM certificate in the environment's region",
            ),
        ]
        | None
    ) = None
    access_logs: bool = True
    access_log_days: Annotated[int, Field(ge=1, le=3653)] = 90
    waf: bool = False
    deletion_protection: bool = True

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        if self.domain_name and not self.hosted_zone_id:
            yield (
                "hosted_zone_id",
                f"is missing for domain_name = {self.domain_name!r}; give the id of the Route 53"
                " zone that holds the domain, where the certificate is validated",
            )
        if self.hosted_zone_id and not self.domain_name:
            yield "domain_name", f"is missing for hosted_zone_id = {self.hosted_zone_id!r}"


class Thresholds(_Settings):
    """Where alarms ring."""

    http_5xx_percent: Annotated[float, Field(gt=0, le=100)] = 1.0
    p95_latency_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    task_cpu_percent: Annotated[int, Field(ge=1, le=100)] = 85
    task_memory_percent: Annotated[int, Field(ge=1, le=100)] = 85
    database_cpu_percent: Annotated[int, Field(ge=1, le=100)] = 80
    database_free_storage_percent: Annotated[int, Field(ge=1, le=90)] = 15
    database_connections: Annotated[int, Field(ge=1)] = 80


class Monitoring(_Settings):
    """Alarms, logs and the dashboard.

    `alarm_emails`: who is told; each address confirms its subscription once.
    `log_retention_days`: how long CloudWatch keeps the services' logs.
    """

    alarm_emails: Annotated[
        tuple[Annotated[str, _matching(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "an e-mail address")], ...],
        Field(strict=False),
    ] = ()
    log_retention_days: LogRetentionDays = 30
    thresholds: Thresholds = Thresholds()


class State(_Settings):
    """Where Terraform keeps its state.

    `kind`: `local` (files in the project's root), or `s3` (`bucket`, in `region` or the
    environment's own, locked by S3's native lock file).
    """

    kind: Literal["local", "s3"] = "local"
    bucket: (
        Annotated[
            str,
            _matching(
                r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
                "a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens",
            ),
        ]
        | None
    ) = None
    region: _Region | None = None

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        if self.kind == "s3" and self.bucket is None:
            yield "bucket", 'is missing; state.kind = "s3" needs the name of an S3 bucket of yours'
        if self.bucket is not None:
            for problem in _bucket_problems(self.bucket):
                yield "bucket", f"{self.bucket!r} is refused by AWS: {problem}"
        if self.kind == "local":
            for key in ("bucket", "region"):
                if getattr(self, key) is not None:
                    yield key, 'has no meaning with state.kind = "local"; leave it out'


_VersionConstraint = Annotated[
    str,
    _matching(
        VERSION_CONSTRAINT,
        "a version constraint such as ~> 5.100 or >= 5.100, < 6.0",
        max_length=256,
    ),
]


class Providers(_Settings):
    """Which versions of Terraform's providers the stacks take; the defaults are what is tested.

    `aws`: hashicorp/aws, 5.100 or 6. `docker`: kreuzwerker/docker, which builds images.
    """

    aws: _VersionConstraint = "~> 5.100"
    docker: _VersionConstraint = "~> 3.6.2"


class Delivery(_Settings):
    """Who else may push images: GitHub Actions, without stored keys.

    `github_repository`: `owner/name`. `branch`: whose runs may push.
    `create_oidc_provider`: false where the account has GitHub's identity provider already; an
    account can have only one.
    """

    github_repository: Annotated[str, _matching(r"^[\w.-]+/[\w.-]+$", "owner/name")]
    branch: Annotated[str, _matching(r"^[\w./-]+$", "a branch's name")] = "main"
    create_oidc_provider: bool = True


class Environment(_Settings):
    """One environment: everything that its three stacks are made from."""

    name: Annotated[
        str,
        _matching(
            r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
            "lower-case letters, digits and single hyphens, starting with a letter",
            max_length=24,
        ),
    ]
    region: _Region = "us-west-2"
    account: (
        Annotated[str, _matching(r"^\d{12}$", "the twelve digits of an AWS account")] | None
    ) = None
    tags: dict[str, str] = Field(default_factory=dict)
    network: Network = Network()
    services: Annotated[dict[str, Service], Field(min_length=1)]
    database: Database | None = None
    load_balancer: LoadBalancer = LoadBalancer()
    monitoring: Monitoring = Monitoring()
    delivery: Delivery | None = None
    state: State = State()
    providers: Providers = Providers()
    _file: str = PrivateAttr("")

    def model_post_init(self, context: str | None, /) -> None:
        """Keeps what `load_environment` says about where the settings come from."""
        self._file = context or f"environments/{self.name}.toml"

    @property
    def file(self) -> str:
        """The file with these settings, as messages name it."""
        return self._file

    def source_of(self, key: str) -> str:
        """The folder with the Dockerfile of the service `key`, seen from the project's folder."""
        return self.services[key].source or key

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        for key, value in self.tags.items():
            if (
                key.lower().startswith("aws:")
                or not 1 <= len(key) <= 128
                or len(value) > 256
                or not _TAG.fullmatch(key + value)
            ):
                yield (
                    f"tags.{key}",
                    "is refused by AWS; allowed: keys of 1 to 128 characters that do not start"
                    " with aws:, values of at most 256, made of letters, digits, spaces and"
                    " _ . : / = + - @",
                )
        if (
            self.database
            and self.network.vpc_id
            and len(self.network.isolated_subnet_ids) < _LEAST_SUBNETS
        ):
            yield (
                "network.isolated_subnet_ids",
                f"has fewer than {_LEAST_SUBNETS}, which the database needs, in two zones",
            )
        yield from self._name_mistakes()
        yield from self._route_mistakes()

    def _name_mistakes(self) -> Iterator[tuple[str, str]]:
        for beginning, what in _REFUSED_BEGINNINGS.items():
            if f"{self.name}-".startswith(beginning):
                yield (
                    "name",
                    f"{self.name!r} is refused by AWS: the names of {what}, which begin with it,"
                    f" may not begin with {beginning!r}",
                )
        if self.load_balancer.access_logs:
            bucket = f"{self.name}-alb-logs-{'0' * 12}-{self.region}"
            for problem in _bucket_problems(bucket):
                yield (
                    "name",
                    f"makes the access logs' bucket {bucket!r}, which AWS refuses: {problem};"
                    " take another, or set load_balancer.access_logs = false",
                )
        for key, service in self.services.items():
            if not re.match(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", key):
                yield (
                    f"services.{key}",
                    "is not a name; allowed: lower-case letters, digits and single hyphens",
                )
            target_group = f"{self.name}-{key}-{service.port}"
            if len(target_group) > 32:
                yield (
                    f"services.{key}",
                    f"makes the target group's name {target_group!r}, {len(target_group)}"
                    " characters long; AWS allows 32",
                )

    def _route_mistakes(self) -> Iterator[tuple[str, str]]:
        domain = self.load_balancer.domain_name
        for key, service in self.services.items():
            host = service.host
            if domain and host and host != domain and not host.endswith(f".{domain}"):
                yield (
                    f"services.{key}.host",
                    f"{host!r} is outside of load_balancer.domain_name = {domain!r}, for which the"
                    " certificate is made; allowed: the domain and names below it",
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
            taken, wanted = self._names(one), self._names(other)
            for field in ("repository", "task_family", "service", "log_group"):
                name = getattr(wanted, field)
                if name == getattr(taken, field):
                    yield f"services.{other}.{field}", f"{name!r} is that of services.{one} too"

    def _names(self, key: str) -> ServiceNames:
        return ServiceNames.of(self.name, key, self.services[key])

    def names_shared_with(self, other: Self) -> Iterator[tuple[str, str]]:
        """Yields the key and the problem of each name that both environments give in one region."""
        if (self.account, self.region) != (other.account, other.region):
            return
        for key, taken_key in product(self.services, other.services):
            wanted, taken = self._names(key), other._names(taken_key)
            for field in ("repository", "task_family", "log_group"):
                name = getattr(wanted, field)
                if name == getattr(taken, field):
                    yield (
                        f"services.{key}.{field}",
                        f"{name!r} is that of services.{taken_key} in {other.file} too; each"
                        " environment needs its own",
                    )


def load_environments(folder: Path) -> tuple[Environment, ...]:
    """Reads every `*.toml` file of `folder`, in the order of their names.

    Raises `SettingsError` with every mistake of every file, and where two environments of one
    account have the same name or overlapping addresses.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise SettingsError([f"{folder}: no environment found; add a file such as prod-e.toml"])
    environments: dict[Path, Environment] = {}
    messages: list[str] = []
    for file in files:
        try:
            environments[file] = load_environment(file)
        except SettingsError as error:
            messages += error.messages
    for (one, first), (other, second) in combinations(environments.items(), 2):
        if first.name == second.name:
            messages.append(
                f"{_shown(other)}: name: {second.name!r} is that of {_shown(one)} too;"
                " each environment needs its own"
            )
        else:
            messages += [f"{_shown(other)}: {k}: {p}" for k, p in second.names_shared_with(first)]
        if first.account == second.account and first.network.block.overlaps(second.network.block):
            messages.append(
                f"{_shown(other)}: network.cidr: {second.network.cidr!r} overlaps"
                f" {first.network.cidr!r} of {_shown(one)}; take another block, so that the two can"
                " ever be connected"
            )
    if messages:
        raise SettingsError(messages)
    return tuple(environments.values())


def load_environment(file: Path) -> Environment:
    """Reads one environment's file; raises `SettingsError` with one message per mistake."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError([f"{_shown(file)}: this file does not exist"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{_shown(file)}: cannot be read: {error}"]) from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{_shown(file)}: is not valid TOML: {error}"]) from None
    try:
        return Environment.model_validate(values, context=_shown(file))
    except ValidationError as error:
        lines = (line for details in error.errors() for line in _explained(details))
        raise SettingsError([f"{_shown(file)}: {line}" for line in lines]) from None


def _bucket_problems(name: str) -> Iterator[str]:
    """What AWS has against a bucket's name that is made of the right characters.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    if len(name) > 63:
        yield f"it has {len(name)} characters, and 63 are allowed"
    if ".." in name:
        yield "two dots may not follow each other"
    if re.fullmatch(r"\d+(\.\d+){3}", name):
        yield "it may not look like an IP address"
    for beginning in ("xn--", "sthree-", "amzn-s3-demo-"):
        if name.startswith(beginning):
            yield f"it may not begin with {beginning!r}"
    for end in ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"):
        if name.endswith(end):
            yield f"it may not end with {end!r}"


_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge} or more",
    "int_type": "a whole number",
    "less_than_equal": "{le:g} or less",
    "literal_error": "{expected}",
    "model_type": "a table",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_type": "text in quotes",
    "too_short": "at least {min_length}",
    "tuple_type": "a list",
}
"""What pydantic's types of errors allow, in the words of the file."""


def _explained(details: ErrorDetails) -> Iterator[str]:
    """Turns one of pydantic's errors into lines of key, value and what is allowed."""
    location = [str(part) for part in details["loc"]]
    context = details.get("ctx", {})
    if isinstance(broken := context.get("error"), _BrokenRules):
        for key, problem in broken.mistakes:
            yield f"{'.'.join([*location, key])}: {problem}"
        return
    key = ".".join(location)
    match details["type"]:
        case "missing":
            yield f"{key}: is missing"
        case "extra_forbidden":
            yield f"{key}: is not a known key; allowed: {_listed(_allowed_keys(location[:-1]))}"
        case "string_pattern_mismatch":
            yield (
                f"{key}: {details['input']!r} is not allowed; allowed:"
                f" {_ALLOWED[context['pattern']]}"
            )
        case kind:
            expected = _EXPECTED[kind].format_map(context) if kind in _EXPECTED else details["msg"]
            # A mistaken entry may well be the secret itself.
            given = details["input"]
            shown = str(given) if isinstance(given, date | time) else repr(given)
            value = "" if "secrets" in location else f"{shown} "
            yield f"{key}: {value}is not allowed; allowed: {expected}"


def _allowed_keys(location: Sequence[str]) -> Sequence[str]:
    """The keys of the model at a path of keys, sorted."""
    model: Any = Environment
    for part in location:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[part].annotation
            model = (
                next((a for a in get_args(model) if a is not type(None)), model)
                if (type(None) in get_args(model))
                else model
            )
        else:
            model = get_args(model)[1]
    return sorted(model.model_fields)


def _variable_mistakes(key: str, name: str) -> Iterator[tuple[str, str]]:
    if not _VARIABLE.match(name):
        yield key, "is not a variable's name; allowed: letters, digits and underscores"
    if name in RESERVED_VARIABLES:
        yield key, "is set by prod-e itself; leave it out"


def _listed(values: Sequence[object]) -> str:
    if len(values) > 8 and isinstance(values[0], int):
        step = int(str(values[1])) - int(str(values[0]))
        return f"{values[0]} to {values[-1]} in steps of {step}"
    return ", ".join(str(value) for value in values)


def _shown(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"
