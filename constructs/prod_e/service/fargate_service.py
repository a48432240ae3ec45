"""A service on ECS Fargate."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Unpack

from cdktf import Postcondition, TerraformResource, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceCapacityProviderStrategy,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
    EcsServiceTimeouts,
)
from constructs import Construct

from prod_e.account import Account
from prod_e.doc import Doc
from prod_e.iam import Statement
from prod_e.network.network import NetworkBase
from prod_e.network.security_group import SecurityGroupBase
from prod_e.service.arguments import Secrets, TaskArguments
from prod_e.service.cluster import Cluster, ClusterBase
from prod_e.service.route import Route
from prod_e.service.scaling import Scaling, TaskScaling
from prod_e.service.task_definition import FargateTaskDefinition

_LONGEST_DESCRIPTION = 255
"""Of a security group."""


class FargateService(Construct):
    """Tasks of one container in the private subnets, replaced when they fail.

    Without more it is a worker, which nobody can reach. A load balancer's `route` leads requests
    to it, `allow_from` lets another service in, and a database's `allow_from` lets it connect.
    What its container is, and may and may not do: see `FargateTaskDefinition`, whose arguments it
    takes too. A deployment that does not
    become healthy, or that rings one of the alarms, is rolled back by ECS, and Terraform then
    fails.

    Raises `ValueError` for values that AWS refuses.

    `task`: its `FargateTaskDefinition`. `uses_database`: whether a database has let it in.
    `service`, `task_definition`, `log_group`: the resources.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate.html
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Annotated[NetworkBase, Doc("where its tasks run")],
        cluster: Annotated[
            ClusterBase | None, Doc("the ECS cluster; default: one of its own")
        ] = None,
        name: Annotated[
            str | None,
            Doc("what names without a name of their own begin with; default: <network's>-<id>"),
        ] = None,
        service_name: Annotated[str | None, Doc("the ECS service; default: the name")] = None,
        desired_tasks: Annotated[
            int, Doc("how many; with scaling only at the start; 0 to 5000; default 2")
        ] = 2,
        scaling: Annotated[
            Scaling | None, Doc("how the number follows the load; default: not at all")
        ] = None,
        spot_percent: Annotated[
            int, Doc("the share of tasks on Fargate Spot, 0 to 100; default 0")
        ] = 0,
        **task: Unpack[TaskArguments],
    ) -> None:
        super().__init__(scope, id)
        _check(spot_percent, desired_tasks, scaling)
        self.name = name or f"{network.name}-{id}"
        self.service_name = service_name or self.name
        self.port = task.get("port")
        self.cluster = cluster or Cluster(self, "cluster", name=self.name)
        self.arn = Account.of(self).arn("ecs", f"service/{self.cluster.name}/{self.service_name}")
        self.routes: list[Route] = []
        self.uses_database = False
        self.security_group = network.security_group(
            self,
            name=f"{network.name}-{id}",
            description=f"Tasks of {self.service_name}"[:_LONGEST_DESCRIPTION],
        )
        network.allow_egress(self.security_group)
        execute_command = task.get("execute_command", False)
        if execute_command:
            network.allow_execute_command()
        self.task = FargateTaskDefinition(
            self,
            "Default",  # leaves no trace in Terraform addresses
            name=self.name,
            **task,
        )
        self.task_definition = self.task.task_definition
        self.log_group = self.task.log_group
        self.service = self._ecs_service(
            network,
            desired_tasks=desired_tasks,
            is_scaled=scaling is not None,
            spot_percent=spot_percent,
            execute_command=execute_command,
        )
        self._scaling = (
            TaskScaling(
                self,
                scaling=scaling,
                cluster_name=self.cluster.name,
                service_name=self.service.name,
                name=self.service_name,
            )
            if scaling
            else None
        )
        self._network = network
        self._addresses: dict[TerraformResource, str] = {}
        self._depend_on_all()
        self.task.changed.append(self._depend_on_all)
        self.security_group.changed.append(self._depend_on_all)

    def allow_from(
        self,
        peer: Annotated["FargateService", Doc("a service whose tasks may connect")],
        *,
        port: Annotated[int | None, Doc("TCP; default: this service's port")] = None,
    ) -> None:
        """Lets another service's tasks open connections to these. `ValueError` without a port."""
        self.security_group.allow_from(peer.security_group, port=self._port(port))

    def add_environment(self, **variables: str) -> None:
        """Tells the container more variables, whose values may be attributes of resources.

        Raises `ValueError` if one of them has another value already.
        """
        self.task.add_environment(variables)

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
        """Runs a program before the container; see `FargateTaskDefinition.add_init_container`."""
        self.task.add_init_container(
            name, command=command, environment=environment, secrets=secrets
        )

    def add_to_task_policy(self, *statements: Statement) -> None:
        """Lets the program in the container do more with AWS."""
        self.task.add_to_task_policy(*statements)

    def roll_back_on(
        self, alarms: Annotated[Sequence[CloudwatchMetricAlarm], Doc("of this account and region")]
    ) -> None:
        """Lets ECS roll a deployment back during which one of the alarms rings."""
        self.service.put_alarms(
            enable=True, rollback=True, alarm_names=[alarm.alarm_name for alarm in alarms]
        )

    def add_route(
        self,
        route: Annotated[Route, Doc("what the load balancer made")],
        *,
        load_balancer: Annotated[SecurityGroupBase, Doc("its security group")],
    ) -> None:
        """Registers the tasks with a target group; `LoadBalancer.route` calls it."""
        is_new = all(route.target_group is not each.target_group for each in self.routes)
        self.routes.append(route)
        self._depend_on_all()
        if not is_new:
            return
        port = self._port(None)
        self.security_group.allow_from(load_balancer, port=port)
        target_groups = list(dict.fromkeys(each.target_group for each in self.routes))
        self.service.put_load_balancer(
            [
                EcsServiceLoadBalancer(
                    target_group_arn=target_group.arn,
                    container_name=self.task.container_name,
                    container_port=port,
                )
                for target_group in target_groups
            ]
        )
        self.service.health_check_grace_period_seconds = max(
            each.grace_period_seconds for each in self.routes
        )
        if self._scaling:
            self._scaling.follow_requests(
                load_balancer=route.load_balancer_arn_suffix,
                target_group=route.target_group.arn_suffix,
                number=len(target_groups),
            )

    def _port(self, port: int | None) -> int:
        found = port or self.port
        if found is None:
            raise ValueError(f"{self.name} has no port: give FargateService one")
        return found

    def _depend_on_all(self) -> None:
        # ECS refuses a target group that no listener uses, and a task that starts before its way to
        # ECR, its database or its load balancer is there fails, and with it the deployment.
        needed = [
            *(route.listener_rule for route in self.routes),
            *self.cluster.dependables,
            *self.task.dependables,
            *self._network.egress_dependables,
            *(rule.resource for rule in self.security_group.rules),
            *self.security_group.counterparts,
        ]
        for each in needed:
            # Each answer of jsii's takes a while, and this is asked again with each change.
            if isinstance(each, TerraformResource) and each not in self._addresses:
                address = f"{each.terraform_resource_type}.{each.friendly_unique_id}"
                self._addresses[each] = address
        self.service.depends_on = [
            self._addresses[each] for each in needed if isinstance(each, TerraformResource)
        ]

    def _ecs_service(
        self,
        network: NetworkBase,
        *,
        desired_tasks: int,
        is_scaled: bool,
        spot_percent: int,
        execute_command: bool,
    ) -> EcsService:
        return EcsService(
            self,
            "service",
            name=self.service_name,
            cluster=self.cluster.arn,
            task_definition=self.task_definition.arn,
            desired_count=desired_tasks,
            capacity_provider_strategy=_capacity_providers(spot_percent),
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=network.private_subnet_ids,
                security_groups=[self.security_group.security_group_id],
                assign_public_ip=False,
            ),
            # All new tasks start at once and none of the old stops before they are healthy.
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(
                enable=True, rollback=True
            ),
            availability_zone_rebalancing="ENABLED",
            enable_execute_command=execute_command,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            # Otherwise another capacity provider would destroy and re-create the service; with it,
            # every change in place takes the image that the tag names then.
            force_new_deployment=True,
            timeouts=EcsServiceTimeouts(create="20m", update="20m", delete="20m"),
            lifecycle=TerraformResourceLifecycle(
                ignore_changes=["desired_count"] if is_scaled else None,
                postcondition=[self._is_not_rolled_back()],
            ),
        )

    def _is_not_rolled_back(self) -> Postcondition:
        # Waiting for a steady state also ends when ECS has rolled back.
        return Postcondition(
            condition=(
                f"${{self.task_definition == {self.task_definition.terraform_resource_type}"
                f".{self.task_definition.friendly_unique_id}.arn}}"
            ),
            error_message=(
                f"ECS rolled the deployment of {self.service_name} back: the service runs"
                " its previous task definition. Its stopped tasks and its log say why."
            ),
        )


def _check(spot_percent: int, desired_tasks: int, scaling: Scaling | None) -> None:
    if not 0 <= spot_percent <= 100:
        raise ValueError(f"spot_percent = {spot_percent}; allowed: 0 to 100")
    if scaling and not scaling.min_tasks <= desired_tasks <= scaling.max_tasks:
        raise ValueError(
            f"desired_tasks = {desired_tasks} is not between min_tasks = {scaling.min_tasks}"
            f" and max_tasks = {scaling.max_tasks}"
        )


def _capacity_providers(spot_percent: int) -> list[EcsServiceCapacityProviderStrategy]:
    weights = {"FARGATE": 100 - spot_percent, "FARGATE_SPOT": spot_percent}
    return [
        EcsServiceCapacityProviderStrategy(capacity_provider=provider, weight=weight)
        for provider, weight in weights.items()
        if weight
    ]
