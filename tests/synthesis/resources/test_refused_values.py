"""Values that AWS refuses, and those that it just takes, in somebody else's app."""

from collections.abc import Callable

import pytest
from cdktf import TerraformStack

from prod_e import (
    ContainerHealthCheck,
    Database,
    DeliveryRole,
    FargateService,
    FargateTaskDefinition,
    HealthCheck,
    LoadBalancer,
    Monitoring,
    Network,
    Scaling,
    Waf,
)

IMAGE = "nginxinc/nginx-unprivileged:1"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda stack, _: Network(stack, "x", cidr="10.0.0.0/24"), "allowed: /16 to /23"),
        (lambda stack, _: Network(stack, "x", cidr="10.0.0.1/16"), "is not an IPv4 block"),
        (lambda stack, _: Network(stack, "x", availability_zones=1), "allowed: 2 or 3"),
        (lambda *_: HealthCheck(path="up"), "begins with /"),
        (lambda *_: HealthCheck(interval_seconds=5), "is not below interval_seconds = 5"),
        (lambda *_: HealthCheck(unhealthy_threshold=11), "allowed: 2 to 10"),
        (lambda *_: ContainerHealthCheck(command=("curl",)), "begins with CMD"),
        (lambda *_: ContainerHealthCheck(command=("CMD", "x"), retries=0), "allowed: 1 to 10"),
        (lambda *_: Scaling(min_tasks=3, max_tasks=3), "min_tasks < max_tasks"),
        (lambda *_: Scaling(min_tasks=0, max_tasks=3), "1 <= min_tasks"),
        (
            lambda stack, _: FargateTaskDefinition(stack, "x", image=IMAGE, port=80),
            "port = 80; allowed: 1024 to 65535",
        ),
        (lambda *_: Scaling(cpu_target_percent=95), "allowed: 10 to 90"),
        (
            lambda stack, _: DeliveryRole(
                stack,
                "x",
                name="push",
                github_repository="us/app",
                repository_arns=[],
                branch="b" * 2_048,
            ),
            "AWS allows 2048",
        ),
        (lambda *_: Waf(requests_per_5_minutes_and_address=1), "allowed: 10 to"),
        (
            lambda stack, network: Database(stack, "x", network=network, backup_days=36),
            "allowed: 0 to 35",
        ),
        (
            lambda stack, network: Database(
                stack, "x", network=network, storage_gib=100, max_storage_gib=109
            ),
            "less than 10 % above",
        ),
        (
            lambda stack, network: FargateService(
                stack, "x", network=network, image=IMAGE, memory_mib=513
            ),
            r"allowed: \(512, 1024, 2048\)",
        ),
        (
            lambda stack, network: FargateService(
                stack, "x", network=network, image=IMAGE, tmp_mib=512
            ),
            "below memory_mib = 512",
        ),
        (
            lambda stack, network: FargateService(
                stack, "x", network=network, image=IMAGE, spot_percent=101
            ),
            "allowed: 0 to 100",
        ),
        (
            lambda stack, network: LoadBalancer(stack, "x" * 30, network=network),
            "at most 32 characters",
        ),
        (
            lambda stack, network: LoadBalancer(stack, "alb", network=network).route(
                FargateService(stack, "x", network=network, image=IMAGE)
            ),
            "theirs-x has no port",
        ),
        (lambda stack, _: Monitoring(stack, "x").dashboard.url, "nothing is watched"),
        (
            lambda stack, _: Database.from_existing(stack, "x", security_group_id="sg-1"),
            "either identifier or host",
        ),
        (
            lambda stack, _: Database.from_existing(
                stack, "x", security_group_id="sg-1", host="db", database_name="app"
            ),
            "host needs database_name and secret_arn",
        ),
        (
            lambda stack, _: Monitoring(stack, "m").watch(
                Database.from_existing(
                    stack,
                    "x",
                    security_group_id="sg-1",
                    host="db",
                    database_name="app",
                    secret_arn="arn",
                )
            ),
            "db is not an RDS instance",
        ),
    ],
)
def test_values_that_aws_refuses_are_refused_in_words(
    stack: TerraformStack, network: Network, make: Callable[..., object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        make(stack, network)


@pytest.mark.parametrize("more", [10, 1_000])
def test_storage_may_grow_by_ten_percent_or_more(
    stack: TerraformStack, network: Network, more: int
) -> None:
    Database(stack, "x", network=network, storage_gib=100, max_storage_gib=100 + more)
