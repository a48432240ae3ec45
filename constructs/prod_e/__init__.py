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
    from prod_e.app.synthesis import synthesise
    from prod_e.database.database import Database
    from prod_e.delivery.delivery_role import DeliveryRole
    from prod_e.delivery.image_repository import ImageRepository
    from prod_e.delivery.redeploy_on_push import RedeployOnPush
    from prod_e.iam import Statement
    from prod_e.load_balancer.load_balancer import LoadBalancer
    from prod_e.monitoring.monitoring import Monitoring
    from prod_e.names import ServiceNames
    from prod_e.network.network import Network
    from prod_e.service.cluster import Cluster
    from prod_e.service.fargate_service import FargateService
    from prod_e.settings import SettingsError, load_environments

__all__ = [
    "Account",
    "Cluster",
    "Database",
    "DeliveryRole",
    "FargateService",
    "ImageRepository",
    "LoadBalancer",
    "Monitoring",
    "Network",
    "RedeployOnPush",
    "ServiceNames",
    "SettingsError",
    "Statement",
    "enable_fast_imports",
    "load_environments",
    "synthesise",
]

_MODULES = {
    "Account": "account",
    "Cluster": "service.cluster",
    "Database": "database.database",
    "DeliveryRole": "delivery.delivery_role",
    "FargateService": "service.fargate_service",
    "ImageRepository": "delivery.image_repository",
    "LoadBalancer": "load_balancer.load_balancer",
    "Monitoring": "monitoring.monitoring",
    "Network": "network.network",
    "RedeployOnPush": "delivery.redeploy_on_push",
    "ServiceNames": "names",
    "SettingsError": "settings",
    "Statement": "iam",
    "load_environments": "settings",
    "synthesise": "app.synthesis",
}
"""Where each name comes from, for `__getattr__`; the imports above tell type checkers the same."""


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
