"""The project's own service runs with its database, and keeps serving when a password changes."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from embedded_aws import EmbeddedAws
from tests.embedded.backend_world import BACKEND_RUNS, LOGIN, serving_backend
from tests.embedded.world import World, eventually

pytestmark = pytest.mark.usefixtures("with_postgresql")


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(data_plane=BACKEND_RUNS) as aws:
        yield aws


@pytest.fixture(scope="module")
def serving(aws: EmbeddedAws) -> World:
    """Two tasks of the service, with a database."""
    return serving_backend(aws)


def test_a_note_is_written_and_read_through_the_load_balancer(serving: World) -> None:
    request = urllib.request.Request(
        f"{serving.url()}/notes",
        data=json.dumps({"title": "remember"}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201
    assert "remember" in serving.get("/notes")[2]
    assert serving.json("/health")["database"] == "ok"


def password_in(world: World, secret: str) -> str:
    text = world.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    return str(json.loads(text)["password"])


def test_the_services_change_their_password_and_lose_no_request(serving: World) -> None:
    pids, passwords = serving.task_pids(), {password_in(serving, LOGIN)}

    def has_changed_twice() -> bool:
        passwords.add(password_in(serving, LOGIN))
        return len(passwords) > 2

    with serving.load("/notes") as load:
        eventually("it changes twice", has_changed_twice, seconds=120)
        eventually("requests go on", lambda: load.sent > 400)
    assert load.lost == 0, load
    assert serving.task_pids() == pids
    assert "changed the password, which was old" in serving.log_lines()
    assert not [each for each in passwords if each in serving.log_lines()]


def test_the_master_users_password_is_none_of_the_services(serving: World) -> None:
    rds, secrets = serving.client("rds"), serving.client("secretsmanager")
    (database,) = rds.describe_db_instances()["DBInstances"]
    master = database["MasterUserSecret"]["SecretArn"]
    before, pids = password_in(serving, master), serving.task_pids()
    with serving.load("/notes") as load:
        secrets.rotate_secret(SecretId=master)
        eventually("it is another", lambda: password_in(serving, master) != before)
        eventually("requests go on", lambda: load.sent > 400)
    assert load.lost == 0, load
    assert serving.task_pids() == pids


def test_a_task_that_starts_after_it_was_changed_migrates_with_the_new_one(serving: World) -> None:
    serving.update(desiredCount=3)
    eventually("three tasks serve", serving.is_steady, seconds=120)
    serving.update(desiredCount=2)
    eventually("two tasks serve", serving.is_steady, seconds=120)


def test_after_a_failover_it_serves_again(serving: World) -> None:
    rds = serving.client("rds")
    rds.reboot_db_instance(DBInstanceIdentifier="notes", ForceFailover=True)
    eventually("notes cannot be read", lambda: serving.get("/notes")[0] != 200)
    eventually("they can again", lambda: serving.get("/notes")[0] == 200)
