"""What would become an expression, a name twice, or too much for AWS, is answered before it is."""

import os
from pathlib import Path

import pytest

from prod_e.settings import SettingsError, load_environment
from tests.support.project.settings_mistakes import (
    SECRET,
    assert_told,
    mistakes,
    with_section,
    with_service,
)

DIGITS = "\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660\u0661\u0662"
"""Of an account, as Python's `\\d` takes them and AWS does not."""


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        (
            with_section("monitoring", 'alarm_emails = ["${aws_vpc.x.id}@a.b"]'),
            "monitoring.alarm_emails.0: '${aws_vpc.x.id}@a.b' is not allowed",
        ),
        (
            with_section("network", 'cidr = "10.0.0.0/016"'),
            "network.cidr: '10.0.0.0/016' is not as AWS writes it; allowed: '10.0.0.0/16'",
        ),
        (
            with_section("network", 'cidr = "10.0.0.0/255.255.0.0"'),
            "network.cidr: '10.0.0.0/255.255.0.0' is not as AWS writes it",
        ),
        (
            f'account = "{DIGITS}"\n' + with_service(""),
            "account: ",
        ),
        ('region = "us-west-\u0662"\n' + with_service(""), "region: "),
        (
            with_service(f'secrets_kms_key_arns = ["arn:aws:kms:us-west-2:{DIGITS}:key/0123"]'),
            "services.backend.secrets_kms_key_arns.0: 'arn:aws:kms",
        ),
        (
            with_service(f'database_secret_arn = "{SECRET.replace("111122223333", DIGITS)}"'),
            "services.backend.database_secret_arn: 'arn:aws:secretsmanager",
        ),
        (
            with_section(
                "database.restored", 'identifier = "new"\ntime = "\u0662026-11-28T09:30:00Z"'
            ),
            "database.restored.time: ",
        ),
        (with_section("monitoring", 'alarm_emails = ["a\\u001b@b.c"]'), "monitoring.alarm_emails"),
        (
            with_section("services.backend.environment", 'A = "#{TfToken[TOKEN.1]}"'),
            "services.backend.environment.A: has TfToken[ in it",
        ),
        (
            with_section("tags", 'Owner = "${TfToken[TOKEN.1]}"'),
            "tags.Owner: has TfToken[ in it",
        ),
        (
            with_section("services.backend.environment", 'A = "b\\u0000"'),
            "services.backend.environment.A: has the character NUL in it",
        ),
        (
            with_service('health_command = ["CMD", "a\\u0000"]'),
            "services.backend.health_command: has the character NUL in it",
        ),
        (with_service(f"cpu_units = {'9' * 5_000}"), "has a number of thousands of digits"),
        (
            with_service(f"requests_per_task_and_minute = 0x{'f' * 5_000}"),
            "services.backend.requests_per_task_and_minute: is not allowed; allowed: whole numbers",
        ),
        (
            with_service(f"requests_per_task_and_minute = {2**63}"),
            "services.backend.requests_per_task_and_minute: is not allowed; allowed: whole numbers",
        ),
        (with_section("tags", 'Owner = "a\\tb"'), "tags.Owner: is refused by AWS"),
        (
            with_section("tags", 'Owner = "a"\nowner = "b"'),
            "tags.owner: is tags.Owner to IAM, which knows no case",
        ),
        (
            with_section("tags", '"rds:owner" = "a"') + "[database]\n",
            "tags.rds:owner: is refused by RDS",
        ),
        (with_section("tags", 'Owner = "aws:a"') + "[database]\n", "tags.Owner: is refused by RDS"),
        (
            with_section("database", 'name = "Order"'),
            "database.name: 'Order' is a word, or a database, of PostgreSQL's own",
        ),
        (with_service("[database]", name="user"), "database.name: 'user' is a word"),
        (
            with_section("database.restored", 'identifier = "new"\ntime = "2026-02-30T09:30:00Z"'),
            "database.restored.time: '2026-02-30T09:30:00Z' is no time: day is out of range",
        ),
        (
            with_section("services.backend.secrets", f'KEY = "{SECRET}:key:AWSCURRENT:0123"'),
            "services.backend.secrets.KEY: has a stage and a version",
        ),
        (
            with_section("monitoring", 'alarm_emails = ["a@b.co", "a@b.co"]'),
            "monitoring.alarm_emails: a list is not allowed; allowed: each value once",
        ),
        (
            with_section("tags", '"Prod-E:environment" = "other"'),
            "tags.Prod-E:environment: is prod-e's own",
        ),
        (
            with_section("monitoring", "log_retention_days = true"),
            "monitoring.log_retention_days: True is not allowed; allowed: a whole number",
        ),
    ],
)
def test_a_value_that_is_not_what_it_seems_is_refused(
    tmp_path: Path, toml: str, expected: str
) -> None:
    assert_told(tmp_path, toml, expected)


