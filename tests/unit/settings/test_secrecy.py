"""Secrets are refused where anybody would read them, and no message repeats what may be one."""

from pathlib import Path

import pytest

from prod_e.settings import load_environment
from prod_e.settings.secrecy import looks_secret, without_secrets
from tests.support.project.settings_mistakes import mistakes, with_section, with_service

URL = "postgres://app:hunter2@db.example.com/app"


@pytest.mark.parametrize("table", ["environment", "build_args"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASS", "x"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("GITHUB_PAT", "x"),
        ("CREDENTIALS", "x"),
        ("DATABASE_URL", "postgres://app:hunter2@db.example.com/app"),
        ("SETTINGS", "AKIA" + "Q" * 16),
        ("PEM", "-----BEGIN RSA PRIVATE KEY-----"),
        ("SESSION", "ghp_" + "a1" * 18),
    ],
)
def test_what_looks_like_a_secret_is_refused_and_never_repeated(
    tmp_path: Path, table: str, name: str, value: str
) -> None:
    toml = with_section(f"services.backend.{table}", f'{name} = "{value}"')
    (message,) = mistakes(tmp_path, toml)
    assert message.startswith(f"services.backend.{table}.{name}: looks like a secret")
    assert value not in message.split(": ", 1)[1] or len(value) == 1


@pytest.mark.parametrize(
    "toml",
    [
        with_service('health_command = ["CMD", "psql", "postgres://app:hunter2@db/app"]'),
        with_service('migration_command = ["migrate", "postgres://app:hunter2@db/app"]')
        + "[database]\n",
        with_section("tags", 'Source = "https://app:hunter2@example.com/repository"'),
    ],
)
def test_what_looks_like_a_secret_in_a_command_or_a_tag_is_refused_and_never_repeated(
    tmp_path: Path, toml: str
) -> None:
    (message,) = mistakes(tmp_path, toml)
    assert "looks like a secret" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "line",
    [
        'BYPASS = "1"',
        'TOKENIZER = "fast"',
        'COMPASS = "n"',
        'PATH_PREFIX = "/v1"',
        'UPSTREAM = "https://api.example.com:8443/v1"',
        'MONKEY = "1"',
    ],
)
def test_what_only_sounds_like_a_secret_is_taken(tmp_path: Path, line: str) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(with_section("services.backend.environment", line))
    load_environment(file)


@pytest.mark.parametrize("table", ["environment", "secrets", "build_args"])
def test_a_value_of_the_wrong_type_that_may_be_a_secret_is_not_repeated(
    tmp_path: Path, table: str
) -> None:
    (message,) = mistakes(tmp_path, with_section(f"services.backend.{table}", "PIN = 49512"))
    assert message == f"services.backend.{table}.PIN: is not allowed; allowed: text in quotes"


def test_what_may_be_a_secret_is_not_repeated_where_it_is_not_expected_either(
    tmp_path: Path,
) -> None:
    toml = with_service('host = "postgres://app:hunter2@db.example.com/app"')
    (message,) = mistakes(tmp_path, toml)
    assert message.startswith("services.backend.host: is not allowed; allowed: a host name")


@pytest.mark.parametrize(
    "name",
    ["dbPass", "DB_PASSWORD_1", "PASSWORD2", "SECRET_KEY_BASE", "API_KEY_V2", "MY_CREDS", "DB_PW"],
)
def test_a_name_that_secrets_have_in_some_spelling_is_one(name: str) -> None:
    assert looks_secret(name, "x")


@pytest.mark.parametrize(
    "value",
    [
        "postgres://app:hun/ter2@db.example.com/app",
        "jdbc:postgresql://db.example.com/app?user=app&password=hunter2",
        "Server=db;User Id=app;Password=hunter2;",
        "Bearer " + "a1" * 10,
        "https://hooks.slack.com/services/T00000000/B00000000/" + "a1" * 12,
        "whsec_" + "a1" * 16,
        "hvs." + "a1" * 16,
        "pypi-AgEI" + "a1" * 16,
    ],
)
def test_a_value_of_a_form_that_secrets_have_is_one(value: str) -> None:
    assert looks_secret("SETTING", value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKENS", "4096"),
        ("COMMAND", "psql postgres://$DB_USER:$DB_PASSWORD@$DB_HOST/app"),
        ("COMMAND", "psql 'host=db password=${DB_PASSWORD}'"),
        ("UPSTREAM", "http://db.example.com:8080/@app"),
    ],
)
def test_a_count_and_a_variable_are_no_secrets(name: str, value: str) -> None:
    assert not looks_secret(name, value)


@pytest.mark.parametrize(
    "toml",
    [
        f'name = "tiny-e"\ndatabase = "{URL}"\n[services.backend]\n',
        f'name = "{URL}"\n[services.backend]\n',
        'name = "tiny-e"\nservices = [{environment = {DB_PASSWORD = "hunter2"}}]\n',
        with_service(f'port = "{URL}"'),
        with_service('port = {password = "hunter2"}'),
        with_service(f'health_command = "psql {URL}"'),
        with_service(f'"{URL}" = 1'),
        with_service('database_secret_arn = "hunter2"') + "[database]\n",
        with_section("services.backend.environment", f'"{URL}" = "x"'),
        with_section("services.backend.environment", f'"{URL}TfToken[" = "x"'),
        with_section("network", f'cidr = "{URL}"'),
        with_section("tags", f'Source = ["{URL}"]'),
        with_section("tags", f'"{URL}" = "x"'),
        with_section("database", 'host = "db.example.com"\nsecret_arn = "hunter2"'),
    ],
)
def test_no_message_repeats_what_may_be_a_secret(tmp_path: Path, toml: str) -> None:
    for message in mistakes(tmp_path, toml):
        assert "hunter2" not in message


def test_a_line_keeps_what_is_around_a_secret() -> None:
    line = f"environment.{URL}: is not a name; allowed: 'a' or '{URL}'"
    assert without_secrets(line) == (
        "(it looks like a secret) is not a name; allowed: 'a' or '(it looks like a secret)'"
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "part", ["a", "a:", "-eyJaaaaaaaa", "://", "@", "https://a:", "a_", "APIKEY_", "a "]
)
def test_a_long_value_is_looked_at_in_linear_time(part: str) -> None:
    text = part * (200_000 // len(part)) + " "
    assert not looks_secret(text, text)
