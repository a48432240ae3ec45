"""An AWS to try things on, in processes of its own: it imports nothing of the `prod-e` command."""

from embedded_aws.client import (
    ACCOUNT_ID,
    EmbeddedAws,
    EmbeddedAwsError,
)
from embedded_aws.data_plane_process import DataPlane

__all__ = ["ACCOUNT_ID", "DataPlane", "EmbeddedAws", "EmbeddedAwsError"]
