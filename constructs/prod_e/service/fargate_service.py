"""A service on ECS Fargate."""

import json
from collections.abc import Sequence
from typing import Any

from cdktf import Postcondition, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceAlarms,
    EcsServiceCapacityProviderStrategy,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
    EcsServiceTimeouts,
)
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
)
from constructs import Construct

from prod_e import settings
from prod_e.account import Account
from prod_e.database.database import PORT as DATABASE_PORT
from prod_e.database.database import Database
from prod_e.iam import ServiceRole, Statement
from prod_e.load_balancer.load_balancer import LoadBalancer, Target
from prod_e.names import ServiceNames
from prod_e.network.network import Network
from prod_e.service.cluster import Cluster

# The Systems Manager agent writes here; the rest of the root file system stays read-only.
_AGENT_FOLDERS = {"agent-state": "/var/lib/amazon", "agent-logs": "/var/log/amazon"}


class FargateService(Construct):
    """Tasks of one container in the private subnets, behind the load balancer, scaled by load.

    Only the load balancer reaches a task, on its one port. Its root file system is read-only and
    it holds no Linux capability. Its execution role may pull this image, write this log and read
    these secrets; its task role may read the database's secret and nothing else. A deployment that
    does not become healthy, or that rings one of the alarms, is rolled back by ECS, and Terraform
    then fails.

    `name`: the prefix of names without a name of their own. `names`: see `ServiceNames`.
    `settings`: see `settings.Service`. `account`, `network`, `cluster`, `load_balancer`: where it
    runs. `target`: its target group and route. `image`: the image's address with tag.
    `database`: what it connects to, told by `DB_HOST`, `DB_PORT`, `DB_NAME` and `DB_SECRET_ARN`.
    `log_retention_days`: as CloudWatch offers. `rollback_alarms`: what rolls a deployment back.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate.html
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        names: ServiceNames,
        settings: settings.Service,
        account: Account,
        network: Network,
        cluster: Cluster,
        load_balancer: LoadBalancer,
        target: Target,
        image: str,
        database: Database | None = None,
        log_retention_days: int,
        rollback_alarms: Sequence[CloudwatchMetricAlarm] = (),
    ) -> None:
        super().__init__(scope, id)
        self.names = names
        self.settings = settings
        self.target = target
        self.cluster = cluster
        self.arn = account.arn("ecs", f"service/{cluster.name}/{names.service}")

        self.security_group = network.security_group(id, description=f"Tasks of {names.service}")
        network.allow(load_balancer.security_group, self.security_group, port=settings.port)
        network.allow_egress(self.security_group)
        if database:
            database.allow_from(self.security_group)

        log_group = CloudwatchLogGroup(
            self, "log-group", name=names.log_group, retention_in_days=log_retention_days
        )
        self.log_group_name = log_group.name
        execution_role = ServiceRole(
            self,
            "execution-role",
            name=f"{name}-execution",
            service="ecs-tasks.amazonaws.com",
            account_id=account.id,
            statements=_execution_statements(account, names, log_group, settings.secrets),
        )
        task_role = ServiceRole(
            self,
            "task-role",
            name=f"{name}-task",
            service="ecs-tasks.amazonaws.com",
            account_id=account.id,
            statements=_task_statements(database, execute_command=settings.execute_command),
        )
        task_definition = EcsTaskDefinition(
            self,
            "task-definition",
            family=names.task_family,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(settings.cpu_units),
            memory=str(settings.memory_mib),
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                operating_system_family="LINUX", cpu_architecture=settings.architecture.upper()
            ),
            execution_role_arn=execution_role.arn,
            task_role_arn=task_role.arn,
            container_definitions=json.dumps(
                [_container(account, names, settings, image, database)]
            ),
            volume=[
                EcsTaskDefinitionVolume(name=volume)
                for volume in (_AGENT_FOLDERS if settings.execute_command else ())
            ],
            # Older revisions stay active, because a rollback needs one.
            skip_destroy=True,
        )
        self._service = EcsService(
            self,
            "service",
            name=names.service,
            cluster=cluster.arn,
            task_definition=task_definition.arn,
            desired_count=settings.desired_tasks,
            capacity_provider_strategy=_capacity_providers(settings.spot_weight),
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=network.private_subnet_ids,
                security_groups=[self.security_group.id],
                assign_public_ip=False,
            ),
            load_balancer=[
                EcsServiceLoadBalancer(
                    target_group_arn=target.arn,
                    container_name=names.container,
                    container_port=settings.port,
                )
            ],
            # All new tasks start at once and none of the old stops before they are healthy.
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(
                enable=True, rollback=True
            ),
            alarms=EcsServiceAlarms(
                enable=True,
                rollback=True,
                alarm_names=[alarm.alarm_name for alarm in rollback_alarms],
            )
            if rollback_alarms
            else None,
            availability_zone_rebalancing="ENABLED",
            health_check_grace_period_seconds=60,
            enable_execute_command=settings.execute_command,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            timeouts=EcsServiceTimeouts(create="20m", update="20m", delete="20m"),
            lifecycle=TerraformResourceLifecycle(
                ignore_changes=["desired_count"] if settings.autoscaling else None,
                postcondition=[
                    # Waiting for a steady state also ends when ECS has rolled back.
                    Postcondition(
                        condition=(
                            f"${{self.task_definition == {task_definition.terraform_resource_type}"
                            f".{task_definition.friendly_unique_id}.arn}}"
                        ),
                        error_message=(
                            f"ECS rolled the deployment of {names.service} back: the service runs"
                            " its previous task definition. Its stopped tasks and its log say why."
                        ),
                    )
                ],
            ),
            # ECS refuses a target group that no listener uses, and a task role without its policy
            # would make the first tasks fail.
            depends_on=[
                target.listener_rule,
                cluster.capacity_providers,
                *execution_role.resources,
                *task_role.resources,
            ],
        )
        self.service_name = self._service.name
        if settings.autoscaling:
            self._scale(target, load_balancer)

    def _scale(self, target: Target, load_balancer: LoadBalancer) -> None:
        scalable = AppautoscalingTarget(
            self,
            "scaling",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{self.cluster.name}/{self._service.name}",
            min_capacity=self.settings.min_tasks,
            max_capacity=self.settings.max_tasks,
        )
        label = f"{load_balancer.arn_suffix}/{target.arn_suffix}"
        for id, metric, aim, resource_label in (
            ("cpu", "ECSServiceAverageCPUUtilization", self.settings.cpu_target_percent, None),
            (
                "memory",
                "ECSServiceAverageMemoryUtilization",
                self.settings.memory_target_percent,
                None,
            ),
            (
                "requests",
                "ALBRequestCountPerTarget",
                self.settings.requests_per_task_and_minute,
                label,
            ),
        ):
            AppautoscalingPolicy(
                self,
                f"scaling-{id}",
                name=f"{self.names.service}-{id}",
                policy_type="TargetTrackingScaling",
                service_namespace=scalable.service_namespace,
                scalable_dimension=scalable.scalable_dimension,
                resource_id=scalable.resource_id,
                target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
                    predefined_metric_specification=AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification(
                        predefined_metric_type=metric, resource_label=resource_label
                    ),
                    target_value=aim,
                    scale_out_cooldown=60,
                    scale_in_cooldown=300,
                ),
            )


def _container(
    account: Account,
    names: ServiceNames,
    settings: settings.Service,
    image: str,
    database: Database | None,
) -> dict[str, Any]:
    """The container definition, in the order in which ECS gives it back.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    environment = {name: _literal(value) for name, value in settings.environment.items()}
    environment["PORT"] = str(settings.port)
    if database:
        environment |= {
            "DB_HOST": database.host,
            "DB_PORT": str(DATABASE_PORT),
            "DB_NAME": database.database_name,
            "DB_SECRET_ARN": database.secret_arn,
        }
    return {
        "name": names.container,
        "image": image,
        "essential": True,
        "portMappings": [
            {"containerPort": settings.port, "hostPort": settings.port, "protocol": "tcp"}
        ],
        "environment": [{"name": name, "value": environment[name]} for name in sorted(environment)],
        "secrets": [
            {"name": name, "valueFrom": settings.secrets[name]} for name in sorted(settings.secrets)
        ],
        "healthCheck": {
            "command": [
                _literal(part) for part in settings.health_command or _health_command(settings)
            ],
            "interval": 10,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 30,
        },
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "mountPoints": [
            {"sourceVolume": volume, "containerPath": folder, "readOnly": False}
            for volume, folder in (_AGENT_FOLDERS if settings.execute_command else {}).items()
        ],
        "stopTimeout": 30,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": names.log_group,
                "awslogs-region": account.region,
                "awslogs-stream-prefix": "ecs",
                # A log that cannot be delivered must not stop the service.
                "mode": "non-blocking",
                "max-buffer-size": "4m",
            },
        },
    }


