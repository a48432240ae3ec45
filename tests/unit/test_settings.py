"""Every mistake in the settings has its own line: file, key, value and what is allowed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from prod_e.settings import Environment, SettingsError, load_environment, load_environments
from tests.support.project_folder import PROJECT


def mistakes(folder: Path, toml: str) -> tuple[str, ...]:
    file = folder / "environments" / "given.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(toml)
    with pytest.raises(SettingsError) as raised:
        load_environment(file)
    for message in raised.value.messages:
        assert message.startswith("environments/given.toml: ")
    return tuple(m.removeprefix("environments/given.toml: ") for m in raised.value.messages)


def with_service(lines: str, *, name: str = "tiny-e") -> str:
    return f'name = "{name}"\n[services.backend]\n{lines}\n'


EXISTING_NETWORK = """
vpc_id = "vpc-0123456789abcdef0"
public_subnet_ids = ["subnet-00000001", "subnet-00000002"]
private_subnet_ids = ["subnet-00000003", "subnet-00000004"]
"""


def with_section(section: str, lines: str) -> str:
    return with_service(f"[{section}]\n{lines}")


@pytest.mark.parametrize("name", ["prod-e", "staging-e"])
def test_the_environments_of_the_project_are_valid(name: str) -> None:
    environments = {e.name: e for e in load_environments(PROJECT / "environments")}
    assert environments[name].services["backend"].memory_mib == 512


SECRET = "arn:aws:secretsmanager:us-west-2:111122223333:secret:key-AbCdEf"

MISTAKES = [
    # Not what the file can hold.
    ("name = \n", "is not valid TOML:"),
    ('name = "tiny-e"\n', "services: is missing"),
    ("[services.backend]\n", "name: is missing"),
    ('name = "tiny-e"\n[services]\n', "services: {} is not allowed; allowed: at least 1"),
    (with_service("cpu_unit = 256"), "services.backend.cpu_unit: is not a known key; allowed:"),
    ("colour = 1\n" + with_service(""), "colour: is not a known key; allowed: account, database,"),
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
    # The network.
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
    # A service: what it is built from, and its route.
    (
        with_service("").replace("backend", "Back_End"),
        "services.Back_End: is not a name; allowed: lower-case letters, digits and single hyphens",
    ),
    (
        with_service("", name="an-environment-so-long").replace("backend", "some-service"),
        "services.some-service: makes the target group's name"
        " 'an-environment-so-long-some-service-3000', 40 characters long; AWS allows 32",
    ),
    (
        with_service('source = "/srv"'),
        "services.backend.source: '/srv' is not allowed; allowed: a folder of the project, such as",
    ),
    (with_service('source = "${x}"'), "services.backend.source: '${x}' is not allowed; allowed:"),
    (
        with_service('source = "apps/../../x"'),
        "services.backend.source: 'apps/../../x' leads out of the project; allowed: a folder in it",
    ),
    (
        with_service('build = "make"'),
        "services.backend.build: 'make' is not allowed; allowed: 'terraform' or 'external'",
    ),
    (
        with_service('image_tag = "-v1"'),
        "services.backend.image_tag: '-v1' is not allowed; allowed: latest, content, or letters,",
    ),
    (
        with_service('architecture = "amd64"'),
        "services.backend.architecture: 'amd64' is not allowed; allowed: 'x86_64' or 'arm64'",
    ),
    (
        with_service('path = "jobs"'),
        "services.backend.path: 'jobs' is not allowed; allowed: a path that starts with /;",
    ),
    (with_service('path = "/caf\u00e9"'), "services.backend.path: '/café' is not allowed;"),
    (
        with_service(f'path = "/{"x" * 128}"'),
        f"services.backend.path: '/{'x' * 128}' is not allowed;",
    ),
    (
        with_service('host = "localhost"'),
        "services.backend.host: 'localhost' is not allowed; allowed: a host name such as",
    ),
    (
        with_service("priority = 50001"),
        "services.backend.priority: 50001 is not allowed; allowed: 50000 or less",
    ),
    (with_service("port = 0"), "services.backend.port: 0 is not allowed; allowed: 1 or more"),
    (
        with_service("port = 65536"),
        "services.backend.port: 65536 is not allowed; allowed: 65535 or less",
    ),
    (
        with_service('health_path = "/a b"'),
        "services.backend.health_path: '/a b' is not allowed; allowed: a path that starts with /,"
        " without spaces or braces",
    ),
    (
        with_service('health_path = "/${x}"'),
        "services.backend.health_path: '/${x}' is not allowed; allowed:",
    ),
    (
        with_service("health_interval_seconds = 5"),
        "services.backend.health_interval_seconds: 5 is not allowed; allowed: 6 or more",
    ),
    (
        with_section("network", 'vpc_id = "vpc-1"'),
        "network.vpc_id: 'vpc-1' is not allowed; allowed: a VPC's id such as vpc-0123456789abcdef0",
    ),
    (
        with_section("network", 'public_subnet_ids = ["subnet-00000001", "subnet-00000002"]'),
        "network.vpc_id: is missing for public_subnet_ids; give the id of the subnets' VPC",
    ),
    (
        with_section("network", EXISTING_NETWORK + 'cidr = "10.0.0.0/16"'),
        "network.cidr: has no meaning with vpc_id; leave it out",
    ),
    (
        with_section("network", EXISTING_NETWORK.replace(', "subnet-00000002"', "")),
        "network.public_subnet_ids: has fewer than 2; give one in each of two zones or more",
    ),
    (
        with_section("network", EXISTING_NETWORK + "[database]"),
        "network.isolated_subnet_ids: has fewer than 2, which the database needs, in two zones",
    ),
    (
        with_section("load_balancer", 'certificate_arn = "arn:aws:iam::1:server-certificate/x"'),
        "load_balancer.certificate_arn: 'arn:aws:iam::1:server-certificate/x' is not allowed;"
        " allowed: the ARN of an ACM certificate",
    ),
    (
        with_service("health_command = []"),
        "services.backend.health_command: [] is not allowed; allowed: at least 1",
    ),
    (
        with_service('health_command = "curl"'),
        "services.backend.health_command: 'curl' is not allowed; allowed: a list",
    ),
    (
        with_service("[services.other]"),
        "services.other.path: '/*' is the route of services.backend too; give one of them another"
        " path or host",
    ),
    (
        with_service('host = "a.example.com"\n[services.other]\nhost = "a.example.com"'),
        "services.other.path: '/*' on 'a.example.com' is the route of services.backend too;",
    ),
    (
        with_service('priority = 7\n[services.other]\npath = "/x"\npriority = 7'),
        "services.other.priority: 7 is that of services.backend too; set another",
    ),
    # A service: names.
    (
        with_service('repository = "Backend"'),
        "services.backend.repository: 'Backend' is not allowed; allowed: lower-case letters and",
    ),
    (
        with_service('repository = "b"'),
        "services.backend.repository: 'b' is not allowed; allowed: at least 2 characters",
    ),
    *(
        (
            with_service(f'{key} = "a b"'),
            f"services.backend.{key}: 'a b' is not allowed; allowed: letters, digits,",
        )
        for key in ("task_family", "container", "service")
    ),
    (
        with_service('log_group = "a b"'),
        "services.backend.log_group: 'a b' is not allowed; allowed: letters, digits and _ . / # -",
    ),
    (
        with_service('log_group = "aws/backend"'),
        "services.backend.log_group: 'aws/backend' is refused by AWS, to which aws/ belongs",
    ),
    *(
        (
            with_service(f'{key} = "same"\n[services.other]\npath = "/x"\n{key} = "same"'),
            f"services.other.{key}: 'same' is that of services.backend too",
        )
        for key in ("repository", "task_family", "service", "log_group")
    ),
    (
        with_service('repository = "tiny-e-other"\n[services.other]\npath = "/x"'),
        "services.other.repository: 'tiny-e-other' is that of services.backend too",
    ),
    # A service: size and scaling.
    (
        with_service("cpu_units = 300"),
        "services.backend.cpu_units: 300 is not allowed; allowed: 256, 512,",
    ),
    (
        with_service("memory_mib = 768"),
        "services.backend.memory_mib: 768 is not offered with cpu_units = 256; allowed: 512,"
        " 1024, 2048",
    ),
    (
        with_service("cpu_units = 4096\nmemory_mib = 4096"),
        "services.backend.memory_mib: 4096 is not offered with cpu_units = 4096; allowed: 8192"
        " to 30720 in steps of 1024",
    ),
    (
        with_service("min_tasks = 3\ndesired_tasks = 3\nmax_tasks = 2"),
        "services.backend.min_tasks: 3 is more than max_tasks = 2; allowed: min_tasks <="
        " desired_tasks <= max_tasks",
    ),
    (
        with_service("desired_tasks = 11"),
        "services.backend.desired_tasks: 11 is not between min_tasks = 2 and max_tasks = 10",
    ),
    (
        with_service("min_tasks = -1"),
        "services.backend.min_tasks: -1 is not allowed; allowed: 0 or more",
    ),
    (
        with_service("desired_tasks = 5001"),
        "services.backend.desired_tasks: 5001 is not allowed; allowed: 5000 or less",
    ),
    (
        with_service("max_tasks = 0"),
        "services.backend.max_tasks: 0 is not allowed; allowed: 1 or more",
    ),
    *(
        (
            with_service(f"{key}_target_percent = 91"),
            f"services.backend.{key}_target_percent: 91 is not allowed; allowed: 90 or less",
        )
        for key in ("cpu", "memory")
    ),
    (
        with_service("requests_per_task_and_minute = 0"),
        "services.backend.requests_per_task_and_minute: 0 is not allowed; allowed: 1 or more",
    ),
    (
        with_service("spot_weight = 101"),
        "services.backend.spot_weight: 101 is not allowed; allowed: 100 or less",
    ),
    # A service: build arguments.
    (
        with_service('build_network = "bridge"'),
        "services.backend.build_network: 'bridge' is not allowed; allowed: 'default', 'host' or",
    ),
    (
        with_service("[services.backend.build_args]\nNPM_TOKEN = 'x'"),
        "services.backend.build_args.NPM_TOKEN: looks like a secret, and build arguments are",
    ),
    (
        with_service("[services.backend.build_args]\nCOMMIT = 'x'"),
        "services.backend.build_args.COMMIT: is set by prod-e itself; leave it out",
    ),
    (
        with_service("[services.backend.build_args]\n'A-B' = 'x'"),
        "services.backend.build_args.A-B: is no build argument's name; allowed: letters, digits",
    ),
    (
        with_service("[services.backend.build_args]\nEDITION = ''"),
        "services.backend.build_args.EDITION: is empty, which Terraform takes for absent",
    ),
    # A service: variables.
    (
        with_service("[services.backend.environment]\nDB_PASSWORD = 'x'"),
        "services.backend.environment.DB_PASSWORD: looks like a secret,",
    ),
    (
        with_service("[services.backend.environment]\nPORT = '1'"),
        "services.backend.environment.PORT: is set by prod-e itself; leave it out",
    ),
    (
        with_service("[services.backend.environment]\n'A B' = '1'"),
        "services.backend.environment.A B: is not a variable's name; allowed: letters, digits and",
    ),
    (
        with_service("[services.backend.environment]\nLEVEL = 1"),
        "services.backend.environment.LEVEL: 1 is not allowed; allowed: text in quotes",
    ),
    (
        with_service("[services.backend.secrets]\nAPI_KEY = 'hunter2'"),
        "services.backend.secrets.API_KEY: is not the ARN of a Secrets Manager secret",
    ),
    (
        with_service("[services.backend.secrets.API_KEY]\nvalue = 'hunter2'"),
        "services.backend.secrets.API_KEY: is not allowed; allowed: text in quotes",
    ),
    (
        with_service(f"[services.backend.secrets]\nDB_HOST = '{SECRET}'"),
        "services.backend.secrets.DB_HOST: is set by prod-e itself; leave it out",
    ),
    (
        with_service(
            f"[services.backend.environment]\nA = 'x'\n[services.backend.secrets]\nA = '{SECRET}'"
        ),
        "services.backend.secrets.A: is set in `environment` too; keep one of the two",
    ),
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
def test_a_mistake_is_told(tmp_path: Path, toml: str, expected: str) -> None:
    (message,) = mistakes(tmp_path, toml)
    assert message.startswith(expected)


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                below = "backend." if name == "services" else ""
                yield from keys_of(inner, f"{prefix}{name}.{below}")


@pytest.mark.parametrize("key", list(keys_of(Environment)))
def test_a_value_of_the_wrong_type_is_told_in_the_words_of_the_file(
    tmp_path: Path, key: str
) -> None:
    *sections, name = key.split(".")
    lines = {"": ['name = "tiny-e"'], "services.backend": []}
    lines.setdefault(".".join(sections), []).append(f"{name} = 1979-05-27")
    if key == "name":
        del lines[""][0]
    if key == "services":
        del lines["services.backend"]
    if sections == ["delivery"] and name != "github_repository":
        lines["delivery"].append('github_repository = "us/app"')
    toml = "\n".join(
        line
        for section, found in lines.items()
        for line in ([f"[{section}]"] if section else []) + found
    )
    (message,) = mistakes(tmp_path, toml)
    value = "" if name == "secrets" else "1979-05-27 "
    assert message.startswith(f"{key}: {value}is not allowed; allowed: ")
    assert not re.search(r"Input|should|valid|string|dictionary|tuple|None", message)


def test_a_mistaken_secret_is_not_repeated(tmp_path: Path) -> None:
    toml = with_service("[services.backend.secrets]\nAPI_KEY = 'hunter2'")
    assert "hunter2" not in "".join(mistakes(tmp_path, toml))


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    toml = with_service("memory_mib = 1\nunknown = 1") + "[network]\ncidr = 'x'\n"
    found = mistakes(tmp_path, toml)
    assert len(found) >= 2


def test_every_file_is_told_of(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text("name = 1\n[services.backend]\n")
    with pytest.raises(SettingsError) as raised:
        load_environments(tmp_path)
    assert len(raised.value.messages) == 2


def test_environments_may_not_share_names_or_addresses(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(with_service(""))
    with pytest.raises(SettingsError) as raised:
        load_environments(tmp_path)
    name, cidr = raised.value.messages
    assert "two.toml: name: 'tiny-e' is that of" in name
    assert "two.toml: network.cidr: '10.0.0.0/16' overlaps '10.0.0.0/16'" in cidr


def test_environments_in_a_vpc_that_is_there_already_share_its_addresses(tmp_path: Path) -> None:
    for name in ("one", "two"):
        network = f"[network]{EXISTING_NETWORK}"
        (tmp_path / f"{name}.toml").write_text(with_service(network, name=f"{name}-e"))
    assert [e.name for e in load_environments(tmp_path)] == ["one-e", "two-e"]


SHARED = 'repository = "app"\ntask_family = "app"\nlog_group = "/app"\nservice = "app"'


def two_environments(folder: Path, **lines: str) -> None:
    for number, (name, first) in enumerate(lines.items()):
        (folder / f"{name}.toml").write_text(
            f'{first}\n{with_section("network", f"""cidr = "10.{number}.0.0/16" """)}'.replace(
                "tiny-e", f"{name}-e"
            ).replace("[services.backend]", f"[services.backend]\n{SHARED}")
        )


def test_environments_of_one_account_and_region_may_not_share_names_of_services(
    tmp_path: Path,
) -> None:
    two_environments(tmp_path, one="", two="")
    with pytest.raises(SettingsError) as raised:
        load_environments(tmp_path)
    for message, (key, name) in zip(
        raised.value.messages,
        {"repository": "app", "task_family": "app", "log_group": "/app"}.items(),
        strict=True,
    ):
        assert message == (
            f"{tmp_path.name}/two.toml: services.backend.{key}: {name!r} is that of"
            f" services.backend in {tmp_path.name}/one.toml too; each environment needs its own"
        )


@pytest.mark.parametrize("other", ['region = "eu-west-1"', 'account = "111122223333"'])
def test_environments_of_other_accounts_or_regions_may_share_names(
    tmp_path: Path, other: str
) -> None:
    two_environments(tmp_path, one="", two=other)
    assert [environment.name for environment in load_environments(tmp_path)] == ["one-e", "two-e"]


def test_a_folder_without_environments_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no environment found"):
        load_environments(tmp_path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="this file does not exist"):
        load_environment(tmp_path / "none.toml")
