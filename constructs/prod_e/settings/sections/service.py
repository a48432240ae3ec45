"""`[services.KEY]`: a folder with a Dockerfile that runs on Fargate."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from prod_e.delivery.image_build import RESERVED_BUILD_ARGS
from prod_e.delivery.image_tag import ImageTag
from prod_e.load_balancer.priority import LONGEST_PATTERN, path_patterns, rule_priority
from prod_e.service.fargate_sizes import FARGATE_MEMORY_MIB
from prod_e.service.ports import LEAST_PORT
from prod_e.settings.fields import (
    Distinct,
    EcsName,
    Mistake,
    Section,
    listed,
    matching,
    parsed_text,
)
from prod_e.settings.secrecy import looks_secret
from prod_e.settings.variables import (
    ARN_OF_SECRETS_MANAGER,
    NAME_OF_VARIABLE,
    variable_mistakes,
)


class Service(Section):
    """One service: a folder with a Dockerfile that runs on Fargate behind the load balancer."""

    source: (
        Annotated[
            str,
            matching(
                r"^[A-Za-z0-9_ .@+-]+(/[A-Za-z0-9_ .@+-]+)*/?$",
                "a folder of the project, such as backend or apps/web",
            ),
        ]
        | None
    ) = None
    """The folder with the Dockerfile, from the project's root; default: the service's key."""

    build: Literal["terraform", "external"] = "terraform"
    """`terraform` builds and pushes with the docker provider, `external` leaves it to you."""

    image_tag: Annotated[
        ImageTag,
        parsed_text(
            ImageTag,
            matching(
                r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$",
                "latest, content, or letters, digits, dots, underscores and hyphens, at most 128",
            ),
        ),
    ] = Field("latest", validate_default=True)
    """`latest`, `content` (the content hash of `source`), or a tag of yours. One that begins with
    `content-` or `git-` names a build that exists: none is made, whatever `build` says."""

    architecture: Literal["x86_64", "arm64"] = "x86_64"
    """The processors that the tasks run on and the image is built for."""

    build_args: dict[str, str] = Field(default_factory=dict)
    """For the Dockerfile; an image's history shows them. The backend's takes `NODE_VERSION`, such
    as `"22"`; its default, 16, has had no security fixes since 2023-09-11."""

    build_network: Literal["default", "host", "none"] | None = None
    """The network of the build's steps; default: the daemon's own, or `host` where it has none."""

    path: Annotated[
        str,
        matching(
            r"^/[A-Za-z0-9_*?.$/~\"'@:+&-]*$",
            "a path that starts with /; * and ? match anything",
            max_length=128,
        ),
    ] = "/*"
    """The route: a path, in which `*` and `?` are the load balancer's wildcards. Without them it is
    the path and all below it: `/api` is `/api` and `/api/*`."""

    host: (
        Annotated[
            str,
            matching(
                r"^[a-z0-9*?.-]+\.[a-z]{2,}$",
                "a host name such as api.example.com; * and ? match anything",
                max_length=128,
            ),
        ]
        | None
    ) = None
    """The route: a host name, with the same wildcards; default: every host."""

    priority: Annotated[int, Field(ge=1, le=50000)] | None = None
    """The listener rule's, 1 to 50000, the lowest is tried first; default: the more specific route
    first."""

    port: Annotated[int, Field(ge=1, le=65535)] = 3000
    """What the container listens on, told by the variable `PORT`; 1024 to 65535. Another one loses
    no request."""

    health_path: Annotated[
        str,
        matching(
            r"^/[!-z|~]*$", "a path that starts with /, without spaces or braces", max_length=1024
        ),
    ] = "/health"
    """What the load balancer asks for; a task that answers 200 is healthy."""

    health_interval_seconds: Annotated[int, Field(ge=6, le=300)] = 10
    """How often the load balancer, and the container itself, ask for health."""

    startup_seconds: Annotated[int, Field(ge=0, le=300)] = 150
    """How long a new task may take until it is healthy, migrations of its database included."""

    health_command: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    """The container's own health check, as `["CMD", program, arguments ...]` or `["CMD-SHELL",
    line]`; default: node asks for `health_path`."""

    repository: (
        Annotated[
            str,
            matching(
                r"^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$",
                "lower-case letters and digits, with single . _ - and / between them",
                min_length=2,
                max_length=256,
            ),
        ]
        | None
    ) = None
    """The ECR repository; default: `<environment>-<service>`. With another one it is deleted, with
    its images, and made anew."""

    immutable_tags: bool = False
    """Whether ECR lets no tag come to name another image; `latest` is left out of that, which takes
    version 6.10 of the AWS provider or newer in `providers.aws`."""

    task_family: EcsName | None = None
    """The task definition's family; default: `<environment>-<service>`."""

    container: EcsName | None = None
    """The container; default: `<environment>-<service>`."""

    service: EcsName | None = None
    """The ECS service; default: `<environment>-<service>`. With another one it is deleted and made
    anew, an outage of minutes."""

    log_group: (
        Annotated[
            str,
            matching(r"^[A-Za-z0-9_./#-]{1,512}$", "letters, digits and _ . / # -, at most 512"),
        ]
        | None
    ) = None
    """The CloudWatch log group; default: `/ecs/<environment>-<service>`. With another one it is
    deleted, with the log, and made anew."""

    cpu_units: Literal[256, 512, 1024, 2048, 4096, 8192, 16384] = 256
    """Of each task; 1024 are one processor."""

    memory_mib: int = 512
    """Of each task, in MiB: what Fargate offers with `cpu_units`."""

    min_tasks: Annotated[int, Field(ge=0, le=5000)] = 2
    """At least so many tasks run, 1 or more. Equal to `max_tasks`, it turns scaling off."""

    desired_tasks: Annotated[int, Field(ge=0, le=5000)] = 2
    """How many tasks a new service begins with."""

    max_tasks: Annotated[int, Field(ge=1, le=5000)] = 10
    """At most so many tasks run."""

    cpu_target_percent: Annotated[int, Field(ge=10, le=90)] = 60
    """The average use of processors that scaling aims at."""

    memory_target_percent: Annotated[int, Field(ge=10, le=90)] = 70
    """The average use of memory that scaling aims at."""

    requests_per_task_and_minute: Annotated[int, Field(ge=1)] = 1000
    """The number of requests that scaling aims at."""

    spot_weight: Annotated[int, Field(ge=0, le=100)] = 0
    """The percentage of tasks on Fargate Spot."""

    environment: dict[str, str] = Field(default_factory=dict)
    """Plain variables of the container."""

    secrets: dict[str, str] = Field(default_factory=dict)
    """Variable to ARN in Secrets Manager, which may be followed by `:key:stage:version`, or in
    Parameter Store."""

    secrets_kms_key_arns: Distinct[
        Annotated[
            str,
            matching(
                r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]{1,64}$",
                "the ARN of a KMS key, not of an alias",
            ),
        ]
    ] = ()
    """The customer managed KMS keys that `secrets` and `database_secret_arn` are encrypted with;
    ECS, and for the latter the service, may then decrypt with them."""

    database: bool | None = None
    """Whether the service may reach the environment's database; each says so where there are
    several, and a single one may by default."""

    migration_command: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = (
        "node",
        "dist/migrate.js",
    )
    """With `database`: the program of the image that makes the service's PostgreSQL user and brings
    the schema up to date, in a container of its own with the master user's login; see
    backend/README.md."""

    database_secret_arn: (
        Annotated[
            str,
            matching(
                rf"^{ARN_OF_SECRETS_MANAGER}$",
                "the whole ARN of a Secrets Manager secret, which ends in six random characters",
            ),
        ]
        | None
    ) = None
    """With `database`: a secret of yours with `username` and `password` as JSON. No user is made
    then, nothing migrates, and nobody changes the password."""

    database_connections: Annotated[int, Field(ge=1, le=100)] | None = None
    """With `database`: the most connections of one task, told by `DB_CONNECTIONS_MAX`; default: 10,
    or as many as the database allows while a deployment runs twice as many tasks."""

    execute_command: bool = False
    """Whether `aws ecs execute-command` may open a shell in a task. AWS asks for a root file system
    that can be written to; here only the two folders of its agent can."""

    @property
    def is_built(self) -> bool:
        """Whether Terraform builds the image from the source as it is now."""
        return self.build == "terraform" and not self.image_tag.pinned_build

    @property
    def autoscaling(self) -> bool:
        """Whether the number of tasks follows the load."""
        return self.min_tasks < self.max_tasks

    @property
    def rule_priority(self) -> int:
        """The listener rule's priority: given, or derived from the route alone."""
        return self.priority or rule_priority(self.path, self.host)

    def _mistakes(self) -> Iterator[Mistake]:
        if self.source and ".." in self.source.split("/"):
            yield "source", f"{self.source!r} leads out of the project; allowed: a folder in it"
        if self.log_group and self.log_group.startswith("aws/"):
            yield "log_group", f"{self.log_group!r} is refused by AWS, to which aws/ belongs"
        allowed = FARGATE_MEMORY_MIB[self.cpu_units]
        if self.memory_mib not in allowed:
            yield (
                "memory_mib",
                f"{self.memory_mib} is not offered with cpu_units = {self.cpu_units};"
                f" allowed: {listed(allowed)}",
            )
        if self.port < LEAST_PORT:
            yield (
                "port",
                f"{self.port} is refused to a container without Linux capabilities; allowed:"
                f" {LEAST_PORT} to 65535, whatever the load balancer listens on",
            )
        if any(len(pattern) > LONGEST_PATTERN for pattern in path_patterns(self.path)):
            yield (
                "path",
                f"{self.path!r} with all below it is too long for the load balancer; allowed: at"
                f" most {LONGEST_PATTERN - 2} characters without wildcards",
            )
        if self.health_command and (
            self.health_command[0] not in ("CMD", "CMD-SHELL") or len(self.health_command) == 1
        ):
            yield "health_command", 'does not begin with "CMD" or "CMD-SHELL", and a command'
        if self.min_tasks == 0:
            yield (
                "min_tasks",
                "0 would be forever: with no task running there is nothing that scaling could"
                " follow; allowed: 1 or more",
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
        if self.database is False:
            for key in ("migration_command", "database_secret_arn", "database_connections"):
                if key in self.model_fields_set:
                    yield key, "has no meaning with database = false; leave it out"
        elif self.database_secret_arn and "migration_command" in self.model_fields_set:
            yield "migration_command", "has no meaning with database_secret_arn; leave it out"
        yield from self._build_argument_mistakes()
        yield from variable_mistakes(
            environment=self.environment,
            secrets=self.secrets,
            secrets_kms_key_arns=self.secrets_kms_key_arns,
            commands={
                "health_command": self.health_command or (),
                "migration_command": self.migration_command,
            },
        )

    def _build_argument_mistakes(self) -> Iterator[Mistake]:
        for name, value in self.build_args.items():
            key = f"build_args.{name}"
            if not NAME_OF_VARIABLE.fullmatch(name):
                yield (
                    key,
                    "is not a build argument's name; allowed: letters, digits and underscores",
                )
            if name in RESERVED_BUILD_ARGS:
                yield key, "is set by prod-e itself; leave it out"
            if not value:
                yield key, "is empty, which Terraform takes for absent; leave it out"
            if looks_secret(name, value):
                yield (
                    key,
                    "looks like a secret, and build arguments are readable in the image's history,"
                    " the plan and the state; give its ARN in `secrets` to the running service",
                )
