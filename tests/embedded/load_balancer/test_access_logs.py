"""Access logs are written while they are on."""

import asyncio
from typing import Any
from unittest.mock import MagicMock

import pytest

from embedded_aws.data_plane.load_balancer.figures import Exchange, Figures


def balancer(*, logs: bool) -> Any:
    attributes = {"access_logs.s3.enabled": str(logs).lower(), "access_logs.s3.bucket": "logs"}
    return {
        "arn": "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/a/1",
        "attributes": attributes,
    }


@pytest.mark.parametrize("is_left_on", [True, False])
def test_what_was_noted_before_they_were_turned_off_is_written_no_more(is_left_on: bool) -> None:
    s3, others = MagicMock(), MagicMock()
    figures = Figures(
        lambda service: s3 if service == "s3" else others, account_id="1", region="us-west-2"
    )
    on = balancer(logs=True)
    figures.follow([on])
    figures.add(
        Exchange(
            balancer=on,
            status=200,
            client="127.0.0.1:1",
            host="a",
            request_line="GET / HTTP/1.1",
            user_agent="",
            trace_id="",
            protocol="http",
            sent_bytes=1,
        )
    )
    figures.follow([balancer(logs=is_left_on)])
    asyncio.run(figures.flush())
    assert s3.put_object.called is is_left_on
