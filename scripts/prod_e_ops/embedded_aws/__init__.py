"""An AWS to try things on: moto in a process of its own, with its known gaps filled."""

from prod_e_ops.embedded_aws.client import (
    ACCOUNT_ID,
    ContainerRegistry,
    EmbeddedAws,
    EmbeddedAwsError,
)

__all__ = ["ACCOUNT_ID", "ContainerRegistry", "EmbeddedAws", "EmbeddedAwsError"]
