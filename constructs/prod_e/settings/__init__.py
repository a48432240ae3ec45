"""The settings of an environment: what one TOML file in `environments/` may say.

Settings know nothing of Terraform. `load_environments` reads every file of a folder and either
returns validated, immutable objects or raises `SettingsError` with one message per mistake.
"""

from prod_e.settings.environment import Environment
from prod_e.settings.loading import SettingsError, load_environment, load_environments
from prod_e.settings.sections.cluster import Cluster
from prod_e.settings.sections.database import Database, RestoredDatabase
from prod_e.settings.sections.delivery import Delivery
from prod_e.settings.sections.load_balancer import LoadBalancer
from prod_e.settings.sections.monitoring import Monitoring, Thresholds
from prod_e.settings.sections.network import Network
from prod_e.settings.sections.providers import Providers
from prod_e.settings.sections.service import Service
from prod_e.settings.sections.state import State

__all__ = [
    "Cluster",
    "Database",
    "Delivery",
    "Environment",
    "LoadBalancer",
    "Monitoring",
    "Network",
    "Providers",
    "RestoredDatabase",
    "Service",
    "SettingsError",
    "State",
    "Thresholds",
    "load_environment",
    "load_environments",
]
