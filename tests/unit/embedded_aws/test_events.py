"""What the embedded AWS's process prints is read line by line, whatever else comes there."""

from types import SimpleNamespace
from typing import Any

from embedded_aws import EmbeddedAws


def test_a_line_that_is_no_event_ends_nothing() -> None:
    aws: Any = EmbeddedAws()
    lines = [
        "UserWarning: something of a library's\n",
        '["a list"]\n',
        "\n",
        '{"endpoint_url": "http://127.0.0.1:1", "registry_address": "127.0.0.1:2"}\n',
        "{half\n",
        '{"unimplemented": "ecs.Something"}\n',
    ]
    aws._process = SimpleNamespace(stdout=lines)
    aws._read_events()
    assert aws.endpoint_url == "http://127.0.0.1:1"
    assert aws._unimplemented == {"ecs.Something"}
