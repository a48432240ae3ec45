"""Clients of an embedded AWS."""

from typing import Any

import boto3

from embedded_aws import EmbeddedAws


def client_of(aws: EmbeddedAws, service: Any) -> Any:
    """A client of one of its services, such as `ecs`; whoever makes it closes it."""
    variables = aws.variables()
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name=aws.region,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
