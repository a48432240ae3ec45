"""An AWS to try things on, in processes of its own: it imports nothing of the `prod-e` command."""

from embedded_aws.client import (
    ACCOUNT_ID,
    ContainerRegistry,
    EmbeddedAws,
    EmbeddedAwsError,
)

__all__ = ["ACCOUNT_ID", "ContainerRegistry", "EmbeddedAws", "EmbeddedAwsError"]
