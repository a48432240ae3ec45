"""A container's health check has ECS's defaults, and its command is run as ECS runs it.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
"""

from typing import Any

import pytest

from embedded_aws.data_plane.tasks.health_check import HealthCheck


def test_what_a_definition_does_not_say_is_as_in_ecs() -> None:
    check = HealthCheck({"command": ["CMD", "true"]})
    assert (check.interval_seconds, check.timeout_seconds) == (30, 5)
    assert (check.retries, check.start_period_seconds) == (3, 0)


def test_what_it_says_counts() -> None:
    said: Any = {"command": ["true"], "interval": 7, "timeout": 4, "retries": 2, "startPeriod": 9}
    check = HealthCheck(said)
    assert (check.interval_seconds, check.timeout_seconds) == (7, 4)
    assert (check.retries, check.start_period_seconds) == (2, 9)


@pytest.mark.parametrize(
    ("command", "run"),
    [
        (["CMD", "node", "check.js"], ["node", "check.js"]),
        (["CMD-SHELL", "exit 0"], ["/bin/sh", "-c", "exit 0"]),
        (["node", "check.js"], ["node", "check.js"]),
    ],
)
def test_a_command_is_run_with_a_shell_where_it_asks_for_one(
    command: list[str], run: list[str]
) -> None:
    assert HealthCheck({"command": command}).command == run