def test_names_and_arns_that_end_in_a_newline_are_refused(tmp_path: Path) -> None:
    lines = f'"KEY\\n" = "{SECRET}"\nOTHER = "{SECRET}\\n"'
    name, arn = mistakes(tmp_path, with_section("services.backend.secrets", lines))
    assert name == (
        "services.backend.secrets.KEY\\n: is not a variable's name; allowed: letters, digits and"
        " underscores"
    )
    assert arn.startswith("services.backend.secrets.OTHER: is not the whole ARN")


@pytest.mark.parametrize("key", ["database", "load-balancer"])
def test_a_service_with_the_name_of_something_else_that_is_watched_is_refused(
    tmp_path: Path, key: str
) -> None:
    toml = f'name = "tiny-e"\n[database]\n[services.{key}]\nbuild = "external"\n'
    assert_told(tmp_path, toml, f"services.{key}: has the name of the environment's own")


def test_a_service_called_database_is_taken_where_there_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text('name = "tiny-e"\n[services.database]\nbuild = "external"\n')
    load_environment(file)


def test_more_than_aws_takes_is_refused(tmp_path: Path) -> None:
    long = with_section("services.backend.environment", f'A = "{"a" * 61_000}"')
    assert_told(tmp_path, long, "services.backend.environment: and secrets have, with the commands")
    long = with_service(f'health_command = ["CMD", "{"a" * 61_000}"]')
    assert_told(tmp_path, long, "services.backend.environment: and secrets have, with the commands")
    keys = ", ".join(
        f'"arn:aws:kms:us-west-2:111122223333:key/mrk-{number:032}"' for number in range(130)
    )
    assert_told(tmp_path, with_service(f"secrets_kms_key_arns = [{keys}]"), "services.backend.secr")
    buckets = ", ".join(f'"{number:063}"' for number in range(120))
    toml = with_section("network", f"foreign_buckets = [{buckets}]")
    assert_told(tmp_path, toml, "network.foreign_buckets: take ")
    secrets = "\n".join(
        f'S{number} = "{SECRET.replace("key", "k" * 60 + str(number))}"' for number in range(90)
    )
    told = mistakes(tmp_path, with_section("services.backend.secrets", secrets))
    assert [message[: message.index(":")] for message in told] == ["services.backend.secrets"]
    domain = ".".join(["a" * 60] * 5)
    assert_told(
        tmp_path,
        with_section(
            "load_balancer", f'domain_name = "{domain}.com"\nhosted_zone_id = "Z0123456789ABCDEF"'
        ),
        "load_balancer.domain_name: ",
    )
    for address in (f"{'a' * 65}@b.example", f"a@{'b' * 192}.example", f"a@b.{'c' * 64}"):
        toml = with_section("monitoring", f'alarm_emails = ["{address}"]')
        assert_told(tmp_path, toml, "monitoring.alarm_emails.0: ")
    tags = "\n".join(f'T{number} = "a"' for number in range(48))
    assert_told(tmp_path, with_section("tags", tags), "tags: has 48; AWS allows 50")
    services = "\n".join(
        f'[services.s{number}]\nbuild = "external"\npath = "/{number}"\npriority = {number + 1}'
        for number in range(101)
    )
    assert_told(tmp_path, f'name = "tiny-e"\n{services}', "services: are 101, each with a rule")


@pytest.mark.parametrize(
    "toml",
    [
        with_section("database", "storage_gib = 100\nmax_storage_gib = 110"),
        with_section(
            "services.backend.secrets",
            'KEY = "arn:aws:secretsmanager:us-west-2:111122223333:secret:rds!db-1-AbCdEf"',
        ),
        with_section("services.backend.secrets", f'KEY = "{SECRET}:key:AWSCURRENT:"'),
        with_section(
            "load_balancer",
            'domain_name = "xn--e1afmkfd.xn--p1ai"\nhosted_zone_id = "Z0123456789ABCDEF"',
        ),
        with_section("tags", '"rds:owner" = "a"'),
    ],
    ids=[
        "10 % above 100",
        "a secret of RDS",
        "a secret's stage",
        "a top-level domain in another script",
        "a tag that only RDS refuses",
    ],
)
def test_what_aws_takes_is_taken(tmp_path: Path, toml: str) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(toml)
    load_environment(file)


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    pipe, endless, long = (tmp_path / f"{name}.toml" for name in ("pipe", "endless", "long"))
    os.mkfifo(pipe)
    endless.symlink_to("/dev/zero")
    long.write_text("#" * 1_000_001)
    for file in (pipe, endless, long):
        with pytest.raises(SettingsError, match="cannot be read: it "):
            load_environment(file)


def test_keys_of_thousands_of_parts_are_answered_at_once(tmp_path: Path) -> None:
    assert_told(tmp_path, f"{'.'.join('a' * 400_000)} = 1", "is nested too deeply")
