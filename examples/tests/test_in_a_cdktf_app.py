"""What the service adds to an app that has everything else."""

import pytest
from cdktf import App
from in_a_cdktf_app import Reports

from prod_e.testing import Synthesised, synthesised


@pytest.fixture(scope="module")
def stack() -> Synthesised:
    return synthesised(Reports(App(), "reports"))


@pytest.mark.parametrize("kind", ["aws_vpc", "aws_lb", "aws_ecs_cluster", "aws_db_instance"])
def test_what_is_there_is_not_made_again(stack: Synthesised, kind: str) -> None:
    assert not stack.all(kind)


def test_the_service_runs_in_the_cluster_and_subnets_that_are_there(stack: Synthesised) -> None:
    service = stack.one("aws_ecs_service")
    assert service["cluster"].endswith(":cluster/company")
    assert service["network_configuration"]["subnets"] == ["${var.subnet_a}", "${var.subnet_b}"]
    assert stack.container()["image"].endswith("/company/reports:v1.4.0")


def test_requests_below_its_path_reach_it(stack: Synthesised) -> None:
    rule = stack.one("aws_lb_listener_rule", listener_arn="${var.listener_arn}")
    (condition,) = rule["condition"]
    assert "/reports/*" in condition["path_pattern"]["values"]
