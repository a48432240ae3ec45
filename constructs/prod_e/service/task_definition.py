"""A task: one container, its size, its log and its two roles."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated

from cdktf import ITerraformDependable, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
)
from constructs import Construct

from prod_e.account import Account
from prod_e.doc import Doc
from prod_e.iam import ServiceRole, Statement
from prod_e.names import with_end
from prod_e.service.arguments import (
    Architecture,
    CpuUnits,
    EcrImage,
    Environment,
    ExecuteCommand,
    HealthCheckOfContainer,
    Image,
    LogRetentionDays,
    MemoryMib,
    Names,
    Port,
    Secrets,
    SecretsKmsKeyArns,
    TaskNames,
    TmpMib,
)
from prod_e.service.container import (
    AGENT_FOLDERS,
    ContainerDefinition,
    InitContainer,
    literal,
)
from prod_e.service.fargate_sizes import FARGATE_MEMORY_MIB
from prod_e.service.ports import LEAST_PORT

_HIGHEST_PORT = 65_535
_PRINCIPAL = "ecs-tasks.amazonaws.com"


class FargateTaskDefinition(Construct):
    """What a Fargate task is, whatever starts it: a service, a schedule, or `aws ecs run-task`.

    Its root file system is read-only, with a `/tmp` in memory, and it holds no Linux capability.
    Its execution role may pull its image if that is in ECR, write its log and read its secrets;
    its task role may do what `add_to_task_policy` says and nothing else.

    Whoever starts it otherwise than by a service, as an EventBridge schedule does, needs
    `task_definition.arn`, and `iam:PassRole` for both roles.

    Raises `ValueError` for a size that Fargate does not offer, and for a port below 1024, which a
    container without capabilities cannot listen on.

    `task_definition`, `log_group`: the resources. `execution_role`, `task_role`: with their `arn`.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definitions.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        image: Image,
        port: Port = None,
        name: Annotated[
            str | None, Doc("what names without a name of their own begin with; <stack>-<id>")
        ] = None,
        environment: Environment = None,
        secrets: Secrets = None,
        secrets_kms_key_arns: SecretsKmsKeyArns = (),
        cpu_units: CpuUnits = 256,
        memory_mib: MemoryMib = 512,
        architecture: Architecture = "x86_64",
        tmp_mib: TmpMib = 64,
        health_check: HealthCheckOfContainer = None,
        execute_command: ExecuteCommand = False,
        log_retention_days: LogRetentionDays = 30,
        names: Names = None,
    ) -> None:
        super().__init__(scope, id)
        _check_size(cpu_units, memory_mib, tmp_mib)
        if port is not None and not LEAST_PORT <= port <= _HIGHEST_PORT:
            raise ValueError(f"port = {port}; allowed: {LEAST_PORT} to {_HIGHEST_PORT}")
        name = name or f"{TerraformStack.of(self).node.id}-{id}"
        names = names or TaskNames()
        secrets = secrets or {}
        account = Account.of(self)
        self.changed: list[Callable[[], None]] = []
        """Called after `dependables` has grown."""
        log_group_name = names.log_group or f"/ecs/{name}"
        self.log_group = CloudwatchLogGroup(
            self, "log-group", name=log_group_name, retention_in_days=log_retention_days
        )
        self.execution_role = ServiceRole(
            self,
            "execution-role",
            name=f"{name}-execution",
            service=_PRINCIPAL,
            account_id=account.id,
            statements=_execution_statements(account, image, self.log_group),
        )
        self._let_read(secrets.values())
        if secrets_kms_key_arns:
            self.execution_role.allow(decrypt_secrets(account, secrets_kms_key_arns))
        self.task_role = ServiceRole(
            self,
            "task-role",
            name=f"{name}-task",
            service=_PRINCIPAL,
            account_id=account.id,
        )
        self._definition = ContainerDefinition(
            name=names.container or name,
            image=_address(account, image),
            port=port,
            secrets=secrets,
            health_check=health_check,
            execute_command=execute_command,
            tmp_mib=tmp_mib,
            log_group=log_group_name,
            region=account.region,
        )
        self.container_name = self._definition.name
        self._init_containers: list[InitContainer] = []
        self._environment = {key: literal(value) for key, value in (environment or {}).items()}
        if port:
            self._environment["PORT"] = str(port)
        self.task_definition = EcsTaskDefinition(
            self,
            "task-definition",
            family=names.family or name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(cpu_units),
            memory=str(memory_mib),
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                operating_system_family="LINUX", cpu_architecture=architecture.upper()
            ),
            execution_role_arn=self.execution_role.arn,
            task_role_arn=self.task_role.arn,
            container_definitions=self._definition.as_json(self._environment),
            volume=[
                EcsTaskDefinitionVolume(name=volume)
                for volume in (AGENT_FOLDERS if execute_command else ())
            ],
            # Older revisions stay active, because a rollback needs one.
            skip_destroy=True,
        )
        if execute_command:
            self.add_to_task_policy(_EXECUTE_COMMAND)

    @property
    def dependables(self) -> list[ITerraformDependable]:
        """What must exist before a task starts: a role without its policy would make it fail."""
        return [*self.execution_role.resources, *self.task_role.resources]

    def add_environment(
        self, variables: Annotated[Mapping[str, str], Doc("each with its value")]
    ) -> None:
        """Tells the container more variables, whose values may be attributes of resources.

        Raises `ValueError` if one of them has another value already.
        """
        for key, value in variables.items():
            if self._environment.get(key, value) != value:
                raise ValueError(f"{key} has a value already: {self._environment[key]!r}")
        self._environment |= variables
        self._define()

    def add_init_container(
        self,
        name: Annotated[str, Doc("what follows the container's name, as in <container>-<name>")],
        *,
        command: Annotated[Sequence[str], Doc("a program of the image, with its arguments")],
        environment: Annotated[
            Mapping[str, str] | None, Doc("its plain variables; default: none")
        ] = None,
        secrets: Secrets = None,
    ) -> None:
        """Runs a program to its end before the container starts; if it fails, the task ends.

        It has three minutes on Fargate. The container sees none of its variables and secrets, but
        both have the same task role. It runs with the image, log and hardening of the container.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
        """
        secrets = secrets or {}
        self._let_read(secrets.values())
        self._init_containers.append(
            InitContainer(
                name=with_end(self.container_name, name),
                command=tuple(command),
                environment=environment or {},
                secrets=secrets,
            )
        )
        self._define()

    def add_to_task_policy(self, *statements: Statement) -> None:
        """Lets the program in the container do more with AWS."""
        self.task_role.allow(*statements)
        for tell in self.changed:
            tell()

    def _define(self) -> None:
        self.task_definition.container_definitions = self._definition.as_json(
            self._environment, self._init_containers
        )

    def _let_read(self, secrets: Collection[str]) -> None:
        # An ARN may be followed by a key of the secret's JSON, a stage and a version. One that
        # Terraform is yet to know is an expression, with colons behind it only.
        arns = sorted({_without_key(arn) for arn in secrets})
        parameters = tuple(arn for arn in arns if ":ssm:" in arn)
        if managed := tuple(arn for arn in arns if arn not in parameters):
            self.execution_role.allow(
                Statement(actions=("secretsmanager:GetSecretValue",), resources=managed)
            )
        if parameters:
            self.execution_role.allow(
                Statement(actions=("ssm:GetParameters",), resources=parameters)
            )


