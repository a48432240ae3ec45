"""Mistakes in the settings of database, load balancer and monitoring."""

from pathlib import Path

import pytest

from tests.support.settings_mistakes import assert_told, with_section

MISTAKES = [
    # The database.
    (
        with_section("database", 'name = "tiny-e"'),
        "database.name: 'tiny-e' is not allowed; allowed: a letter, then letters, digits and",
    ),
    (
        with_section("database", 'engine_version = "9.6"'),
        "database.engine_version: '9.6' is not allowed; allowed: a version of PostgreSQL",
    ),
    (
        with_section("database", 'instance_class = "t4g.micro"'),
        "database.instance_class: 't4g.micro' is not allowed; allowed: an instance class such as",
    ),
    (
        with_section("database", "storage_gib = 19"),
        "database.storage_gib: 19 is not allowed; allowed: 20 or more",
    ),
    (
        with_section("database", "storage_gib = 100\nmax_storage_gib = 105"),
        "database.max_storage_gib: 105 is less than 10 % above storage_gib = 100;",
    ),
    (
        with_section("database", "backup_days = 36"),
        "database.backup_days: 36 is not allowed; allowed: 35 or less",
    ),
    # The load balancer.
    (
        with_section("load_balancer", 'domain_name = "api.example.com"'),
        "load_balancer.hosted_zone_id: is missing for domain_name = 'api.example.com'; give the id",
    ),
    (
        with_section("load_balancer", 'hosted_zone_id = "Z0123"'),
        "load_balancer.domain_name: is missing for hosted_zone_id = 'Z0123'",
    ),
    (
        with_section("load_balancer", 'domain_name = "-.com"\nhosted_zone_id = "Z0123"'),
        "load_balancer.domain_name: '-.com' is not allowed; allowed: a domain name such as",
    ),
    (
        with_section("load_balancer", 'domain_name = "a.com"\nhosted_zone_id = "zone"'),
        "load_balancer.hosted_zone_id: 'zone' is not allowed; allowed: a hosted zone's id such as",
    ),
    (
        with_section("load_balancer", 'domain_name = "a.com"\nhosted_zone_id = "Z0123"').replace(
            "[services.backend]", '[services.backend]\nhost = "api.b.com"'
        ),
        "services.backend.host: 'api.b.com' is outside of load_balancer.domain_name = 'a.com',",
    ),
    (
        with_section("load_balancer", "access_log_days = 0"),
        "load_balancer.access_log_days: 0 is not allowed; allowed: 1 or more",
    ),
    (
        with_section("load_balancer", 'certificate_arn = "arn:aws:iam::1:server-certificate/x"'),
        "load_balancer.certificate_arn: 'arn:aws:iam::1:server-certificate/x' is not allowed;"
        " allowed: the ARN of an ACM certificate",
    ),
    # Monitoring.
    (
        with_section("monitoring", "log_retention_days = 31"),
        "monitoring.log_retention_days: 31 is not allowed; allowed: 1, 3, 5, 7, 14, 30, 60,",
    ),
    (
        with_section("monitoring", 'alarm_emails = ["me"]'),
        "monitoring.alarm_emails.0: 'me' is not allowed; allowed: an e-mail address",
    ),
    (
        with_section("monitoring", 'alarm_emails = "me@example.com"'),
        "monitoring.alarm_emails: 'me@example.com' is not allowed; allowed: a list",
    ),
    *(
        (
            with_section("monitoring.thresholds", f"{key} = {value}"),
            f"monitoring.thresholds.{key}: {value} is not allowed; allowed: {allowed}",
        )
        for key, value, allowed in (
            ("http_5xx_percent", 0, "more than 0"),
            ("http_5xx_percent", "nan", "100 or less"),
            ("p95_latency_seconds", 61, "60 or less"),
            ("task_cpu_percent", 101, "100 or less"),
            ("task_memory_percent", 0, "1 or more"),
            ("database_cpu_percent", 0, "1 or more"),
            ("database_free_storage_percent", 91, "90 or less"),
            ("database_connections", 0, "1 or more"),
        )
    ),
]


@pytest.mark.parametrize(("toml", "expected"), MISTAKES)
def test_a_mistake_of_what_services_share_is_told(tmp_path: Path, toml: str, expected: str) -> None:
    assert_told(tmp_path, toml, expected)
