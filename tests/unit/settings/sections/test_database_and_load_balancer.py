"""Mistakes in the settings of database, load balancer and monitoring."""

from pathlib import Path

import pytest

from tests.support.project.settings_mistakes import SECRET, assert_told, with_section, with_service

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
    # Who may reach it, and with how many connections.
    (
        with_section(
            "services.worker",
            'path = "/jobs/*"\ndatabase = true\n[database]\ninstance_class = "db.t4g.large"',
        ),
        "services.backend.database: is missing: where there are several services, each says",
    ),
    *(
        (with_service(f"{key} = {value}"), f"services.backend.{key}: needs the section [database]")
        for key, value in (
            ("database", "true"),
            ("database_secret_arn", f'"{SECRET}"'),
            ("database_connections", "3"),
        )
    ),
    *(
        (
            with_service(f"database = false\n{line}\n[database]"),
            f"services.backend.{line.partition(' ')[0]}: has no meaning with database = false;",
        )
        for line in (
            'migration_command = ["migrate"]',
            f'database_secret_arn = "{SECRET}"',
            "database_connections = 3",
        )
    ),
    (
        with_service(
            f'migration_command = ["migrate"]\ndatabase_secret_arn = "{SECRET}"\n[database]'
        ),
        "services.backend.migration_command: has no meaning with database_secret_arn; leave it out",
    ),
    (
        with_service(f'database_secret_arn = "{SECRET.rpartition("-")[0]}"\n[database]'),
        "services.backend.database_secret_arn: 'arn:aws:secretsmanager:us-west-2:111122223333:"
        "secret:key' is not allowed; allowed: the whole ARN of a Secrets Manager secret, which",
    ),
    (
        with_service('secrets_kms_key_arns = ["arn:aws:kms:us-west-2:111122223333:alias/key"]'),
        "services.backend.secrets_kms_key_arns.0: 'arn:aws:kms:us-west-2:111122223333:alias/key' is"
        " not allowed; allowed: the ARN of a KMS key, not of an alias",
    ),
    (
        with_service("database_connections = 8\n[database]"),
        "database.instance_class: 'db.t4g.micro' allows some 62 connections, and a deployment may"
        " need 180: 10 tasks of backend x (8 + 1 for health) x 2; take a larger class, or smaller",
    ),
    (
        with_service("max_tasks = 40\n[database]"),
        "database.instance_class: 'db.t4g.micro' allows some 62 connections, and a deployment may"
        " need 160: 40 tasks of backend x (1 + 1 for health) x 2;",
    ),
    (
        with_section("database.restored", 'identifier = "tiny-e-2"'),
        "database.restored.snapshot: is missing; give it or time, or the new instance would be",
    ),
    (
        with_section("database.restored", 'identifier = "two"\nsnapshot = "s"\ntime = "latest"'),
        "database.restored.time: has no meaning with snapshot; give one of the two",
    ),
    (
        with_section("database.restored", 'identifier = "two"\ntime = "yesterday"'),
        "database.restored.time: 'yesterday' is not allowed; allowed: latest, or a time in UTC",
    ),
    (
        with_section(
            "database.restored", 'identifier = "two"\nsnapshot = "s"\noriginal = "removed"'
        ),
        "database.restored.original: 'removed' leaves the services no database;",
    ),
    (
        with_section("database.restored", 'identifier = "tiny-e-database"\nsnapshot = "s"'),
        "database.restored.identifier: 'tiny-e-database' is that of the environment's own instance",
    ),
    (
        with_section("database", 'backup_days = 0\nrestored = {identifier = "a", time = "latest"}'),
        "database.restored.time: needs backups, and backup_days = 0 keeps none",
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
    *(
        (
            with_section(
                "load_balancer", 'domain_name = "a.com"\nhosted_zone_id = "Z0123"'
            ).replace("[services.backend]", f'[services.backend]\nhost = "{host}"'),
            f"services.backend.host: '{host}' is not a name that ACM issues a certificate for;",
        )
        for host in ("api-*.a.com", "x.*.a.com", "ap?.a.com")
    ),
    (
        with_section(
            "load_balancer",
            f'domain_name = "{"a" * 60}.b.com"\nhosted_zone_id = "Z0123"',
        ),
        "load_balancer.domain_name: has 66 characters; ACM issues certificates for at most 64",
    ),
    (
        with_service('host = "*.a.com"\npath = "/*/*/*/*/*/?"'),
        "services.backend.path: has with host 7 wildcards; the load balancer allows 6 in a rule",
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
