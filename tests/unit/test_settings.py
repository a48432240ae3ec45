"""Every mistake in the settings has its own line: file, key, value and what is allowed."""

from pathlib import Path

import pytest

from prod_e.settings import SettingsError, load_environment, load_environments

PROJECT = Path(__file__).resolve().parents[2]


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


def with_section(section: str, lines: str) -> str:
    return with_service(f"[{section}]\n{lines}")


@pytest.mark.parametrize("name", ["prod-e", "staging-e"])
def test_the_environments_of_the_project_are_valid(name: str) -> None:
    environments = {e.name: e for e in load_environments(PROJECT / "environments")}
    assert environments[name].services["backend"].memory_mib == 512


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        (with_service("cpu_unit = 256"), "services.backend.cpu_unit: is not a known key; allowed:"),
        (with_service('port = "3000"'), "services.backend.port: '3000' is not allowed; allowed:"),
        (with_service("cpu_units = 300"), "services.backend.cpu_units: 300 is not allowed;"),
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
            with_service("[services.backend.environment]\nDB_PASSWORD = 'x'"),
            "services.backend.environment.DB_PASSWORD: looks like a secret,",
        ),
        (
            with_service("[services.backend.environment]\nPORT = '1'"),
            "services.backend.environment.PORT: is set by prod-e itself; leave it out",
        ),
        (
            with_service("[services.backend.secrets]\nAPI_KEY = 'hunter2'"),
            "services.backend.secrets.API_KEY: is not the ARN of a Secrets Manager secret",
        ),
        (
            with_service("[services.other]"),
            "services.other.path: '/*' is the route of services.backend too;",
        ),
        (
            with_service("", name="an-environment-so-long").replace("backend", "some-service"),
            "services.some-service: makes the target group's name"
            " 'an-environment-so-long-some-service-3000', 40 characters long; AWS allows 32",
        ),
        (with_service("", name="internal-e"), "name: 'internal-e' is refused by AWS:"),
        (with_service("", name="Prod_E"), "name: 'Prod_E' is not allowed; allowed: lower"),
        (with_section("network", 'cidr = "10.0.0.0/24"'), "network.cidr: '10.0.0.0/24' is too sma"),
        (with_section("network", 'cidr = "10.0.0.0/8"'), "network.cidr: '10.0.0.0/8' is too large"),
        (with_section("network", 'cidr = "10.0.0.1/16"'), "network.cidr: '10.0.0.1/16' is not an"),
        (with_section("network", 'cidr = "8.8.0.0/16"'), "network.cidr: '8.8.0.0/16' is public;"),
        (with_section("network", "availability_zones = 4"), "network.availability_zones: 4 is not"),
        (
            with_section("network", 'egress = "endpoints"\nnat_gateways = "single"'),
            "network.nat_gateways: 'single' has no meaning with egress = \"endpoints\"",
        ),
        (
            with_section("database", "storage_gib = 100\nmax_storage_gib = 105"),
            "database.max_storage_gib: 105 is less than 10 % above storage_gib = 100; allowed: 110",
        ),
        (with_section("database", "backup_days = 36"), "database.backup_days: 36 is not allowed;"),
        (
            with_section("load_balancer", 'domain_name = "api.example.com"'),
            "load_balancer.hosted_zone_id: is missing for domain_name = 'api.example.com';",
        ),
        (
            with_section("load_balancer", 'hosted_zone_id = "Z0123"'),
            "load_balancer.domain_name: is missing for hosted_zone_id = 'Z0123'",
        ),
        (with_section("monitoring", "log_retention_days = 31"), "monitoring.log_retention_days:"),
        (with_section("monitoring", 'alarm_emails = ["me"]'), "monitoring.alarm_emails.0: 'me'"),
        (with_section("state", 'kind = "s3"'), "state.bucket: is missing;"),
        (with_section("state", 'bucket = "states"'), "state.bucket: has no meaning with"),
        (with_section("tags", '"aws:x" = "y"'), "tags.aws:x: is refused by AWS;"),
        ('name = "tiny-e"\n', "services: is missing"),
        ("name = \n", "is not valid TOML:"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, toml: str, expected: str) -> None:
    (message,) = mistakes(tmp_path, toml)
    assert message.startswith(expected)


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


def test_a_folder_without_environments_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no environment found"):
        load_environments(tmp_path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="this file does not exist"):
        load_environment(tmp_path / "none.toml")
