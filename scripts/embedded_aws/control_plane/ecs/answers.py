"""What ECS fills in where a request leaves it out, so that its answers have it.

The fixtures in tests/embedded/answers/ecs name the pages that say so.
"""

from typing import Any

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
_DEPLOYMENT_CONFIGURATION = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
}

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
_HEALTH_CHECK = {"interval": 30, "timeout": 5, "retries": 3}

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
_SERVICE = {
    "availability_zone_rebalancing": "ENABLED",
    "enable_ecs_managed_tags": False,
    "enable_execute_command": False,
    "placement_constraints": [],
    "placement_strategy": [],
}


def fill_in_container(container: dict[str, Any], *, network_mode: str | None) -> None:
    """Fills in a container definition, which moto has given its own defaults.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    container.setdefault("systemControls", [])
    for mapping in container["portMappings"]:
        mapping.setdefault("protocol", "tcp")
        has_range = "containerPortRange" in mapping
        if not has_range:
            awsvpc = network_mode == "awsvpc"
            mapping.setdefault("hostPort", mapping["containerPort"] if awsvpc else 0)
    if health_check := container.get("healthCheck"):
        container["healthCheck"] = {**_HEALTH_CHECK, **health_check}
    linux = container.get("linuxParameters") or {}
    if "capabilities" in linux:
        # Both lists, whichever it was given:
        # https://github.com/terraform-aws-modules/terraform-aws-ecs/issues/176
        linux["capabilities"] = {"add": [], "drop": [], **(linux["capabilities"] or {})}


def fill_in_strategy(strategy: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """A capacity provider strategy, with what its items leave out.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
    """
    return [{"weight": 0, "base": 0, **item} for item in strategy or ()]


def fill_in_service(
    service: Any, *, account_id: str, former_configuration: dict[str, Any] | None = None
) -> None:
    """Fills in a service that was created or updated.

    Args:
        service: moto's service.
        account_id: The account that the service-linked role is in.
        former_configuration: The deployment configuration before the update.
    """
    for field, value in _SERVICE.items():
        if getattr(service, field, None) is None:
            setattr(service, field, value)
    service.deployment_configuration = {
        **_DEPLOYMENT_CONFIGURATION,
        **(former_configuration or {}),
        **(getattr(service, "deployment_configuration", None) or {}),
    }
    strategy = fill_in_strategy(getattr(service, "capacity_provider_strategy", None))
    service.capacity_provider_strategy = strategy or None
    if service.launch_type == "FARGATE" or any(
        item["capacityProvider"].startswith("FARGATE") for item in strategy
    ):
        service.platform_family = "Linux"
    if awsvpc := service.network_configuration.get("awsvpcConfiguration"):
        awsvpc.setdefault("assignPublicIp", "DISABLED")
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
        service.role_arn = (
            f"arn:aws:iam::{account_id}:role/aws-service-role/ecs.amazonaws.com/"
            "AWSServiceRoleForECS"
        )
    if (
        service.load_balancers
        and getattr(service, "health_check_grace_period_seconds", None) is None
    ):
        service.health_check_grace_period_seconds = 0
