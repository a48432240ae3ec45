"""What AWS must have before something else is made, so that no order of a plan can fail."""

from typing import Any

import pytest

from tests.support.synthesised import MINIMAL, Synthesised


def needed_by(stack: Synthesised, type_name: str) -> set[str]:
    """The addresses that the one resource of a type depends on by name."""
    return set(stack.one(type_name)["depends_on"])


def addresses(stack: Synthesised, type_name: str, **arguments: object) -> set[str]:
    resources = stack.values["resource"][type_name].items()
    return {
        f"{type_name}.{name}"
        for name, resource in resources
        if all(resource.get(key) == value for key, value in arguments.items())
    }


def test_the_load_balancer_waits_for_the_way_to_the_internet(seed: Any) -> None:
    stack = seed["prod-e"]
    (gateway,) = stack.values["resource"]["aws_internet_gateway"]
    route = addresses(stack, "aws_route", gateway_id=f"${{aws_internet_gateway.{gateway}.id}}")
    assert {f"aws_internet_gateway.{gateway}", *route} <= needed_by(stack, "aws_lb")


def test_tasks_wait_for_their_way_out_and_for_who_lets_them_in(seed: Any) -> None:
    stack = seed["prod-e"]
    needed = needed_by(stack, "aws_ecs_service")
    routes = addresses(stack, "aws_route")
    assert len(routes) == 3
    assert routes <= needed
    tasks = stack.reference("aws_security_group", "id", name="prod-e-backend-service")
    about_tasks = {
        f"{type_name}.{name}"
        for type_name in (
            "aws_vpc_security_group_ingress_rule",
            "aws_vpc_security_group_egress_rule",
        )
        for name, rule in stack.values["resource"][type_name].items()
        if tasks in (rule["security_group_id"], rule.get("referenced_security_group_id"))
    }
    # In from the load balancer and its way to them; to the database and in there; out.
    assert len(about_tasks) == 5
    assert about_tasks <= needed
    assert addresses(stack, "aws_lb_listener_rule") <= needed


def test_tasks_without_the_internet_wait_for_the_endpoints(synthesised: Any) -> None:
    stack = synthesised(MINIMAL + '[network]\negress = "endpoints"\n')["tiny-e"]
    endpoints = addresses(stack, "aws_vpc_endpoint")
    assert len(endpoints) > 3
    assert endpoints <= needed_by(stack, "aws_ecs_service")
    (group,) = addresses(stack, "aws_security_group", name="tiny-e-endpoints")
    into = addresses(
        stack, "aws_vpc_security_group_ingress_rule", security_group_id=f"${{{group}.id}}"
    )
    assert into
    assert into <= needed_by(stack, "aws_ecs_service")


@pytest.mark.parametrize("zones", [2, 3])
def test_an_account_with_too_few_zones_is_told_in_the_plan(synthesised: Any, zones: int) -> None:
    stack = synthesised(MINIMAL + f"[network]\navailability_zones = {zones}\n")["tiny-e"]
    (data,) = stack.values["data"]["aws_availability_zones"].values()
    (condition,) = data["lifecycle"]["postcondition"]
    assert condition["condition"] == f"${{length(self.names) >= {zones}}}"
    assert f"needs {zones} availability zones" in condition["error_message"]
