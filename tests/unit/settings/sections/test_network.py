"""Mistakes in the network's settings."""

from pathlib import Path

import pytest

from tests.support.project.settings_mistakes import assert_told, with_section

MISTAKES = [
    (
        with_section("network", 'cidr = "10.0.0.0/24"'),
        "network.cidr: '10.0.0.0/24' is too small; allowed: /16 (AWS's largest) to /23",
    ),
    (with_section("network", 'cidr = "10.0.0.0/8"'), "network.cidr: '10.0.0.0/8' is too large"),
    (with_section("network", 'cidr = "10.0.0.1/16"'), "network.cidr: '10.0.0.1/16' is not an IPv4"),
    (
        with_section("network", 'cidr = "8.8.0.0/16"'),
        "network.cidr: '8.8.0.0/16' is not private; allowed: a block of 10.0.0.0/8, 172.16.0.0/12,"
        " 192.168.0.0/16",
    ),
    (
        with_section("network", 'cidr = "127.0.0.0/16"'),
        "network.cidr: '127.0.0.0/16' is not private;",
    ),
    (
        with_section("network", "availability_zones = 4"),
        "network.availability_zones: 4 is not allowed; allowed: 2 or 3",
    ),
    (
        with_section("network", 'egress = "all"'),
        "network.egress: 'all' is not allowed; allowed: 'nat' or 'endpoints'",
    ),
    (
        with_section("network", 'nat_gateways = "two"'),
        "network.nat_gateways: 'two' is not allowed; allowed: 'single' or 'per_zone'",
    ),
    (
        with_section("network", 'egress = "endpoints"\nnat_gateways = "single"'),
        "network.nat_gateways: 'single' has no meaning with egress = \"endpoints\"; leave it out",
    ),
    (
        with_section("network", "flow_log_retention_days = 2"),
        "network.flow_log_retention_days: 2 is not allowed; allowed: 1, 3, 5, 7, 14,",
    ),
]


@pytest.mark.parametrize(("toml", "expected"), MISTAKES)
def test_a_mistake_of_the_network_is_told(tmp_path: Path, toml: str, expected: str) -> None:
    assert_told(tmp_path, toml, expected)
