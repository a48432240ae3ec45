"""CloudWatch Logs Insights: its query language, as far as it is used."""

from embedded_aws.control_plane.insights.commands import execute
from embedded_aws.control_plane.insights.scanner import QueryError

__all__ = ["QueryError", "execute"]
