"""What the web service becomes: `python -m pytest examples/tests`."""

import pytest
from cdktf import App
from web_service import WebService

from prod_e.testing import Synthesised, synthesised


@pytest.fixture(scope="module")
def stack() -> Synthesised:
    return synthesised(WebService(App(), "web-service"))


def test_the_load_balancer_sends_requests_where_the_container_listens(stack: Synthesised) -> None:
    (mapping,) = stack.container()["portMappings"]
    target_group = stack.one("aws_lb_target_group")
    assert target_group["port"] == mapping["containerPort"] == 8080
    assert target_group["health_check"]["path"] == "/"


def test_two_to_four_tasks_run(stack: Synthesised) -> None:
    target = stack.one("aws_appautoscaling_target")
    assert (target["min_capacity"], target["max_capacity"]) == (2, 4)


def test_it_has_alarms_and_no_database(stack: Synthesised) -> None:
    assert stack.all("aws_cloudwatch_metric_alarm")
    assert not stack.all("aws_db_instance")
