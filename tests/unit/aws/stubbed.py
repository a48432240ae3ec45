"""AWS clients that answer what a test gives, and take only what AWS's API model allows.

A call that a test did not expect, or with other parameters, fails; so does an expected one that
is not made.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.stub import Stubber


@cache
def _session() -> Any:
    """One for all, because each reads AWS's API models anew."""
    return boto3.Session(
        aws_access_key_id="unit", aws_secret_access_key="test", region_name="us-west-2"
    )


@contextmanager
def stubbed(owner: object, attribute: str, service: Any) -> Iterator[Stubber]:
    """Puts such a client in place of a cached attribute of an object."""
    client = _session().client(service)
    owner.__dict__[attribute] = client
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
