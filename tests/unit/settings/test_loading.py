"""What a settings file may hold, and that every mistake in it is told at once."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from prod_e.settings import Environment, SettingsError, load_environment, load_environments
from tests.support.project.project_folder import ENVIRONMENTS, PROJECT
from tests.support.project.settings_mistakes import (
    EXISTING_NETWORK,
    mistakes,
    with_section,
    with_service,
)


def test_the_environments_of_the_project_are_valid() -> None:
    assert load_environments(PROJECT / "environments")


@pytest.mark.parametrize("name", ["prod-e", "staging-e"])
def test_the_environments_that_are_shipped_are_valid(name: str) -> None:
    environments = {e.name: e for e in load_environments(ENVIRONMENTS)}
    assert environments[name].services["backend"].memory_mib == 512


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
    if sections == ["database", "restored"] and name != "identifier":
        lines["database.restored"].append('identifier = "two"')
    toml = "\n".join(
        line
        for section, found in lines.items()
        for line in ([f"[{section}]"] if section else []) + found
    )
    (message,) = mistakes(tmp_path, toml)
    may_be_secret = name in ("build_args", "environment", "secrets")
    value = "" if may_be_secret else "1979-05-27 "
    assert message.startswith(f"{key}: {value}is not allowed; allowed: ")
    assert not re.search(r"Input|should|valid|string|dictionary|tuple|None", message)


def test_a_mistaken_secret_is_not_repeated(tmp_path: Path) -> None:
    toml = with_service("[services.backend.secrets]\nAPI_KEY = 'hunter2'")
    assert "hunter2" not in "".join(mistakes(tmp_path, toml))


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    toml = with_service("memory_mib = 1\nunknown = 1") + "[network]\ncidr = 'x'\n"
    found = mistakes(tmp_path, toml)
    assert len(found) >= 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "memory_mb = 1024",
            "services.backend.memory_mb: is not a known key; did you mean memory_mib?",
        ),
        ("colour = 1", "services.backend.colour: is not a known key; allowed: "),
    ],
)
def test_a_key_that_is_nearly_one_is_told_with_what_was_meant(
    tmp_path: Path, line: str, told: str
) -> None:
    (message,) = mistakes(tmp_path, with_service(line))
    assert message.startswith(told)


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


def test_a_mistake_stops_its_own_environment_only(tmp_path: Path) -> None:
    two_environments(tmp_path, one="", two="colour = 1")
    left_out: list[str] = []
    loaded = load_environments(tmp_path, ["one-e"], on_left_out=left_out.append)
    assert [each.name for each in loaded] == ["one-e"]
    assert left_out == [f"{tmp_path.name}/two.toml"]
    with pytest.raises(SettingsError, match=r"two\.toml: colour"):
        load_environments(tmp_path, ["two-e"], on_left_out=left_out.append)
    assert len(left_out) == 1


def test_a_name_that_is_not_there_is_told_beside_the_mistakes_of_a_file(tmp_path: Path) -> None:
    two_environments(tmp_path, one="", two="colour = 1")
    with pytest.raises(SettingsError) as raised:
        load_environments(tmp_path, ["ine-e"])
    mistake, not_there = raised.value.messages
    assert "two.toml: colour" in mistake
    assert not_there == f"{tmp_path}: has no 'ine-e', but one-e; did you mean one-e?"
    with pytest.raises(SettingsError) as raised:
        load_environments(tmp_path, ["two"])
    (mistake,) = raised.value.messages
    assert "two.toml: colour" in mistake


def test_an_environment_is_stopped_by_another_that_makes_what_it_makes(tmp_path: Path) -> None:
    two_environments(tmp_path, one="", two="")
    (tmp_path / "three.toml").write_text(with_section("network", 'cidr = "10.2.0.0/16"'))
    with pytest.raises(SettingsError, match=r"two\.toml: services\.backend\.repository"):
        load_environments(tmp_path, ["one-e"])
    (three,) = load_environments(tmp_path, ["tiny-e"])
    assert three.name == "tiny-e"


def test_an_environment_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(with_service(""))
    with pytest.raises(SettingsError, match=r": has no 'none', but tiny-e$"):
        load_environments(tmp_path, ["none"])


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


OF_GITHUB = '[delivery]\ngithub_repository = "us/app"\n'


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        # The registry's stack of the one is the main stack of the other.
        ({"name": "tiny"}, {"name": "tiny-registry"}, "name: 'tiny-registry' makes the stack"),
        (
            {"name": "tiny", "key": "api-web"},
            {"name": "tiny-api", "key": "web"},
            "name: 'tiny-api' makes names that begin with 'tiny-api-web' for 'web', as",
        ),
        (
            # IAM has one of each name for all regions.
            {"name": "tiny", "key": "api-web", "region": "eu-west-1"},
            {"name": "tiny-api", "key": "web"},
            "name: 'tiny-api' makes names that begin with 'tiny-api-web' for 'web', as",
        ),
        (
            {"name": "tiny", "key": "api-database"},
            {"name": "tiny-api", "lines": '[database]\ninstance_class = "db.t4g.large"\n'},
            "name: 'tiny-api' makes names that begin with 'tiny-api-database' for 'database', as",
        ),
        (
            {"name": "one", "lines": OF_GITHUB},
            {"name": "two", "lines": OF_GITHUB},
            "delivery.create_oidc_provider: is true in",
        ),
    ],
)
def test_environments_beside_each_other_make_nothing_that_aws_has_once(
    tmp_path: Path, first: dict[str, str], second: dict[str, str], told: str
) -> None:
    def write(
        number: int,
        *,
        name: str,
        key: str = "backend",
        lines: str = "",
        region: str = "us-west-2",
    ) -> None:
        (tmp_path / f"{number}.toml").write_text(
            f'name = "{name}"\nregion = "{region}"\n'
            f'[network]\ncidr = "10.{number}.0.0/16"\n[services.{key}]\n{lines}'
        )

    write(1, **first)
    write(2, **second)
    with pytest.raises(SettingsError) as raised:
        load_environments(tmp_path)
    (message,) = raised.value.messages
    assert message.startswith(f"{tmp_path.name}/2.toml: {told}")


def test_one_of_two_environments_makes_the_identity_provider(tmp_path: Path) -> None:
    for number, more in enumerate(("", "create_oidc_provider = false\n")):
        (tmp_path / f"{number}.toml").write_text(
            with_section("network", f'cidr = "10.{number}.0.0/16"\n{OF_GITHUB}{more}').replace(
                "tiny-e", f"e{number}"
            )
        )
    assert len(load_environments(tmp_path)) == 2
