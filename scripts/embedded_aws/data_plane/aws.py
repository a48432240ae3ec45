"""Clients of the control plane's API."""

from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from embedded_aws.data_plane.configuration import Configuration

Clients = Callable[[str], Any]


def clients_of(configuration: Configuration) -> Clients:
    """Gives the boto3 client of a service, with nothing of the user's profiles."""
    core = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, "/dev/null", None),
            "credentials_file": (None, None, "/dev/null", None),
        }
    )
    core.set_credentials("embedded", "embedded")
    session: Any = boto3.Session(botocore_session=core, region_name=configuration.region)
    config = Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=30)

    @cache
    def client(service: str) -> Any:
        return session.client(service, endpoint_url=configuration.endpoint_url, config=config)

    return client
