"""What the shop's two services may do, and with what."""

import pytest
from cdktf import App
from services_and_queue import Shop

from prod_e.testing import Synthesised, synthesised


@pytest.fixture(scope="module")
def stack() -> Synthesised:
    return synthesised(Shop(App(), "shop"))


@pytest.mark.parametrize(
    ("service", "actions"),
    [("shop-api", {"SendMessage"}), ("shop-worker", {"DeleteMessage", "ReceiveMessage"})],
)
def test_a_service_may_do_its_part_with_the_queue_and_no_more(
    stack: Synthesised, service: str, actions: set[str]
) -> None:
    allowed = {
        action
        for statement in stack.role_statements(f"{service}-task")
        for action in statement["Action"]
        if action.startswith("sqs:")
    }
    assert allowed == {f"sqs:{action}" for action in actions}


@pytest.mark.parametrize("family", ["shop-api", "shop-worker"])
def test_both_know_the_queue_and_migrate_their_schema_before_they_start(
    stack: Synthesised, family: str
) -> None:
    queue = stack.reference("aws_sqs_queue", "url", name="shop-orders")
    assert stack.variables(family=family)["ORDERS_URL"] == queue
    (migration,) = [each for each in stack.containers(family=family) if not each["essential"]]
    assert migration["command"][-1].endswith(".migrate")


def test_nobody_reaches_the_worker(stack: Synthesised) -> None:
    (behind,) = stack.all("aws_lb_target_group")
    assert behind["port"] == 8000
    assert stack.container(family="shop-worker")["portMappings"] == []
