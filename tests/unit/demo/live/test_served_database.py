"""What the demo asks of a service's database, and of whom."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.demo.live.database import ServedDatabase
from tests.support.project.demo_run import run_of

SERVED = "[services.backend]\n[database]\n"


def served(client: Any, *, is_multi_az: bool = True) -> ServedDatabase:
    clients: Callable[[str], Any] = lambda name: client if name == "rds" else None  # noqa: E731
    return ServedDatabase(
        identifier="tiny-e-db", is_multi_az=is_multi_az, cluster="c", service="s", clients=clients
    )


@pytest.mark.parametrize(("status", "is_it"), [("available", True), ("rebooting", False)])
def test_it_is_available_once_rds_says_so(status: str, is_it: bool) -> None:
    def describe(*, DBInstanceIdentifier: str) -> Any:  # noqa: N803
        assert DBInstanceIdentifier == "tiny-e-db"
        return {"DBInstances": [{"DBInstanceStatus": status}]}

    client = SimpleNamespace(describe_db_instances=describe)
    assert served(client).is_available() is is_it


@pytest.mark.parametrize("is_multi_az", [True, False])
def test_only_one_with_a_standby_fails_over(is_multi_az: bool) -> None:
    asked: list[Any] = []
    client = SimpleNamespace(reboot_db_instance=lambda **asks: asked.append(asks))
    served(client, is_multi_az=is_multi_az).fail_over()
    assert asked == [{"DBInstanceIdentifier": "tiny-e-db", "ForceFailover": is_multi_az}]


def test_it_is_the_environments_own(tmp_path: Path) -> None:
    run = run_of(tmp_path, SERVED)
    database = ServedDatabase.of(run, "backend")
    assert database is not None
    names = run.environment.names
    assert (database.identifier, database.cluster) == (names.database, names.cluster)
    assert database.service == "tiny-e-backend"
    assert not database.is_multi_az


@pytest.mark.parametrize(
    "settings",
    [
        "[services.backend]\n",
        "[services.backend]\ndatabase_secret_arn ="
        ' "arn:aws:secretsmanager:us-west-2:111122223333:secret:x-AbCdEf"\n[database]\n',
    ],
)
def test_a_service_without_one_or_with_anothers_has_none(tmp_path: Path, settings: str) -> None:
    assert ServedDatabase.of(run_of(tmp_path, settings), "backend") is None
