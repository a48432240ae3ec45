"""The dashboard."""

import json
from typing import Any

from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from constructs import Construct

from prod_e.account import Account
from prod_e.monitoring.metric import PERIOD_SECONDS


class Dashboard:
    """A CloudWatch dashboard below `scope`, made with its first widget; three stand in a row.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """

    def __init__(self, scope: Construct, *, name: str) -> None:
        self._scope = scope
        self._name = name
        self._region = Account.of(scope).region
        self._widgets: list[dict[str, Any]] = []
        self._dashboard: CloudwatchDashboard | None = None

    @property
    def url(self) -> str:
        """Its address in the console. Raises `ValueError` while it has no widget."""
        if self._dashboard is None:
            raise ValueError("nothing is watched yet, so there is no dashboard")
        return (
            f"https://{self._region}.console.aws.amazon.com/cloudwatch/home"
            f"?region={self._region}#dashboards/dashboard/{self._dashboard.dashboard_name}"
        )

    def add(self, title: str, metrics: list[list[object]]) -> None:
        """Adds a widget with a line for each metric."""
        number = len(self._widgets)
        self._widgets.append(
            {
                "type": "metric",
                "x": number % 3 * 8,
                "y": number // 3 * 6,
                "width": 8,
                "height": 6,
                "properties": {
                    "title": title,
                    "region": self._region,
                    "period": PERIOD_SECONDS,
                    "metrics": metrics,
                },
            }
        )
        body = json.dumps({"widgets": self._widgets})
        if self._dashboard:
            self._dashboard.dashboard_body = body
        else:
            self._dashboard = CloudwatchDashboard(
                self._scope, "dashboard", dashboard_name=self._name, dashboard_body=body
            )
