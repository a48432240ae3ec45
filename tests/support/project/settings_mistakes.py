"""Settings with a mistake in them, and what is told of it."""

from pathlib import Path

import pytest

from prod_e.settings import SettingsError, load_environment

EXISTING_NETWORK = """
vpc_id = "vpc-0123456789abcdef0"
public_subnet_ids = ["subnet-00000001", "subnet-00000002"]
private_subnet_ids = ["subnet-00000003", "subnet-00000004"]
"""
SECRET = "arn:aws:secretsmanager:us-west-2:111122223333:secret:key-AbCdEf"


def mistakes(folder: Path, toml: str) -> tuple[str, ...]:
    """The messages about settings, without the file that each begins with."""
    file = folder / "environments" / "given.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(toml)
    with pytest.raises(SettingsError) as raised:
        load_environment(file)
    for message in raised.value.messages:
        assert message.startswith("environments/given.toml: ")
    return tuple(m.removeprefix("environments/given.toml: ") for m in raised.value.messages)


def assert_told(folder: Path, toml: str, expected: str) -> None:
    """Asserts that settings have one mistake, whose message begins as expected."""
    (message,) = mistakes(folder, toml)
    assert message.startswith(expected)


def with_service(lines: str, *, name: str = "tiny-e") -> str:
    """An environment with these lines about its service."""
    return f'name = "{name}"\n[services.backend]\n{lines}\n'


def with_section(section: str, lines: str) -> str:
    """An environment with these lines in a section."""
    return with_service(f"[{section}]\n{lines}")
