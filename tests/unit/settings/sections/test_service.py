"""Mistakes in a service's settings."""

from pathlib import Path

import pytest

from tests.support.project.settings_mistakes import SECRET, assert_told, with_service

MISTAKES = [
    # A service: what it is built from, and its route.
    (
        with_service("").replace("backend", "Back_End"),
        "services.Back_End: is not a name; allowed: lower-case letters, digits and single hyphens",
    ),
    (
        with_service("", name="an-environment-so-long").replace("backend", "some-service"),
        "services.some-service: makes the target group's name"
        " 'an-environment-so-long-some-service', 35 characters long; AWS allows 32",
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
        with_service("port = 80"),
        "services.backend.port: 80 is refused to a container without Linux capabilities; allowed:",
    ),
    (
        with_service("min_tasks = 0\ndesired_tasks = 0"),
        "services.backend.min_tasks: 0 would be forever: with no task running",
    ),
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
        with_service("health_command = []"),
        "services.backend.health_command: [] is not allowed; allowed: at least 1",
    ),
    *(
        (
            with_service(f"health_command = {command}"),
            'services.backend.health_command: does not begin with "CMD" or "CMD-SHELL", and a',
        )
        for command in ('["curl", "-f"]', '["CMD"]', '["CMD-SHELL"]')
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
        "services.backend.build_args.A-B: is not a build argument's name; allowed: letters, digits",
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
        "services.backend.environment.LEVEL: is not allowed; allowed: text in quotes",
    ),
    (
        with_service("[services.backend.secrets]\nAPI_KEY = 'hunter2'"),
        "services.backend.secrets.API_KEY: is not the whole ARN of a Parameter Store",
    ),
    (
        with_service("[services.backend.secrets.API_KEY]\nvalue = 'hunter2'"),
        "services.backend.secrets.API_KEY: is not allowed; allowed: text in quotes",
    ),
    *(
        (
            with_service(f"[services.backend.secrets]\nAPI_KEY = '{partial}'"),
            "services.backend.secrets.API_KEY: is not the whole ARN of a Parameter Store",
        )
        # Without the six random characters; with a key, but not all of the colons.
        for partial in (SECRET.rpartition("-")[0], f"{SECRET}:key", f"{SECRET}:key:AWSCURRENT")
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
]


@pytest.mark.parametrize(("toml", "expected"), MISTAKES)
def test_a_mistake_of_a_service_is_told(tmp_path: Path, toml: str, expected: str) -> None:
    assert_told(tmp_path, toml, expected)
