"""The network: subnets, ways out, and who may connect to whom."""

from typing import Any

from tests.support.synthesised import MINIMAL


def test_only_the_load_balancer_reaches_tasks_and_only_tasks_reach_the_database(seed: Any) -> None:
    assert seed["prod-e"].ingress() == {
        ("0.0.0.0/0", "prod-e-load-balancer", 80),
        ("prod-e-load-balancer", "prod-e-backend-service", 3000),
        ("prod-e-backend-service", "prod-e-database", 5432),
    }


def test_isolated_subnets_have_no_route_out(seed: Any) -> None:
    stack = seed["prod-e"]
    table = stack.reference("aws_route_table", "id", tags={"Name": "prod-e-isolated"})
    assert table not in {route["route_table_id"] for route in stack.all("aws_route")}
    gateway = stack.one("aws_vpc_endpoint", vpc_endpoint_type="Gateway")
    assert table not in gateway["route_table_ids"]


def test_the_default_security_group_lets_nothing_through(seed: Any) -> None:
    group = seed["prod-e"].one("aws_default_security_group")
    assert "ingress" not in group
    assert "egress" not in group


def test_endpoints_alone_give_tasks_aws_and_no_internet(synthesised: Any) -> None:
    stack = synthesised(MINIMAL + '[network]\negress = "endpoints"\n')["tiny-e"]
    assert not stack.all("aws_nat_gateway")
    interfaces = [e for e in stack.all("aws_vpc_endpoint") if e["vpc_endpoint_type"] == "Interface"]
    assert {e["service_name"] for e in interfaces} >= {
        f"com.amazonaws.us-west-2.{service}" for service in ("ecr.api", "ecr.dkr", "logs")
    }
    assert all(e["private_dns_enabled"] for e in interfaces)
    tasks = stack.reference("aws_security_group", "id", name="tiny-e-backend-service")
    for rule in stack.all("aws_vpc_security_group_egress_rule"):
        assert rule["security_group_id"] != tasks or "cidr_ipv4" not in rule


def test_nat_gateways_are_one_per_zone_or_a_single_one(seed: Any, staging: Any) -> None:
    assert len(seed["prod-e"].all("aws_nat_gateway")) == 2
    assert len(staging["staging-e"].all("aws_nat_gateway")) == 1


def test_three_zones_have_three_subnets_of_each_tier(synthesised: Any) -> None:
    stack = synthesised(MINIMAL + "[network]\navailability_zones = 3\n")["tiny-e"]
    tiers = [subnet["tags"]["Tier"] for subnet in stack.all("aws_subnet")]
    assert {tier: tiers.count(tier) for tier in tiers} == {
        "public": 3,
        "private": 3,
        "isolated": 3,
    }


def test_zones_stay_what_they_were_whatever_aws_says_of_them_for_a_while(seed: Any) -> None:
    stack = seed["prod-e"]
    (zones,) = stack.values["data"]["aws_availability_zones"].values()
    assert "state" not in zones, "one that is not available would move the numbers of the others"
    for subnet in stack.all("aws_subnet"):
        assert subnet["lifecycle"]["ignore_changes"] == ["availability_zone"]
