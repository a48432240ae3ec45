"""Mistakes in the environment's own settings, delivery and state."""

from pathlib import Path

import pytest

from tests.support.project.settings_mistakes import assert_told, with_section, with_service

MISTAKES = [
    # Not what the file can hold.
    ("name = \n", "is not valid TOML:"),
    ('name = "tiny-e"\n', "services: is missing"),
    ("[services.backend]\n", "name: is missing"),
    ('name = "tiny-e"\n[services]\n', "services: {} is not allowed; allowed: at least 1"),
    (
        with_service("cpu_unit = 256"),
        "services.backend.cpu_unit: is not a known key; did you mean cpu_units? allowed:",
    ),
    (
        "colour = 1\n" + with_service(""),
        "colour: is not a known key; allowed: account, cluster, database,",
    ),
    (with_section("database", "size = 1"), "database.size: is not a known key; allowed:"),
    (
        with_section("monitoring.thresholds", "cpu = 1"),
        "monitoring.thresholds.cpu: is not a known key",
    ),
    (
        with_section("providers", 'aws = "latest"'),
        "providers.aws: 'latest' is not allowed; allowed: a version constraint such as ~> 5.100",
    ),
    (
        with_section("providers", "docker = 3.6"),
        "providers.docker: 3.6 is not allowed; allowed: text in quotes",
    ),
    (
        with_section("providers", 'azure = "~> 4.0"'),
        "providers.azure: is not a known key; allowed: aws, docker",
    ),
    (
        with_service('port = "3000"'),
        "services.backend.port: '3000' is not allowed; allowed: a whole number",
    ),
    (
        with_service("port = true"),
        "services.backend.port: True is not allowed; allowed: a whole number",
    ),
    (
        "account = 111122223333\n" + with_service(""),
        "account: 111122223333 is not allowed; allowed: text in quotes",
    ),
    (
        with_service('database = "yes"'),
        "services.backend.database: 'yes' is not allowed; allowed: true or false",
    ),
    # The environment.
    (with_service("", name="Prod_E"), "name: 'Prod_E' is not allowed; allowed: lower-case letters"),
    (with_service("", name="1-e"), "name: '1-e' is not allowed; allowed: lower-case letters"),
    (with_service("", name="e-"), "name: 'e-' is not allowed; allowed: lower-case letters"),
    (with_service("", name="e--e"), "name: 'e--e' is not allowed; allowed: lower-case letters"),
    (
        with_service("", name="e" * 25),
        f"name: '{'e' * 25}' is not allowed; allowed: at most 24 characters",
    ),
    (
        with_service("", name="internal-e"),
        "name: 'internal-e' is refused by AWS: the names of load balancers, which begin with it,"
        " may not begin with 'internal-'",
    ),
    (
        with_service("", name="internal"),
        "name: 'internal' is refused by AWS: the names of load balancers,",
    ),
    (with_service("", name="sg"), "name: 'sg' is refused by AWS: the names of security groups,"),
    (
        with_service("", name="sthree"),
        "name: makes the access logs' bucket 'sthree-alb-logs-000000000000-us-west-2', which AWS"
        " refuses: it may not begin with 'sthree-'; take another, or set"
        " load_balancer.access_logs = false",
    ),
    (
        f'region = "us-{"x" * 16}-1"\n' + with_service("", name="e" * 24).replace("backend", "a"),
        f"name: makes the access logs' bucket '{'e' * 24}-alb-logs-000000000000-us-{'x' * 16}-1',"
        " which AWS refuses: it has 68 characters, and 63 are allowed",
    ),
    (
        'region = "oregon"\n' + with_service(""),
        "region: 'oregon' is not allowed; allowed: a region",
    ),
    (
        'account = "1"\n' + with_service(""),
        "account: '1' is not allowed; allowed: the twelve digits",
    ),
    (
        with_section("tags", '"aws:x" = "y"'),
        "tags.aws:x: is refused by AWS; allowed: keys of 1 to 128 characters that do not start"
        " with aws:, values of at most 256, made of letters, digits, spaces and _ . : / = + - @",
    ),
    (with_section("tags", f'{"k" * 129} = "v"'), f"tags.{'k' * 129}: is refused by AWS;"),
    (with_section("tags", f'k = "{"v" * 257}"'), "tags.k: is refused by AWS;"),
    (with_section("tags", 'k = "${v}"'), "tags.k: is refused by AWS;"),
    # Delivery.
    (with_section("delivery", ""), "delivery.github_repository: is missing"),
    (
        with_section("delivery", 'github_repository = "app"'),
        "delivery.github_repository: 'app' is not allowed; allowed: owner/name",
    ),
    (
        with_section("delivery", 'github_repository = "us/app"\nbranch = "a b"'),
        "delivery.branch: 'a b' is not allowed; allowed: a branch's name",
    ),
    # State.
    (
        with_section("state", 'kind = "s3"'),
        'state.bucket: is missing; state.kind = "s3" needs the name of an S3 bucket of yours',
    ),
    *(
        (
            with_section("state", f'{key} = "us-west-2"'),
            f'state.{key}: has no meaning with state.kind = "local"; leave it out',
        )
        for key in ("bucket", "region")
    ),
    *(
        (
            with_section("state", f'kind = "s3"\nbucket = "{bucket}"'),
            f"state.bucket: '{bucket}' {problem}",
        )
        for bucket, problem in (
            *(
                (bucket, "is not allowed; allowed: a bucket's name: 3 to 63 lower-case letters,")
                for bucket in ("ab", "b" * 64, "States", "-states", "states.", "sta_tes")
            ),
            ("sta..tes", "is refused by AWS: two dots may not follow each other"),
            ("192.168.5.4", "is refused by AWS: it may not look like an IP address"),
            *(
                (f"{beginning}states", f"is refused by AWS: it may not begin with '{beginning}'")
                for beginning in ("xn--", "sthree-", "amzn-s3-demo-")
            ),
            *(
                (f"states{end}", f"is refused by AWS: it may not end with '{end}'")
                for end in ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
            ),
        )
    ),
    (
        with_section("state", 'kind = "gcs"'),
        "state.kind: 'gcs' is not allowed; allowed: 'local' or 's3'",
    ),
]


@pytest.mark.parametrize(("toml", "expected"), MISTAKES)
def test_a_mistake_of_the_environment_is_told(tmp_path: Path, toml: str, expected: str) -> None:
    assert_told(tmp_path, toml, expected)
