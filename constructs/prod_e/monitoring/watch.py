"""What one construct is watched with."""

from dataclasses import dataclass

from constructs import Construct

from prod_e.monitoring.alarms.alarms import Alarms
from prod_e.monitoring.alarms.thresholds import Thresholds
from prod_e.monitoring.dashboard import Dashboard


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Where the alarms, widgets and queries of one construct go.

    `id`: what they call it. `scope`: the construct that resources are made below. `name`: the
    prefix of their names. `topic_arn`: the SNS topic that is told; `rules_role_arn`: the role of
    EventBridge rules that publish there.
    """

    id: str
    scope: Construct
    name: str
    alarms: Alarms
    dashboard: Dashboard
    thresholds: Thresholds
    topic_arn: str
    rules_role_arn: str