_EXECUTE_COMMAND = Statement(
    actions=(
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ),
    resources=("*",),
    any_resource_because="Systems Manager's channels are not resources with an ARN",
)


def _check_size(cpu_units: int, memory_mib: int, tmp_mib: int | None) -> None:
    offered = FARGATE_MEMORY_MIB.get(cpu_units)
    if offered is None:
        raise ValueError(f"cpu_units = {cpu_units}; allowed: {sorted(FARGATE_MEMORY_MIB)}")
    if memory_mib not in offered:
        raise ValueError(
            f"memory_mib = {memory_mib} is not offered with cpu_units = {cpu_units};"
            f" allowed: {offered}"
        )
    if tmp_mib is not None and not 1 <= tmp_mib < memory_mib:
        raise ValueError(f"tmp_mib = {tmp_mib}; allowed: 1 to below memory_mib = {memory_mib}")


def _address(account: Account, image: str | EcrImage) -> str:
    if isinstance(image, str):
        return image
    return f"{account.registry}/{image.repository}:{image.tag}"


def _execution_statements(
    account: Account,
    image: str | EcrImage,
    log_group: CloudwatchLogGroup,
) -> tuple[Statement, ...]:
    statements = []
    if isinstance(image, EcrImage):
        statements += [
            Statement(
                actions=("ecr:GetAuthorizationToken",),
                resources=("*",),
                any_resource_because="the token is the account's; the action supports no resource",
            ),
            Statement(
                actions=(
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:GetDownloadUrlForLayer",
                ),
                resources=(account.arn("ecr", f"repository/{image.repository}"),),
            ),
        ]
    statements.append(
        Statement(
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            resources=(f"{log_group.arn}:*",),
        )
    )
    return tuple(statements)


def _without_key(arn: str) -> str:
    if arn.startswith("${"):
        expression, has_key, _ = arn.partition("}:")
        return expression + "}" if has_key else arn
    return ":".join(arn.split(":")[:7])


def decrypt_secrets(account: Account, key_arns: Sequence[str]) -> Statement:
    """Lets a role use KMS keys for what Secrets Manager and Parameter Store give it."""
    return Statement(
        actions=("kms:Decrypt",),
        resources=tuple(key_arns),
        conditions={
            "StringEquals": {
                "kms:ViaService": [
                    f"{service}.{account.region}.amazonaws.com"
                    for service in ("secretsmanager", "ssm")
                ]
            }
        },
    )
