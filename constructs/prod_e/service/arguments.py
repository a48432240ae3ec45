"""The arguments that a task has wherever it runs, documented once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Required, TypedDict

from prod_e.doc import Doc


@dataclass(frozen=True, kw_only=True)
class EcrImage:
    """An image in an ECR repository of this account and region, which the task may then pull.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/ECR_on_ECS.html
    """

    repository: Annotated[str, Doc("the repository's name")]
    tag: Annotated[str, Doc("resolved to a digest once for each deployment; default latest")] = (
        "latest"
    )


@dataclass(frozen=True, kw_only=True)
class ContainerHealthCheck:
    """How ECS asks the container itself. Fargate ignores the Dockerfile's HEALTHCHECK.

    Raises `ValueError` for values that ECS refuses.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
    """

    command: Annotated[
        tuple[str, ...],
        Doc('CMD and a program with arguments, or ("CMD-SHELL", line); the image must have it'),
    ]
    interval_seconds: Annotated[int, Doc("5 to 300; default 10")] = 10
    timeout_seconds: Annotated[int, Doc("2 to 60; default 5")] = 5
    retries: Annotated[int, Doc("failures in a row that count, 1 to 10; default 3")] = 3
    start_period_seconds: Annotated[
        int, Doc("in which failures do not count, 0 to 300; default 150")
    ] = 150

    def __post_init__(self) -> None:
        if not self.command or self.command[0] not in {"CMD", "CMD-SHELL"}:
            raise ValueError(f"command = {self.command}; it begins with CMD or CMD-SHELL")
        for name, value, least, most in (
            ("interval_seconds", self.interval_seconds, 5, 300),
            ("timeout_seconds", self.timeout_seconds, 2, 60),
            ("retries", self.retries, 1, 10),
            ("start_period_seconds", self.start_period_seconds, 0, 300),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name} = {value}; allowed: {least} to {most}")


@dataclass(frozen=True, kw_only=True)
class TaskNames:
    """Names of their own for a task's parts; each default: the service's name."""

    family: Annotated[str | None, Doc("the task definition's family")] = None
    container: Annotated[str | None, Doc("the container")] = None
    log_group: Annotated[str | None, Doc("the log group; default: /ecs/<name>")] = None


Image = Annotated[
    str | EcrImage,
    Doc("an address with tag, such as nginxinc/nginx-unprivileged:1, or an EcrImage"),
]
Port = Annotated[
    int | None,
    Doc("the TCP port that the container listens on, 1024 to 65535, told as PORT; default: none"),
]
Environment = Annotated[
    Mapping[str, str] | None,
    Doc("plain variables, readable in plan, state and console; default: none"),
]
Secrets = Annotated[
    Mapping[str, str] | None,
    Doc(
        "variable to ARN of a Secrets Manager secret or a Parameter Store parameter; default: none"
    ),
]
SecretsKmsKeyArns = Annotated[
    Sequence[str],
    Doc(
        "ARNs of the customer managed KMS keys that the secrets are encrypted with, which the"
        " execution role may then use; default: none, for AWS managed keys need no grant."
        " https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html"
    ),
]
CpuUnits = Annotated[int, Doc("1024 are one virtual CPU; default 256")]
MemoryMib = Annotated[int, Doc("MiB, one that Fargate offers with cpu_units; default 512")]
Architecture = Annotated[Literal["x86_64", "arm64"], Doc("the image's; default x86_64")]
TmpMib = Annotated[
    int | None,
    Doc(
        "MiB of the task's memory for a writable /tmp (a tmpfs), since the root file system is"
        " read-only; None: no /tmp; default 64."
        " https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tmpfs.html"
    ),
]
HealthCheckOfContainer = Annotated[
    ContainerHealthCheck | None, Doc("how ECS asks the container itself; default: not at all")
]
ExecuteCommand = Annotated[
    bool,
    Doc(
        "whether `aws ecs execute-command` may open a shell in a task; AWS asks for a root file"
        " system that can be written to, here only the two folders of its agent can; default: no."
        " https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html"
    ),
]
LogRetentionDays = Annotated[int, Doc("how long CloudWatch keeps the log; default 30")]
Names = Annotated[TaskNames | None, Doc("names of their own for a task's parts")]


class TaskArguments(TypedDict, total=False):
    """What `FargateTaskDefinition` takes, for those who pass it on; its defaults hold."""

    image: Required[Image]
    port: Port
    environment: Environment
    secrets: Secrets
    secrets_kms_key_arns: SecretsKmsKeyArns
    cpu_units: CpuUnits
    memory_mib: MemoryMib
    architecture: Architecture
    tmp_mib: TmpMib
    health_check: HealthCheckOfContainer
    execute_command: ExecuteCommand
    log_retention_days: LogRetentionDays
    names: Names
