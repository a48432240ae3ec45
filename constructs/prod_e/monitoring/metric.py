"""A metric in CloudWatch."""

from collections.abc import Mapping
from dataclasses import dataclass

PERIOD_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric with its statistic, such as `Average` or `p95`, over a minute."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str

    def widget_row(self, label: str) -> list[object]:
        """The metric as a line in a dashboard's widget."""
        flat = [part for pair in self.dimensions.items() for part in pair]
        return [self.namespace, self.name, *flat, {"stat": self.statistic, "label": label}]
