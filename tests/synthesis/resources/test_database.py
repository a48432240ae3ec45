"""The database, and what a container is told of it."""

from typing import Any

import pytest

from prod_e import Restore
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


def test_a_final_snapshot_has_a_name_that_no_other_instance_gives_to_its_own(seed: Any) -> None:
    stack = seed["prod-e"]
    database = stack.one("aws_db_instance")
    group = stack.reference("aws_security_group", "id", name="prod-e-database")[2:-1]
    assert database["skip_final_snapshot"] is False
    # Known at any plan, so that it gets into the state of an instance that was made without.
    assert database["final_snapshot_identifier"] == (
        f'prod-e-database-${{replace({group}, "sg-", "")}}'
    )
    assert "final_snapshot_identifier" not in database["lifecycle"]["ignore_changes"]


RESTORED = MINIMAL + '[database]\n[database.restored]\nidentifier = "tiny-e-2"\n'


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ('snapshot = "before"', {"snapshot_identifier": "before"}),
        (
            'time = "2026-11-28T09:30:00Z"',
            {"restore_to_point_in_time": {"restore_time": "2026-11-28T09:30:00Z"}},
        ),
        (
            'time = "latest"',
            {"restore_to_point_in_time": {"use_latest_restorable_time": True}},
        ),
    ],
)
def test_what_is_restored_stands_beside_the_original(
    synthesised: Any, line: str, arguments: dict[str, object]
) -> None:
    stack = synthesised(RESTORED + line)["tiny-e"]
    original = stack.one("aws_db_instance", identifier="tiny-e-database")
    restored = stack.one("aws_db_instance", identifier="tiny-e-2")
    beginning = ("snapshot_identifier", "restore_to_point_in_time")
    if point := restored.get("restore_to_point_in_time"):
        # Not its name alone: the original must be there first.
        assert point.pop("source_db_instance_identifier") == stack.reference(
            "aws_db_instance", "identifier", identifier="tiny-e-database"
        )
    assert {key: restored[key] for key in beginning if key in restored} == arguments
    assert not [key for key in beginning if key in original]
    assert not {"db_name", "username"} & set(restored)
    # Its own, so that the original's end is not its end.
    for shared in ("db_subnet_group_name", "parameter_group_name", "vpc_security_group_ids"):
        assert restored[shared] != original[shared]
    host = stack.variables()["DB_HOST"]
    assert host == stack.reference("aws_db_instance", "address", identifier="tiny-e-database")
    alarms = {each["alarm_name"] for each in stack.all("aws_cloudwatch_metric_alarm")}
    assert {"tiny-e-database-cpu", "tiny-e-restored-database-cpu"} <= alarms


def test_what_is_restored_serves_when_the_settings_say_so_and_keeps_its_data_without_its_origin(
    synthesised: Any,
) -> None:
    beside = synthesised(RESTORED + 'snapshot = "before"\n')["tiny-e"]
    serving = synthesised(RESTORED + "serves = true\n")["tiny-e"]
    alone = synthesised(RESTORED + 'serves = true\noriginal = "removed"\n')["tiny-e"]
    address = serving.reference("aws_db_instance", "address", identifier="tiny-e-2")
    for stack in (serving, alone):
        assert stack.variables()["DB_HOST"] == address
        restored = stack.one("aws_db_instance", identifier="tiny-e-2")
        assert "snapshot_identifier" not in restored
        # It may be of a database that is called otherwise, and RDS does not rename it.
        assert not {"db_name", "username"} & set(restored)
        assert {"snapshot_identifier", "restore_to_point_in_time"} <= set(
            restored["lifecycle"]["ignore_changes"]
        )
    assert beside.reference("aws_db_instance", "address", identifier="tiny-e-2") == address
    assert len(alone.all("aws_db_instance")) == 1


@pytest.mark.parametrize(
    "arguments",
    [{}, {"snapshot": "s", "instance": "i"}, {"snapshot": "s", "time": "2026-11-28T09:30:00Z"}],
)
def test_a_restore_begins_with_one_thing(arguments: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"snapshot or instance|needs the instance"):
        Restore(**arguments)
