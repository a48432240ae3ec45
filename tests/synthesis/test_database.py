"""The database, and what a container is told of it."""

from typing import Any

import pytest

from tests.support.synthesised import MINIMAL


def test_rds_keeps_the_password_and_the_database_is_encrypted_and_private(seed: Any) -> None:
    database = seed["prod-e"].one("aws_db_instance")
    assert database["manage_master_user_password"] is True
    assert database["storage_encrypted"] is True
    assert database["storage_type"] == "gp3"
    assert database["publicly_accessible"] is False
    assert database["deletion_protection"] is True
    assert database["lifecycle"]["prevent_destroy"] is True
    parameters = seed["prod-e"].one("aws_db_parameter_group")["parameter"]
    # With another method of applying, each later plan would set it again.
    tls = {"name": "rds.force_ssl", "value": "1", "apply_method": "pending-reboot"}
    assert tls in parameters


def test_without_a_database_there_is_none_and_no_variables_for_it(synthesised: Any) -> None:
    stack = synthesised(MINIMAL)["tiny-e"]
    assert not stack.all("aws_db_instance")
    assert {v["name"] for v in stack.container()["environment"]} == {"PORT"}


@pytest.mark.parametrize(("version", "follows"), [("16", True), ("16.4", False)])
def test_a_minor_version_that_is_held_is_not_upgraded(
    synthesised: Any, version: str, follows: bool
) -> None:
    stack = synthesised(MINIMAL + f'[database]\nengine_version = "{version}"\n')["tiny-e"]
    assert stack.one("aws_db_instance")["auto_minor_version_upgrade"] is follows


def test_the_settings_say_when_a_change_of_the_database_happens(
    synthesised: Any, seed: Any
) -> None:
    stack = synthesised(MINIMAL + '[database]\napply = "immediately"\n')["tiny-e"]
    assert stack.one("aws_db_instance")["apply_immediately"] is True
    assert "apply_immediately" not in seed["prod-e"].one("aws_db_instance")
