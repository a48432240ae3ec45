"""prod-e: a container platform on AWS, as constructs for CDK for Terraform.

Importing it changes nothing in the process and loads neither cdktf nor jsii; each name is loaded
when it is first asked for. An app imports the AWS provider's bindings quickly if it is started by
`python -m prod_e main.py`, or if the first thing that it does is

    import prod_e

    prod_e.enable_fast_imports()
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prod_e.account import Account
    from prod_e.app.fast_imports import enable as enable_fast_imports
    from prod_e.app.synthesis import EnvironmentStacks, synthesise
    from prod_e.database.database import Database
    from prod_e.database.database_base import DatabaseBase
    from prod_e.database.restore import Restore
    from prod_e.delivery.delivery_role import DeliveryRole
    from prod_e.delivery.image_repository import ImageRepository
    from prod_e.delivery.redeploy_on_push import RedeployOnPush
    from prod_e.iam import Statement
    from prod_e.load_balancer.certificate import Domain
    from prod_e.load_balancer.load_balancer import AccessLogs, LoadBalancer, LoadBalancerBase
    from prod_e.load_balancer.target_group import HealthCheck
    from prod_e.load_balancer.waf import Waf
    from prod_e.monitoring.alarms.thresholds import Thresholds
    from prod_e.monitoring.monitoring import Monitoring
    from prod_e.names import EnvironmentNames, ServiceNames
    from prod_e.network.network import Network, NetworkBase
    from prod_e.service.arguments import ContainerHealthCheck, EcrImage, TaskNames
    from prod_e.service.cluster import Cluster, ClusterBase
    from prod_e.service.fargate_service import FargateService
    from prod_e.service.route import Route
    from prod_e.service.scaling import Scaling
    from prod_e.service.task_definition import FargateTaskDefinition
    from prod_e.settings import SettingsError, load_environments

__all__ = [
    "AccessLogs",
    "Account",
    "Cluster",
    "ClusterBase",
    "ContainerHealthCheck",
    "Database",
    "DatabaseBase",
    "DeliveryRole",
    "Domain",
    "EcrImage",
    "EnvironmentNames",
    "EnvironmentStacks",
    "FargateService",
    "FargateTaskDefinition",
    "HealthCheck",
    "ImageRepository",
    "LoadBalancer",
    "LoadBalancerBase",
    "Monitoring",
    "Network",
    "NetworkBase",
    "RedeployOnPush",
    "Restore",
    "Route",
    "Scaling",
    "ServiceNames",
    "SettingsError",
    "Statement",
    "TaskNames",
    "Thresholds",
    "Waf",
    "enable_fast_imports",
    "load_environments",
    "synthesise",
]

_MODULES = {
    "AccessLogs": "load_balancer.load_balancer",
    "Account": "account",
    "Cluster": "service.cluster",
    "ClusterBase": "service.cluster",
    "ContainerHealthCheck": "service.arguments",
    "Database": "database.database",
    "DatabaseBase": "database.database_base",
    "DeliveryRole": "delivery.delivery_role",
    "Domain": "load_balancer.certificate",
    "EcrImage": "service.arguments",
    "EnvironmentNames": "names",
    "EnvironmentStacks": "app.synthesis",
    "FargateService": "service.fargate_service",
    "FargateTaskDefinition": "service.task_definition",
    "HealthCheck": "load_balancer.target_group",
    "ImageRepository": "delivery.image_repository",
    "LoadBalancer": "load_balancer.load_balancer",
    "LoadBalancerBase": "load_balancer.load_balancer",
    "Monitoring": "monitoring.monitoring",
    "Network": "network.network",
    "NetworkBase": "network.network",
    "RedeployOnPush": "delivery.redeploy_on_push",
    "Restore": "database.restore",
    "Route": "service.route",
    "Scaling": "service.scaling",
    "ServiceNames": "names",
    "SettingsError": "settings",
    "Statement": "iam",
    "TaskNames": "service.arguments",
    "Thresholds": "monitoring.alarms.thresholds",
    "Waf": "load_balancer.waf",
    "load_environments": "settings",
    "synthesise": "app.synthesis",
}
"""Where each name comes from, for `__getattr__`; the imports above tell type checkers the same."""


# Type checkers would take any name for one that is there.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name == "enable_fast_imports":
            value: object = import_module("prod_e.app.fast_imports").enable
        elif name in _MODULES:
            value = getattr(import_module(f"prod_e.{_MODULES[name]}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
