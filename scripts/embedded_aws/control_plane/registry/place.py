"""Where the registry is, as addresses of repositories say it."""

import os


def registry_host(account_id: str, region: str) -> str:
    """The host of a region's repositories: AWS's own where there is no registry here."""
    if region == os.environ["EMBEDDED_AWS_REGION"]:
        return os.environ["EMBEDDED_AWS_REGISTRY_HOST"]
    return aws_host(account_id, region)


def aws_host(account_id: str, region: str) -> str:
    """What AWS calls it."""
    return f"{account_id}.dkr.ecr.{region}.amazonaws.com"