def _literal(text: str) -> str:
    """The text as it is, where Terraform would read `${` and `%{` as the start of an expression."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _health_command(settings: settings.Service) -> tuple[str, ...]:
    # Fargate ignores the Dockerfile's HEALTHCHECK, and slim images have no curl.
    address = json.dumps(f"http://127.0.0.1:{settings.port}{settings.health_path}")
    return (
        "CMD",
        "node",
        "-e",
        f"require('http').get({address}, r => process.exit(r.statusCode === 200 ? 0 : 1))"
        ".on('error', () => process.exit(1))",
    )


def _execution_statements(
    account: Account,
    names: ServiceNames,
    log_group: CloudwatchLogGroup,
    secrets: dict[str, str],
) -> tuple[Statement, ...]:
    statements = [
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
            resources=(account.arn("ecr", f"repository/{names.repository}"),),
        ),
        Statement(
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            resources=(f"{log_group.arn}:*",),
        ),
    ]
    # An ARN may be followed by a key of the secret's JSON, a stage and a version.
    arns = sorted({":".join(arn.split(":")[:7]) for arn in secrets.values()})
    if managed := tuple(arn for arn in arns if ":secretsmanager:" in arn):
        statements.append(Statement(actions=("secretsmanager:GetSecretValue",), resources=managed))
    if parameters := tuple(arn for arn in arns if ":ssm:" in arn):
        statements.append(Statement(actions=("ssm:GetParameters",), resources=parameters))
    return tuple(statements)


def _task_statements(database: Database | None, *, execute_command: bool) -> tuple[Statement, ...]:
    statements = []
    if database:
        statements.append(
            Statement(actions=("secretsmanager:GetSecretValue",), resources=(database.secret_arn,))
        )
    if execute_command:
        statements.append(
            Statement(
                actions=(
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ),
                resources=("*",),
                any_resource_because="Systems Manager's channels are not resources with an ARN",
            )
        )
    return tuple(statements)


def _capacity_providers(spot_weight: int) -> list[EcsServiceCapacityProviderStrategy]:
    weights = {"FARGATE": 100 - spot_weight, "FARGATE_SPOT": spot_weight}
    return [
        EcsServiceCapacityProviderStrategy(capacity_provider=provider, weight=weight)
        for provider, weight in weights.items()
        if weight
    ]
